/* What tests of hostile files share: a sound file, and that file with one tensor or word edited, hashed anew. */
#ifndef PEN_TESTS_HOSTILE_EDIT_H
#define PEN_TESTS_HOSTILE_EDIT_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "data/dataset.h"
#include "penchant/penchant.h"
#include "rank/model.h"
#include "rank/rank.h"
#include "store/container.h"

enum edit {
    SAME,
    DROP,
    TWICE,
    NOT_A_NUMBER,
    INFINITE,
    BELOW,
    BEYOND,
    FALLS,
    SHORTER,
    NO_ELEMENTS,
    EMPTY,
    OTHER_TYPE,
    N_EDITS
};
static const char *const edit_name[] = {
    "the same", "dropped", "with everything twice", "NaN",   "infinite",  "below", "beyond",
    "falls",    "shorter", "a size of 0",           "empty", "other type"};
static char sound_path[64], hostile_path[64];

/* All files of a test begin with "FOLDER/penchant-hostile-PID"; in memory where that can be, for they are thousands,
 * each synced. Sets the two as well. */
static inline void name_files(char *stem, size_t room)
{
    snprintf(stem, room, "%s/penchant-hostile-%ld", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm", (long)getpid());
    snprintf(sound_path, sizeof sound_path, "%.50s.sound", stem);
    snprintf(hostile_path, sizeof hostile_path, "%.50s.bad", stem);
}

static inline pen_context *context_with(pen_progress_fn progress)
{
    pen_context_options o = PEN_CONTEXT_OPTIONS_INIT;
    pen_context *ctx;
    o.n_threads = 2;
    o.progress = progress;
    assert_int_equal(pen_context_create(&o, &ctx, NULL), PEN_OK);
    return ctx;
}

/* Puts a tensor as `edit` makes it; 0 where the edit has no meaning for it. *made is freed after the commit. */
static inline int put_edited(pen__container_writer *w, const pen__stored *t, enum edit edit, void **made)
{
    int64_t shape[PEN__MAX_DIMS] = {0};
    int n_dims = t->n_dims;
    pen__dtype dtype = t->dtype;
    memcpy(shape, t->shape, sizeof(int64_t) * (size_t)n_dims);
    char *bytes = *made = malloc(t->bytes + 64);
    assert_non_null(bytes);
    memcpy(bytes, t->data, t->bytes);
    int64_t last = t->n - 1;
    switch (edit) {
    case DROP: return 1;
    case TWICE: /* all strings of one length are the same */
        if (dtype != PEN_U8 || t->n < 2) return 0;
        memset(bytes, 'a', t->bytes);
        break;
    case NOT_A_NUMBER:
    case INFINITE:
        if (dtype != PEN_F32 || t->n < 1) return 0;
        ((float *)(void *)bytes)[last] = edit == INFINITE ? INFINITY : NAN;
        break;
    case BELOW:
    case BEYOND:
        if (t->n < 1) return 0;
        if (dtype == PEN_I32)
            ((int32_t *)(void *)bytes)[last] = edit == BELOW ? -7 : 1 << 30;
        else if (dtype == PEN_I64)
            ((int64_t *)(void *)bytes)[last] = edit == BELOW ? -7 : INT64_C(1) << 50;
        else if (dtype == PEN_I16)
            ((int16_t *)(void *)bytes)[last] = edit == BELOW ? -7 : INT16_MAX;
        else
            return 0;
        break;
    case FALLS:
        if (dtype != PEN_I64 || t->n < 3 || (!strstr(t->name, "begin") && !strstr(t->name, "offsets"))) return 0;
        ((int64_t *)(void *)bytes)[1] = ((int64_t *)(void *)bytes)[last] + 1;
        break;
    case SHORTER:
        if (n_dims < 1 || shape[0] < 1) return 0;
        shape[0]--;
        break;
    case NO_ELEMENTS:
        if (n_dims >= 3) return 0;
        shape[n_dims++] = 0;
        break;
    case EMPTY:
        if (n_dims < 1 || shape[0] < 1) return 0;
        shape[0] = 0;
        break;
    case OTHER_TYPE: dtype = dtype == PEN_I16 ? PEN_U8 : PEN_I16; break;
    default: break;
    }
    if (dtype != t->dtype) memset(bytes, 0, t->bytes);
    if (dtype == PEN_I16 && t->dtype == PEN_U8)
        *made = bytes = realloc(bytes, 2 * t->bytes + 64), memset(bytes, 0, 2 * t->bytes);
    pen__container_put(w, t->name, dtype, n_dims, shape, bytes);
    return 1;
}

/* Writes sound_path anew with tensor `at` edited, and metadata `key` (or NULL) as `value`. 0: no such edit. */
static inline int rewrite(pen_context *ctx, const char *kind, size_t at, enum edit edit, const char *key,
                          const char *value)
{
    static const char *const own[] = {"hash", "format", "container", "kind", "version", "writer"};
    pen__container *c;
    pen__container_writer *w;
    void *made = NULL;
    int meant = 1;
    assert_int_equal(pen__container_open(ctx, sound_path, kind, 1, 0, &c, NULL), PEN_OK);
    assert_int_equal(pen__container_begin(ctx, hostile_path, kind, 1, &w, NULL), PEN_OK);
    for (size_t i = 0; i < pen__container_n_meta(c); i++) {
        const char *name, *text;
        int skip = 0;
        pen__container_meta_at(c, i, &name, &text);
        for (size_t k = 0; k < sizeof own / sizeof *own; k++) skip |= !strcmp(name, own[k]);
        if (key && !strcmp(name, key)) text = value;
        if (!skip && text) pen__container_put_meta(w, name, text);
    }
    for (size_t i = 0; i < pen__container_n_tensors(c); i++) {
        const pen__stored *t = pen__container_tensor_at(c, i);
        if (i == at)
            meant = put_edited(w, t, edit, &made);
        else
            pen__container_put(w, t->name, t->dtype, t->n_dims, t->shape, t->data);
    }
    if (meant)
        assert_int_equal(pen__container_commit(w, NULL), PEN_OK);
    else
        pen__container_abort(w);
    pen__container_close(c);
    free(made);
    return meant;
}

#endif
