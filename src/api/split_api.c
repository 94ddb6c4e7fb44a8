/* The parts of a split as files, by its public name. */
#include "penchant/split.h"

#include "api/material.h"
#include "api/report.h"
#include "base/progress.h"
#include "data/parts_write.h"

/* One fold into its folder. */
static pen_status write_fold(const pen__log *log, const pen_protocol *protocol, int32_t fold, const char *folder,
                             int format, pen__text *out, pen_error *error)
{
    pen__parts parts = {0};
    PEN_TRY(pen__split(log, protocol, protocol->seed, fold, &parts, error));
    pen__text path = {.ctx = log->ctx};
    pen__text_puts(&path, folder);
    if (parts.n_folds > 1) pen__text_printf(&path, "/fold%d", fold);
    pen__text_printf(out, "%s{\"split\": %s, \"files\": ", fold ? ", " : "", parts.notes);
    pen_status status = path.failed ? pen__fail(error, PEN_E_MEMORY, "out of memory for a path") : PEN_OK;
    if (status == PEN_OK) status = pen__parts_write(log, &parts, protocol->task, path.bytes, format, out, error);
    pen__text_puts(out, "}");
    pen__text_free(&path);
    pen__parts_free(&parts);
    return status;
}

static pen_status write_all(const pen__material *material, const pen_protocol *protocol, const char *folder, int format,
                            pen__text *out, pen_error *error)
{
    pen__log log = {0};
    int32_t n_folds = 1;
    if (material->test_from < 0) PEN_TRY(pen__split_folds(protocol->split, &n_folds, error));
    PEN_TRY(pen__log_build_given(material->data, protocol, material->valid_from, material->test_from, &log, error));
    pen__text_printf(out, "{\"filters\": %s, \"folds\": [", log.notes);
    pen_status status = pen__folder_make(folder, error);
    for (int32_t fold = 0; fold < n_folds && status == PEN_OK; fold++)
        status = write_fold(&log, protocol, fold, folder, format, out, error);
    pen__text_puts(out, "]}");
    pen__log_free(&log);
    return status;
}

pen_status pen_split_write(pen_context *ctx, const pen_material *material, const pen_protocol *protocol,
                           const char *folder, const char *format, pen_report **report, pen_error *error)
{
    PEN_CHECK(ctx && material && protocol && folder && report, PEN_E_ARGUMENT, "pen_split_write: an argument is NULL");
    int form;
    pen__material inner;
    pen_dataset *joined = NULL;
    pen_status status = PEN_OK;
    *report = NULL;
    pen__cancel_clear(ctx);
    PEN_TRY(pen__parts_format_parse(format, &form, error));
    PEN_TRY(pen__report_new(ctx, report, error));
    PEN_TRY_DONE(pen__material_join(material, &inner, &joined, error));
    PEN_TRY_DONE(write_all(&inner, protocol, folder, form, &(*report)->text, error));
    PEN_CHECK_DONE(!(*report)->text.failed, PEN_E_MEMORY, "out of memory for the report of a split");
done:
    pen_dataset_destroy(joined);
    if (status == PEN_OK) return PEN_OK;
    pen_report_destroy(*report);
    *report = NULL;
    return status;
}
