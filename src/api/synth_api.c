/* Made-up logs, by their public names. */
#include "penchant/synth.h"

#include <string.h>

#include "base/progress.h"
#include "data/synth.h"

pen_status pen_synth_dataset(pen_context *ctx, const pen_synth_options *options, pen_dataset **dataset,
                             pen_error *error)
{
    PEN_CHECK(ctx && options && dataset, PEN_E_ARGUMENT, "pen_synth_dataset: an argument is NULL");
    pen__synth synth;
    *dataset = NULL;
    pen__cancel_clear(ctx);
    PEN_TRY(pen__synth_check(options, &synth, error));
    return pen__synth_dataset(ctx, &synth, dataset, error);
}

static pen_status write_dataset(pen_context *ctx, const pen__synth *synth, const char *path, pen_error *error)
{
    pen_dataset *dataset;
    PEN_TRY(pen__synth_dataset(ctx, synth, &dataset, error));
    pen_status status = pen_dataset_save(dataset, path, error);
    pen_dataset_destroy(dataset);
    return status;
}

pen_status pen_synth_write(pen_context *ctx, const pen_synth_options *options, const char *path, pen_error *error)
{
    PEN_CHECK(ctx && options && path, PEN_E_ARGUMENT, "pen_synth_write: an argument is NULL");
    pen__synth synth;
    pen__writer *writer;
    pen__cancel_clear(ctx);
    PEN_TRY(pen__synth_check(options, &synth, error));
    size_t n = strlen(path);
    if (n > 4 && !strcmp(path + n - 4, ".pds")) return write_dataset(ctx, &synth, path, error);
    PEN_TRY(pen__writer_open(ctx, path, &writer, error));
    pen_status status = pen__synth_text(ctx, &synth, writer, error);
    if (status == PEN_OK) return pen__writer_commit(writer, error);
    pen__writer_abort(writer);
    return status;
}
