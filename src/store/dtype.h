/* Element types of tensors, in files and in models. The numbers are not stored: files hold the names. */
#ifndef PEN_STORE_DTYPE_H
#define PEN_STORE_DTYPE_H

#include <stddef.h>

typedef enum pen__dtype { PEN_U8 = 1, PEN_I8, PEN_I16, PEN_I32, PEN_I64, PEN_F32, PEN_F64 } pen__dtype;

size_t pen__dtype_size(pen__dtype dtype);
const char *pen__dtype_name(pen__dtype dtype); /* "F32": safetensors' word */

#endif
