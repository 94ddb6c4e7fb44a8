/* The small languages of a protocol. A split spec is FAMILY:NUMBERS; what the numbers may be depends on the family, so
 * each family has one small parser and the table at the end says which words there are.
 */
#include "data/expression.h"

#include <math.h>
#include <string.h>

#include "data/cells.h"

enum { MAX_NUMBERS = 3 };

static int shown(pen__span text) { return text.length < 100 ? (int)text.length : 100; }

/* Cuts at the first `mark`: *head is what stands before it, *text what stands behind it (text NULL: there was no mark).
 */
static pen__span cut(pen__span *text, char mark)
{
    const char *at = text->length ? memchr(text->text, mark, text->length) : NULL;
    pen__span head = {text->text, at ? (size_t)(at - text->text) : text->length};
    *text = at ? (pen__span){at + 1, text->length - head.length - 1} : (pen__span){NULL, 0};
    return head;
}

/* ---- moments ---------------------------------------------------------------------------------------------------- */

bool pen__moment_parse(pen__span text, int64_t *milliseconds)
{
    int unit = pen__guess_unit(text, false);
    return pen__parse_time(text, unit == PEN_UNIT_ISO8601 ? unit : PEN_UNIT_SECONDS, false, milliseconds);
}

/* ---- splits ----------------------------------------------------------------------------------------------------- */

static const char *const families[] = {"ratio", "ratio-all", "ratio-time", "last", "time", "users", "folds"};
static const char form[] =
    "allowed are ratio:0.8 or ratio:0.8,0.1,0.1 (of each user's events at random), ratio-all: (of all events), "
    "ratio-time: (each user's latest are tested), last:1, time:0.8 or time:2020-01-31, users:0.8,0.1,0.1, folds:5";

/* One share of training in (0, 1), or the three of training, validation and test, which sum to 1. */
static pen_status shares(const char *text, pen__span numbers, pen__split_spec *spec, pen_error *error)
{
    double share[MAX_NUMBERS] = {0};
    int n = 0;
    while (numbers.text) {
        pen__span one = pen__span_trim(cut(&numbers, ','));
        PEN_CHECK(n < MAX_NUMBERS, PEN_E_ARGUMENT,
                  "split '%.100s' has more than three shares (training, validation, test)", text);
        PEN_CHECK(pen__parse_double(one, &share[n]) && share[n] >= 0 && share[n] <= 1, PEN_E_ARGUMENT,
                  "split '%.100s': '%.*s' is not a share between 0 and 1", text, shown(one), one.text);
        n++;
    }
    PEN_CHECK(n != 2, PEN_E_ARGUMENT,
              "split '%.100s' has two shares; give one (training: a tenth of it becomes validation, the "
              "rest is test) or three (training, validation, test)",
              text);
    PEN_CHECK(share[0] > 0, PEN_E_ARGUMENT, "split '%.100s' leaves nothing for training; its share must be above 0",
              text);
    if (n == 1) {
        PEN_CHECK(share[0] < 1, PEN_E_ARGUMENT, "split '%.100s' leaves nothing to test; one share must be below 1",
                  text);
        spec->one = true;
        spec->test = 1 - share[0];
        return PEN_OK;
    }
    double sum = share[0] + share[1] + share[2];
    PEN_CHECK(fabs(sum - 1) < 1e-6, PEN_E_ARGUMENT, "the shares of split '%.100s' sum to %g; they must sum to 1", text,
              sum);
    spec->valid = share[1];
    spec->test = share[2];
    return PEN_OK;
}

static pen_status counts(const char *text, pen__span numbers, pen__split_spec *spec, pen_error *error)
{
    int64_t count[2] = {0, 0};
    int n = 0;
    while (numbers.text) {
        pen__span one = pen__span_trim(cut(&numbers, ','));
        PEN_CHECK(n < 2, PEN_E_ARGUMENT,
                  "split '%.100s' has more than two numbers; allowed are last:TEST and last:VALIDATION,TEST", text);
        PEN_CHECK(pen__parse_int64(one, &count[n]) && count[n] >= 0 && count[n] <= INT32_MAX, PEN_E_ARGUMENT,
                  "split '%.100s': '%.*s' is not a number of events; allowed are last:1, and last:1,1 for validation "
                  "and test",
                  text, shown(one), one.text);
        n++;
    }
    spec->one = n == 1;
    /* cppcheck-suppress negativeIndex */
    spec->n_test = count[n - 1];
    spec->n_valid = n == 1 ? 1 : count[0];
    PEN_CHECK(n == 2 ? spec->n_test + spec->n_valid > 0 : spec->n_test > 0, PEN_E_ARGUMENT,
              "split '%.100s' leaves nothing to test", text);
    return PEN_OK;
}

/* Shares, or one moment (of the test) or two (of validation, of the test). */
static pen_status cuts(const char *text, pen__span numbers, pen__split_spec *spec, pen_error *error)
{
    pen__span rest = numbers, first = pen__span_trim(cut(&rest, ','));
    double share;
    if (pen__parse_double(first, &share) && share >= 0 && share <= 1) return shares(text, numbers, spec, error);
    int64_t moment[2];
    int n = 0;
    while (numbers.text) {
        pen__span one = pen__span_trim(cut(&numbers, ','));
        PEN_CHECK(n < 2, PEN_E_ARGUMENT,
                  "split '%.100s' has more than two moments (from when validation, from when test)", text);
        PEN_CHECK(pen__moment_parse(one, &moment[n]), PEN_E_ARGUMENT,
                  "split '%.100s': '%.*s' is neither a share (0.8) nor a moment (2020-01-31, 2020-01-31T12:00:00Z, or "
                  "seconds since 1970)",
                  text, shown(one), one.text);
        n++;
    }
    PEN_CHECK(n == 1 || moment[0] < moment[1], PEN_E_ARGUMENT, "split '%.100s': validation must begin before the test",
              text);
    spec->dated = true;
    spec->one = n == 1;
    spec->test_from = moment[n - 1];
    spec->valid_from = n == 1 ? INT64_MAX : moment[0];
    return PEN_OK;
}

static pen_status folds(const char *text, pen__span numbers, pen__split_spec *spec, pen_error *error)
{
    int64_t n;
    PEN_CHECK(pen__parse_int64(pen__span_trim(numbers), &n) && n >= 2 && n <= 1000, PEN_E_ARGUMENT,
              "split '%.100s': the number of folds must be a whole number from 2 to 1000", text);
    spec->n_folds = (int32_t)n;
    spec->one = true;
    return PEN_OK;
}

pen_status pen__split_spec_parse(const char *text, pen__split_spec *spec, pen_error *error)
{
    *spec = (pen__split_spec){0};
    PEN_CHECK(text, PEN_E_ARGUMENT, "there is no split; %s", form);
    pen__span numbers = pen__span_of(text), family = pen__span_trim(cut(&numbers, ':'));
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (pen__span_is(family, families[i])) spec->family = (int32_t)i + PEN_SPLIT_RATIO;
    if (!spec->family) {
        int near = pen__nearest_name(family, families, sizeof families / sizeof *families, sizeof *families);
        if (near >= 0)
            return pen__fail(error, PEN_E_UNKNOWN, "unknown split '%.*s'; did you mean '%s'? %s", shown(family),
                             family.text, families[near], form);
        return pen__fail(error, PEN_E_UNKNOWN, "unknown split '%.*s'; %s", shown(family), family.text, form);
    }
    PEN_CHECK(numbers.text && pen__span_trim(numbers).length, PEN_E_ARGUMENT, "split '%.100s' has no numbers; %s", text,
              form);
    switch (spec->family) {
    case PEN_SPLIT_LAST: return counts(text, numbers, spec, error);
    case PEN_SPLIT_TIME: return cuts(text, numbers, spec, error);
    case PEN_SPLIT_FOLDS: return folds(text, numbers, spec, error);
    default: return shares(text, numbers, spec, error);
    }
}

pen_status pen__fold_in_parse(const char *text, pen__split_spec *spec, pen_error *error)
{
    PEN_TRY(pen__split_spec_parse(text, spec, error));
    bool fits = spec->one && (spec->family == PEN_SPLIT_RATIO || spec->family == PEN_SPLIT_RATIO_TIME ||
                              spec->family == PEN_SPLIT_LAST);
    PEN_CHECK(fits, PEN_E_ARGUMENT,
              "fold-in '%.100s' is none; allowed are ratio:0.8 (what is shown, at random), ratio-time:0.8 (the first "
              "events are shown) and last:1 (all but the last)",
              text);
    spec->one = false;
    spec->n_valid = 0;
    return PEN_OK;
}

/* The floor of n * share, where a share such as 1 - 0.8 is meant exactly. */
static int64_t floored(int64_t n, double share)
{
    double x = (double)n * share;
    return (int64_t)floor(x * (1 + 1e-12) + 1e-9);
}

void pen__split_counts(const pen__split_spec *spec, int64_t n, int64_t *n_valid, int64_t *n_test)
{
    *n_valid = *n_test = 0;
    if (spec->family == PEN_SPLIT_LAST) {
        if (n <= spec->n_test) return;
        *n_test = spec->n_test;
        if (n - *n_test > spec->n_valid) *n_valid = spec->n_valid;
        return;
    }
    *n_test = floored(n, spec->test);
    *n_valid = floored(n, spec->valid);
    if (n > 0 && *n_test + *n_valid >= n)
        *n_test > *n_valid ? --*n_test : --*n_valid; /* a share of training that is next to nothing */
    if (*n_test == 0 && spec->test > 0 && n - *n_valid > 1) *n_test = 1;
    if (spec->one) *n_valid = floored(n - *n_test, 0.1);
    if (*n_valid == 0 && (spec->one || spec->valid > 0) && n - *n_test > 1) *n_valid = 1;
}

/* ---- weights, candidates ---------------------------------------------------------------------------------------- */

pen_status pen__event_weight_next(pen__span *rest, pen__span *name, double *weight, pen_error *error)
{
    pen__span one = cut(rest, ','), value = one;
    *name = pen__span_trim(cut(&value, '='));
    PEN_CHECK(name->length && value.text, PEN_E_ARGUMENT,
              "event weight '%.*s' is none; give TYPE=WEIGHT, as in view=1,cart=3,buy=5", shown(one),
              one.text ? one.text : "");
    value = pen__span_trim(value);
    PEN_CHECK(pen__parse_double(value, weight) && *weight >= 0 && *weight <= 1e30, PEN_E_ARGUMENT,
              "weight '%.*s' of event type '%.*s' is not a number from 0", shown(value), value.text, shown(*name),
              name->text);
    return PEN_OK;
}

pen_status pen__candidates_parse(const char *text, int *kind, int64_t *n, pen_error *error)
{
    *n = 0;
    *kind = text && *text ? PEN_CANDIDATES_FILE : PEN_CANDIDATES_ALL;
    if (!text) return PEN_OK;
    pen__span number = pen__span_of(text), word = cut(&number, ':');
    if (pen__span_is(word, "uniform")) *kind = PEN_CANDIDATES_UNIFORM;
    if (pen__span_is(word, "popularity")) *kind = PEN_CANDIDATES_POPULARITY;
    if (*kind == PEN_CANDIDATES_FILE || *kind == PEN_CANDIDATES_ALL) return PEN_OK;
    PEN_CHECK(number.text && pen__parse_int64(number, n) && *n >= 1 && *n <= INT32_MAX, PEN_E_ARGUMENT,
              "candidates '%.100s': give the number of items after the colon, as in %.*s:100", text, (int)word.length,
              word.text);
    return PEN_OK;
}
