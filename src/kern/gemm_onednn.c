/* oneDNN's sgemm, kept to the calling thread. oneDNN asks OpenMP how many threads the caller may have; that number
 * belongs to the calling thread alone, is set to one here and put back, so that neither our workers nor the host
 * program's threads see anything of it. */
#include <dnnl.h>
#include <stdio.h>

#include "kern/gemm_levels.h"

#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP
/* of every OpenMP runtime; omp.h is not there with every compiler */
extern int omp_get_max_threads(void);
extern void omp_set_num_threads(int n);
#else
static int omp_get_max_threads(void) { return 1; }
static void omp_set_num_threads(int n) { (void)n; }
#endif

bool pen__gemm_onednn(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
                      const float *b, int64_t ldb, float beta, float *c, int64_t ldc)
{
    int threads = omp_get_max_threads();
    if (threads != 1) omp_set_num_threads(1);
    dnnl_status_t status = dnnl_sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    if (threads != 1) omp_set_num_threads(threads);
    return status == dnnl_success;
}

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
/* The one that was built against; the program may run with a later one of the same major version. */
const char *pen__gemm_onednn_name(void)
{
    return "oneDNN " TEXT(DNNL_VERSION_MAJOR) "." TEXT(DNNL_VERSION_MINOR) "." TEXT(DNNL_VERSION_PATCH);
}
