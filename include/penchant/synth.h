/* Made-up logs with a known structure, of any size: to see what a model can find, and how time and memory grow.
 *
 *     pen_synth_options options = PEN_SYNTH_OPTIONS_INIT;
 *     options.structure = "cycle";
 *     options.events = 1000000;
 *     pen_synth_write(ctx, &options, "made.csv", &error);
 *
 * Each event comes from (seed, its number) alone: the same file for any number of threads. Since 0.1.
 */
#ifndef PENCHANT_SYNTH_H
#define PENCHANT_SYNTH_H

#include "penchant/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Ids are u0, u1, ... and i0, i1, ...; times rise from 2020-01-01 through one year; values are 1 to 5.
 *
 *   blocks      user u likes the items of group u mod groups (item i is of group i mod groups): values 4 and 5. The
 * rest
 *               (`noise`) are items of all groups by popularity: values 1 to 3 but where they happen to be of the
 * group. drift       the same, but at time t (0..1) user u's group is (u + floor(4 t + u's own offset in 0..1)) mod
 * groups: the past misleads. cycle       users take turns; each walks its group's items (a run of items / groups
 * numbers) one by one from a start of its own, and from the last to the first: what comes after item i is item i + 1.
 * `noise` are steps beside the walk. popularity  items by popularity alone: nothing can be learned beyond it.
 */
typedef struct pen_synth_options {
    size_t struct_size;
    const char *structure;        /* "blocks", "drift", "cycle", "popularity" */
    int64_t events;               /* 1 to 2^40 */
    int64_t users, items, groups; /* 1 to 2^31 - 2; groups at most items */
    double noise;                 /* share of events that do not follow the structure: 0 to 1 */
    double skew; /* of popularity and activity: the one of rank r is as frequent as (r + 1)^-skew; 0 to 3. Cycles take
                    none */
    uint64_t seed;
} pen_synth_options;

#define PEN_SYNTH_OPTIONS_INIT                                                   \
    {                                                                            \
        sizeof(pen_synth_options), "blocks", 100000, 2000, 1000, 10, 0.1, 0.6, 1 \
    }

/* Writes rows `user,item,value,time` below a header, in memory of about 50 MB whatever their number; a path that ends
 * in .pds gets the data set instead (24 bytes an event in memory). Aside, synced and renamed; "-" is standard output.
 */
PEN_API pen_status pen_synth_write(pen_context *ctx, const pen_synth_options *options, const char *path,
                                   pen_error *error);

/* The same events as a data set in memory: the same as reading the file. */
PEN_API pen_status pen_synth_dataset(pen_context *ctx, const pen_synth_options *options, pen_dataset **dataset,
                                     pen_error *error);

#ifdef __cplusplus
}
#endif
#endif
