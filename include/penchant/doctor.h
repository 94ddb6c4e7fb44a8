/* The doctor: what is in a log, what is wrong with it, what to do about it.
 *
 *     pen_protocol protocol;
 *     pen_protocol_init(&protocol);
 *     pen_report *report;
 *     if (pen_doctor(log, &protocol, &report, &error) == PEN_OK) puts(pen_report_json(report));
 *     pen_report_destroy(report);
 *
 * Since 0.1.
 */
#ifndef PENCHANT_DOCTOR_H
#define PENCHANT_DOCTOR_H

#include "penchant/evaluate.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Counts a log, tries the protocol's filters and its split (a split that fails is a finding), and judges. The report's
 * JSON:
 *
 * {"data": {"path", "hash"}, "events", "users", "items", "pairs", "density",
 *  "duplicates": {"events": repeats of a pair, "pairs": pairs that repeat, "same_rows"},
 *  "events_per_user", "events_per_item": {"with_events", "without_events", "least", "median", "mean", "most",
 *      "histogram": [{"events": "3-4", "from": 3, "users"}], "gini", "top_percent": share of the commonest hundredth,
 *      "top": [{"id", "title", "events"}], "curve": [[share of ids, most events first, share of events], ...],
 *      "ranks": [[place, events], ...]},
 *  "values": null or {"missing", "negative", "zero", "least", "median", "mean", "most", "histogram": [{"value", "to",
 * "events"}]}, "times": null or {"missing", "dates", "from", "to", "days", "commonest", "commonest_events", "future",
 * "before_1980", "ties": events that share user and moment, "histogram": 24 equal spans}, "event_types": [{"type",
 * "events"}], "context", "item_table", "user_table": [{"column", "type", "levels", "missing", "top"}], "knowledge":
 * {...}, "alike_users", "alike_items": {"ids", "examples": [[id, id]]}, "filters": [{"step", "events", "users",
 * "items"}], "split": {"failed"} or {"parts", "test_events", "test_users", "cold_users", "cold_user_share",
 * "cold_items", "cold_item_share", "repeated_pairs", "trained_after_own_test", "trained_after_first_test"}, "reading":
 * pen_dataset_notes, "verdict": [{"severity": "problem|warning|note", "what", "do"}, ...] the worst first}
 *
 * Safe while nobody writes: several threads may ask about different data sets of different contexts. */
PEN_API pen_status pen_doctor(const pen_dataset *log, const pen_protocol *protocol, pen_report **report,
                              pen_error *error);

#ifdef __cplusplus
}
#endif
#endif
