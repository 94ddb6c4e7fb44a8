/* Splits: the parts of a log as files, to be used by any program.
 *
 *     pen_protocol protocol;
 *     pen_protocol_init(&protocol);
 *     protocol.split = "last:1";
 *     pen_material material = {log, NULL, NULL};
 *     if (pen_split_write(ctx, &material, &protocol, "parts", "csv", &report, &error) == PEN_OK)
 * puts(pen_report_json(report));
 *
 * Since 0.1.
 */
#ifndef PENCHANT_SPLIT_H
#define PENCHANT_SPLIT_H

#include "penchant/evaluate.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Applies the protocol's filters and its split and writes folder/train.csv, valid.csv, test.csv and, of held-out users,
 * valid_history.csv and test_history.csv (parts without events are not written). folds:K makes folder/fold0 .. foldK-1.
 * The folder is made where it is not there; files are written aside and renamed.
 *
 * format: "csv" (NULL), "tsv" or "pds". Text has a header and the columns user, item, and as far as the log has them
 * value, weight (ranking, where an event does not weigh 1), time (seconds, or milliseconds where there are any; empty:
 * missing), event and the context columns. A .pds part keeps all ids and tables of the log.
 *
 * Report: {"filters": [...], "folds": [{"split": {...}, "files": [{"part", "path", "events"}]}]}. */
PEN_API pen_status pen_split_write(pen_context *ctx, const pen_material *material, const pen_protocol *protocol,
                                   const char *folder, const char *format, pen_report **report, pen_error *error);

#ifdef __cplusplus
}
#endif
#endif
