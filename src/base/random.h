/* Randomness from counters: (seed, stream, index) gives a number, whatever was drawn before and on which thread.
 *
 * The mixer is SplitMix64's finaliser (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014)
 * applied twice; pen__rng is a SplitMix64 sequence that starts at such a number.
 */
#ifndef PEN_BASE_RANDOM_H
#define PEN_BASE_RANDOM_H

#include <math.h>
#include <stdint.h>

/* Streams in use, so that two purposes never draw the same numbers. Per-model streams start at PEN_STREAM_MODEL. */
enum pen__stream {
    PEN_STREAM_SPLIT = 1,
    PEN_STREAM_TIES = 2,
    PEN_STREAM_BOOTSTRAP = 3,
    PEN_STREAM_CANDIDATES = 4,
    PEN_STREAM_TEST_USERS = 5,
    PEN_STREAM_SYNTH = 6,
    PEN_STREAM_INIT = 7,
    PEN_STREAM_SHUFFLE = 8,
    PEN_STREAM_NEGATIVE = 9,
    PEN_STREAM_VALID = 10,
    PEN_STREAM_PERMUTE = 11,
    PEN_STREAM_MODEL = 64
};

static inline uint64_t pen__mix64(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static inline uint64_t pen__rand64(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint64_t key = pen__mix64(seed + 0x9E3779B97F4A7C15u * (stream + 1));
    return pen__mix64(key ^ pen__mix64(index + 0xD1B54A32D192ED03u));
}

__extension__ typedef unsigned __int128 pen__uint128;

typedef struct pen__rng {
    uint64_t state;
} pen__rng;

/* A sequence of its own for (seed, stream, index): for example one for each shard. */
static inline pen__rng pen__rng_begin(uint64_t seed, uint64_t stream, uint64_t index)
{
    return (pen__rng){pen__rand64(seed, stream, index)};
}

static inline uint64_t pen__rng_next(pen__rng *rng) { return pen__mix64(rng->state += 0x9E3779B97F4A7C15u); }

/* Uniform in [0, n), n > 0; the bias is below n / 2^64. */
static inline uint64_t pen__rng_below(pen__rng *rng, uint64_t n)
{
    return (uint64_t)(((pen__uint128)pen__rng_next(rng) * n) >> 64);
}

/* Uniform in [0, 1), 53 bits. */
static inline double pen__rng_uniform(pen__rng *rng) { return (double)(pen__rng_next(rng) >> 11) * 0x1p-53; }

/* Standard normal by Box and Muller; draws two numbers. */
static inline double pen__rng_normal(pen__rng *rng)
{
    double u = ((double)(pen__rng_next(rng) >> 11) + 0.5) * 0x1p-53, v = pen__rng_uniform(rng);
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

#endif
