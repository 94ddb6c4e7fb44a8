/* Events by user or item, and in order: stable counting sorts, small sorts of (key, index), selection by rank.
 *
 * All of it gives the same answer for any number of threads.
 */
#ifndef PEN_DATA_ORDER_H
#define PEN_DATA_ORDER_H

#include <stdbool.h>

#include "base/error.h"
#include "penchant/context.h"

/* What is sorted: by key, then by index. */
typedef struct pen__keyed {
    uint64_t key;
    int64_t index;
} pen__keyed;

/* A time (or any signed number) as a key of the same order. */
static inline uint64_t pen__key_of(int64_t number) { return (uint64_t)number ^ (UINT64_C(1) << 63); }

/* In place; O(n) where it is in order already, O(n log n) at worst. */
void pen__sort_keyed(pen__keyed *a, int64_t n);

/* Elements by group: group g has index[begin[g]] .. index[begin[g + 1]], rising. */
typedef struct pen__groups_of {
    pen_context *ctx;
    int64_t n_groups;
    int64_t *begin; /* n_groups + 1 */
    int64_t *index;
} pen__groups_of;

/* A stable counting sort of the elements 0..n-1 by group[i] in [0, n_groups). Elements with skip[i] are left out (skip
 * may be NULL). O(n + n_groups). */
pen_status pen__group(pen_context *ctx, const int32_t *group, const uint8_t *skip, int64_t n, int64_t n_groups,
                      pen__groups_of *out, pen_error *error);
void pen__groups_free(pen__groups_of *groups);

/* A key for element i. */
typedef uint64_t (*pen__key_fn)(const void *arg, int64_t i);

/* Orders each group by (key, index), in parallel. */
pen_status pen__groups_sort(pen__groups_of *groups, pen__key_fn key, const void *arg, pen_error *error);

/* Groups cut into shards of about `grain` elements; a shard is a range of groups: out has *n_shards + 1 numbers. Freed
 * with pen__free. Depends on the data only. */
pen_status pen__groups_shards(const pen__groups_of *groups, int64_t grain, int64_t **out, int64_t *n_shards,
                              pen_error *error);

/* The key of rank `rank` (0 is the least) among the elements i in [0, n) with take(arg, i) (NULL: all); there must be
 * more than `rank` of them. Radix selection: at most four passes, in parallel. */
typedef bool (*pen__take_fn)(const void *arg, int64_t i);
pen_status pen__select_key(pen_context *ctx, int64_t n, pen__key_fn key, pen__take_fn take, const void *arg,
                           int64_t rank, uint64_t *out, pen_error *error);

#endif
