/* The languages of a protocol: a line each of split, fold-in, event weights, candidates, since. Whatever parses must
 * keep its promises: shares that sum to 1, counts within the events, and a split of a small log whose every event has
 * one part.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/expression.h"
#include "data/interactions.h"

enum { EVENTS = 60 };

static pen_context *ctx;
static pen_dataset *data;

/* Six users of 4 to 16 events, 9 items, repeats, a missing time. */
static void make_data(void)
{
    int32_t *user, *item;
    int64_t *time;
    float *value;
    int16_t *event;
    pen_error *error = NULL;
    if (pen_context_create(NULL, &ctx, NULL) || pen__dataset_new(ctx, &data, NULL) || PEN_NEW(ctx, user, EVENTS) ||
        PEN_NEW(ctx, item, EVENTS) || PEN_NEW(ctx, time, EVENTS) || PEN_NEW(ctx, value, EVENTS) ||
        PEN_NEW(ctx, event, EVENTS))
        abort();
    for (int i = 0; i < EVENTS; i++) {
        user[i] = i * i % 7 % 6, item[i] = i * 5 % 9,
        time[i] = i == 7 ? PEN_TIME_MISSING : (int64_t)(i * 37 % 50) * 1000, value[i] = (float)(1 + i % 5);
        event[i] = (int16_t)(i % 3 - 1);
    }
    const char *names[] = {"u0", "u1", "u2", "u3", "u4", "u5", "i0",   "i1", "i2",
                           "i3", "i4", "i5", "i6", "i7", "i8", "view", "buy"};
    for (int k = 0; k < 17; k++) {
        int32_t number;
        if (pen__strings_add(k < 6    ? &data->users
                             : k < 15 ? &data->items
                                      : &data->event_types,
                             pen__span_of(names[k]), &number, NULL))
            abort();
    }
    data->n_events = EVENTS;
    data->user = user, data->item = item, data->time = time, data->value = value, data->event = event;
}

static void check_spec(const char *text, pen_status (*parse)(const char *, pen__split_spec *, pen_error *))
{
    pen__split_spec spec;
    pen_error error = {0};
    if (parse(text, &spec, &error) != PEN_OK) {
        if (!error.message[0] || !error.code) abort();
        return;
    }
    if (!(spec.valid >= 0 && spec.test >= 0 && spec.valid + spec.test < 1 + 1e-6)) abort();
    for (int64_t n = 0; n < 3000; n = n < 40 ? n + 1 : n * 2) {
        int64_t n_valid, n_test;
        pen__split_counts(&spec, n, &n_valid, &n_test);
        if (n_valid < 0 || n_test < 0 || n_valid + n_test > n || (n && n_valid + n_test == n)) abort();
    }
}

static void check_split(const pen_protocol *protocol)
{
    pen__log log = {0};
    pen__parts parts = {0};
    pen__train train = {0};
    pen__cases cases = {0};
    pen_error error = {0};
    int32_t n_folds;
    int64_t count[6] = {0};
    pen_status status = pen__log_build(data, protocol, &log, &error);
    if (status == PEN_OK) status = pen__split_folds(protocol->split, &n_folds, &error);
    if (status == PEN_OK) status = pen__split(&log, protocol, 1, n_folds - 1, &parts, &error);
    for (int64_t i = 0; i < parts.n; i++) {
        if (parts.part[i] > 5) abort();
        count[parts.part[i]]++;
    }
    if (status == PEN_OK && !count[0]) abort();
    if (status == PEN_OK) status = pen__train_build(&log, &parts, 3, 0, &train, &error);
    if (status == PEN_OK)
        status = pen__cases_build(&log, &parts, &train, protocol, PEN_PART_TEST, 3, 1, &cases, &error);
    if (status != PEN_OK && !error.message[0]) abort();
    pen__cases_free(&cases);
    pen__train_free(&train);
    pen__parts_free(&parts);
    pen__log_free(&log);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char text[512], *line[5] = {NULL};
    if (!ctx) make_data();
    if (size >= sizeof text) return 0;
    if (size) memcpy(text, bytes, size);
    text[size] = 0;
    size_t n = 0;
    for (char *at = text; at && n < 5; n++) {
        line[n] = at;
        at = strchr(at, '\n');
        if (at) *at++ = 0;
    }
    pen_protocol protocol;
    pen_protocol_init(&protocol);
    const char **field[] = {&protocol.split, &protocol.fold_in, &protocol.event_weight, &protocol.candidates,
                            &protocol.since};
    for (size_t k = 0; k < 5; k++)
        if (line[k] && *line[k]) *field[k] = line[k];
    check_spec(protocol.split, pen__split_spec_parse);
    if (protocol.fold_in) check_spec(protocol.fold_in, pen__fold_in_parse);
    int kind;
    int64_t number;
    if (pen__candidates_parse(protocol.candidates, &kind, &number, NULL) != PEN_OK || kind == PEN_CANDIDATES_FILE)
        protocol.candidates = NULL;
    protocol.missing_time = size % 2 ? "first" : NULL;
    protocol.positive = size % 3 ? NAN : 3;
    check_split(&protocol);
    return 0;
}
