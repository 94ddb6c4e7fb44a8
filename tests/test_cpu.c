/* PENCHANT_CPU: refused where it names nothing or what the machine lacks, obeyed once otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/gemm.h"
#include "kern/kern.h"
#include "penchant/context.h"

static void level_is_chosen_once(void **state)
{
    (void)state;
    pen_context *ctx;
    pen_error error = {0};
    assert_int_equal(setenv("PENCHANT_CPU", "avx3", 1), 0);
    assert_int_equal(pen_context_create(NULL, &ctx, &error), PEN_E_UNKNOWN);
    assert_null(ctx);
    assert_non_null(strstr(error.message, "avx3"));
    for (int level = 0; level < PEN_CPU_LEVELS; level++) {
        if (pen__cpu_has((pen__cpu)level)) continue;
        setenv("PENCHANT_CPU", pen__cpu_name((pen__cpu)level), 1);
        assert_int_equal(pen_context_create(NULL, &ctx, &error), PEN_E_UNSUPPORTED);
        assert_null(pen__kern_at((pen__cpu)level));
    }
    setenv("PENCHANT_CPU", "scalar", 1);
    assert_int_equal(pen_context_create(NULL, &ctx, &error), PEN_OK);
    pen_context_destroy(ctx);
    assert_string_equal(pen__kern()->name, "scalar");
    bool below = pen__cpu_has(PEN_CPU_AVX2) || pen__cpu_has(PEN_CPU_NEON);
    if (below) assert_string_equal(pen__gemm_name(), "built-in"); /* a level's results are our own */
    setenv("PENCHANT_CPU", "avx3", 1);                            /* not read again */
    assert_int_equal(pen_context_create(NULL, &ctx, &error), PEN_OK);
    pen_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(level_is_chosen_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
