/* The registry of models, from models.def. */
#include <string.h>

#include "rank/model.h"

#define PEN_MODEL(name) extern const pen__model_class name##_class;
#include "model/models.def"
#undef PEN_MODEL

static const pen__model_class *const table[] = {
#define PEN_MODEL(name) &name##_class,
#include "model/models.def"
#undef PEN_MODEL
};

size_t pen__model_classes(const pen__model_class *const **classes)
{
    if (classes) *classes = table;
    return sizeof table / sizeof *table;
}

const pen__model_class *pen__model_class_find(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i]->name, name)) return table[i];
    return NULL;
}
