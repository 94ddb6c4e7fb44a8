/* Data sets out of containers: what opens keeps its promises, is filtered, joined, and where small diagnosed. */
#include <stdio.h>

#include "fuzz_numbers.h"
#include "fuzz_reading.h"
#include "penchant/doctor.h"
#include "rank/where.h"
#include "store/container.h"

/* Every column of the item table by its name, as a filter sees it. */
static void filter(pen_context *ctx, const pen_dataset *d)
{
    const pen__table *table = &d->item_table;
    int64_t *events = calloc((size_t)d->items.n, sizeof *events);
    const pen__where_items items = {.table = table, .ids = &d->items, .events = events, .n_items = (int32_t)d->items.n};
    if (!events) return;
    char text[400];
    pen__where *where;
    pen_error error = {0};
    for (int32_t c = 0; c < table->n_columns && c < 8; c++) {
        int number = table->column[c].type == PEN_COLUMN_NUMBER;
        snprintf(text, sizeof text, number ? "\"%.300s\" >= 1990" : "\"%.300s\" = \"Drama\"", table->column[c].name);
        if (pen__where_parse(ctx, pen__span_of(text), &items, &where, &error) != PEN_OK) continue;
        for (int32_t i = 0; i < items.n_items && i < 100; i++) (void)pen__where_holds(where, i);
        pen__where_free(where);
    }
    free(events);
}

static void diagnose(const pen_dataset *d)
{
    pen_protocol protocol;
    pen_report *report = NULL;
    pen_error error = {0};
    pen_protocol_init(&protocol);
    if (pen_doctor(d, &protocol, &report, &error) == PEN_OK) pen_report_destroy(report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pen_context *ctx = fuzz_context();
    pen__container *c;
    pen_dataset *d, *joined;
    pen_error error;
    void *bytes; /* ends where the block ends, so that a read past the end is seen */
    if (posix_memalign(&bytes, 64, size ? size : 1)) return 0;
    if (size) memcpy(bytes, data, size);
    if (pen__container_open_memory(ctx, bytes, size, "fuzz", "dataset", 1, PEN__SKIP_HASH, &c, &error) == PEN_OK &&
        pen__dataset_from_container(ctx, c, &d, &error) == PEN_OK) {
        for (int64_t i = 0; i < d->n_events; i++)
            if (d->user[i] < 0 || d->user[i] >= d->users.n || d->item[i] < 0 || d->item[i] >= d->items.n) abort();
        for (int32_t i = 0; i < d->items.n && i < 100; i++) (void)pen__dataset_title(d, i);
        filter(ctx, d);
        if (d->n_events < 64) diagnose(d);
        if (d->n_events < 1000 && pen__dataset_join(d, d, &joined, &error) == PEN_OK) pen_dataset_destroy(joined);
        pen_dataset_destroy(d);
    }
    free(bytes);
    if (pen_context_memory(ctx)) abort();
    return 0;
}
