/* Training matrices and test cases on hand-made logs, and as properties on random ones. */
#include "log_fixture.h"

typedef struct made {
    pen_context *ctx;
    pen_dataset *data;
    pen__log log;
    pen__parts parts;
    pen__train train;
    pen__cases cases;
    pen_error error;
} made;

/* parts: a letter an event: t v T - h H. */
static void make(made *m, const row *rows, int64_t n, const char *parts, const pen_protocol *p, int n_threads)
{
    *m = (made){.ctx = context_of(n_threads)};
    m->data = dataset_of(m->ctx, rows, n, 0);
    assert_int_equal(pen__log_build(m->data, p, &m->log, &m->error), PEN_OK);
    m->parts = (pen__parts){.ctx = m->ctx, .n = m->log.n, .n_folds = 1};
    m->parts.part = pen__alloc(m->ctx, (size_t)m->log.n);
    for (int64_t i = 0; i < m->log.n; i++)
        m->parts.part[i] = (uint8_t)(strchr("tvT-hH", parts[m->log.event[i]]) - "tvT-hH");
}

static void drop(made *m)
{
    pen__cases_free(&m->cases);
    pen__train_free(&m->train);
    pen__parts_free(&m->parts);
    pen__log_free(&m->log);
    pen_dataset_destroy(m->data);
    assert_int_equal(pen_context_memory(m->ctx), 0);
    pen_context_destroy(m->ctx);
}

/* Rows as text: "column:value column:value | ...". */
static const char *shown(const pen__rows *rows)
{
    static char text[1024];
    int at = 0;
    text[0] = 0;
    for (int64_t r = 0; r < rows->n_rows; r++) {
        if (r) at += snprintf(text + at, sizeof text - (size_t)at, " |");
        for (int64_t i = rows->begin[r]; i < rows->begin[r + 1]; i++)
            at += snprintf(text + at, sizeof text - (size_t)at, rows->value ? " %d:%g" : " %d", rows->column[i],
                           rows->value ? (double)rows->value[i] : 0);
    }
    return text;
}

static pen_protocol rank_protocol(void)
{
    pen_protocol p;
    pen_protocol_init(&p);
    return p;
}

static pen_protocol rate_protocol(void)
{
    pen_protocol p;
    pen_protocol_init(&p);
    p.task = PEN_TASK_RATE;
    return p;
}

/* Items 1 and user 1 are not in training: numbers are dense. */
static const row log_a[] = {{0, 3, 5, 30}, {0, 0, 2, 10}, {2, 2, 4, 5}, {0, 2, 3, 20},
                            {2, 3, 1, 1},  {1, 0, 4, 8},  {0, 1, 4, 40}};

static void matrices_in_both_orders(void **state)
{
    (void)state;
    pen_protocol p = rate_protocol();
    made m;
    make(&m, log_a, 7, "tttttTT", &p, 1);
    assert_int_equal(pen__train_build(&m.log, &m.parts, 1, PEN_TASK_RATE, &m.train, &m.error), PEN_OK);
    assert_int_equal(m.train.n_users, 2);
    assert_int_equal(m.train.n_items, 3);
    const int32_t user_number[] = {0, -1, 1}, item_number[] = {0, -1, 1, 2}, data_item[] = {0, 2, 3};
    assert_memory_equal(m.train.user_number, user_number, sizeof user_number);
    assert_memory_equal(m.train.item_number, item_number, sizeof item_number);
    assert_memory_equal(m.train.data_item, data_item, sizeof data_item);
    assert_int_equal(m.train.data_user[1], 2);
    assert_string_equal(shown(&m.train.by_user), " 0:2 1:3 2:5 | 1:4 2:1");
    assert_string_equal(shown(&m.train.by_item), " 0:2 | 0:3 1:4 | 0:5 1:1");
    assert_string_equal(shown(&m.train.history), " 0:2 1:3 2:5 | 2:1 1:4"); /* by time */
    assert_int_equal(m.train.history.time[1], 20000);
    assert_int_equal(m.train.by_item.time[1], 20000);
    assert_int_equal(m.train.n_events, 5);
    assert_true(m.train.mean == 3 && m.train.least == 1 && m.train.most == 5);
    drop(&m);
}

static void a_mask_takes_parts(void **state)
{
    (void)state;
    pen_protocol p = rank_protocol();
    made m;
    make(&m, log_a, 7, "tvhtT-T", &p, 1);
    assert_int_equal(pen__train_build(&m.log, &m.parts,
                                      1 << PEN_PART_TRAIN | 1 << PEN_PART_VALID | 1 << PEN_PART_VALID_HISTORY, 0,
                                      &m.train, &m.error),
                     PEN_OK);
    assert_string_equal(shown(&m.train.by_user), " 0:1 1:1 2:1 | 1:1");
    uint64_t hash = m.train.hash;
    pen__train_free(&m.train);
    assert_int_equal(pen__train_build(&m.log, &m.parts, 1, 0, &m.train, &m.error), PEN_OK);
    assert_string_equal(shown(&m.train.by_user), " 0:1 1:1");
    assert_int_not_equal(m.train.hash, hash);
    pen__train_free(&m.train);
    assert_int_equal(pen__train_build(&m.log, NULL, 1, 0, &m.train, &m.error), PEN_OK);
    assert_int_equal(m.train.n_events, 7);
    pen__train_free(&m.train);
    assert_int_equal(pen__train_build(&m.log, &m.parts, 0, 0, &m.train, &m.error), PEN_E_INPUT);
    drop(&m);
}

static void repeated_pairs_stand_once(void **state)
{
    (void)state;
    const row rows[] = {{0, 0, 1, 3}, {0, 1, 2, 2}, {0, 0, 4, 1}, {0, 0, 1, 4}};
    pen_protocol p = rank_protocol();
    p.duplicates = "keep";
    made m;
    make(&m, rows, 4, "tttt", &p, 1);
    assert_int_equal(pen__train_build(&m.log, &m.parts, 1, PEN_TASK_RANK, &m.train, &m.error), PEN_OK);
    assert_string_equal(shown(&m.train.by_user), " 0:3 1:1");
    assert_string_equal(shown(&m.train.history), " 0:1 1:1 0:1 0:1");
    drop(&m);
    p = rate_protocol();
    p.duplicates = "keep";
    make(&m, rows, 4, "tttt", &p, 1);
    assert_int_equal(pen__train_build(&m.log, &m.parts, 1, PEN_TASK_RATE, &m.train, &m.error), PEN_OK);
    assert_string_equal(shown(&m.train.by_user), " 0:2 1:2");
    drop(&m);
}

static void below_positive_is_seen_not_learned(void **state)
{
    (void)state;
    pen_protocol p = rank_protocol();
    p.positive = 3;
    made m;
    /* u0: i3=5 i0=2(below) | i2=3 tested; u2: i2=4, i3=1(below) tested part: not a target. */
    make(&m, log_a, 7, "tttTTTT", &p, 1);
    assert_int_equal(pen__train_build(&m.log, &m.parts, 1, PEN_TASK_RANK, &m.train, &m.error), PEN_OK);
    assert_string_equal(shown(&m.train.by_user), " 2:1 | 1:1");
    assert_string_equal(shown(&m.train.history), " 0:0 2:1 | 1:1"); /* 0: only seen */
    assert_int_equal(pen__cases_build(&m.log, &m.parts, &m.train, &p, PEN_PART_TEST, 1, 1, &m.cases, &m.error), PEN_OK);
    assert_string_equal(shown(&m.cases.target), " 1:1 -1:1 | 0:1"); /* u2's event is below; u1 is unknown */
    assert_string_equal(shown(&m.cases.history), " 0:0 2:1 |");
    assert_string_equal(shown(&m.cases.liked), " 2:1 |"); /* what a model is shown */
    drop(&m);
}

static void seen_and_unknown_targets(void **state)
{
    (void)state;
    const row rows[] = {{0, 0, 1, 1}, {0, 1, 1, 2}, {0, 0, 1, 3}, {0, 2, 1, 4}, {0, 3, 1, 5},
                        {1, 0, 1, 1}, {1, 2, 1, 2}, {1, 0, 1, 3}, {2, 0, 1, 1}, {2, 1, 1, 2}};
    const char *parts = "ttTTT"
                        "tvT"
                        "TT";
    pen_protocol p = rank_protocol();
    p.duplicates = "keep";
    made m;
    make(&m, rows, 10, parts, &p, 1);
    assert_int_equal(pen__train_build(&m.log, &m.parts, 1, PEN_TASK_RANK, &m.train, &m.error), PEN_OK); /* items 0, 1 */
    assert_int_equal(pen__cases_build(&m.log, &m.parts, &m.train, &p, PEN_PART_TEST, 3, 1, &m.cases, &m.error), PEN_OK);
    assert_string_equal(shown(&m.cases.target), " -1:1 -1:1 | 0:1 1:1"); /* u1's only test pair is in training */
    assert_int_equal(m.cases.n, 2);
    assert_int_equal(m.cases.user[1], -1);
    assert_int_equal(m.cases.data_user[1], 2);
    assert_string_equal(m.cases.notes,
                        "{\"users\": 2, \"events\": 4, \"folded_in\": 0, \"without_history\": 1, \"unknown_items\": 2, "
                        "\"already_seen\": 2, \"users_left_out\": 0}");
    pen__cases_free(&m.cases);
    p.keep_seen = 1;
    assert_int_equal(pen__cases_build(&m.log, &m.parts, &m.train, &p, PEN_PART_TEST, 3, 1, &m.cases, &m.error), PEN_OK);
    assert_string_equal(shown(&m.cases.target), " 0:1 -1:1 -1:1 | 0:1 | 0:1 1:1");
    assert_int_equal(m.cases.keep_seen, 1);
    pen__cases_free(&m.cases);
    p.drop_unknown_items = 1;
    assert_int_equal(pen__cases_build(&m.log, &m.parts, &m.train, &p, PEN_PART_TEST, 3, 1, &m.cases, &m.error), PEN_OK);
    assert_string_equal(shown(&m.cases.target), " 0:1 | 0:1 | 0:1 1:1");
    pen__cases_free(&m.cases);
    p.keep_seen = 0; /* u0 has nothing left */
    assert_int_equal(pen__cases_build(&m.log, &m.parts, &m.train, &p, PEN_PART_TEST, 3, 1, &m.cases, &m.error), PEN_OK);
    assert_string_equal(shown(&m.cases.target), " 0:1 1:1");
    pen__cases_free(&m.cases);
    /* The history has validation's events where the mask says so, and only items that training has. */
    p.keep_seen = 1;
    pen__train_free(&m.train);
    assert_int_equal(pen__train_build(&m.log, &m.parts, 3, PEN_TASK_RANK, &m.train, &m.error), PEN_OK);
    assert_int_equal(pen__cases_build(&m.log, &m.parts, &m.train, &p, PEN_PART_TEST, 3, 1, &m.cases, &m.error), PEN_OK);
    assert_string_equal(shown(&m.cases.history), " 0:1 1:1 | 0:1 2:1 |");
    pen__cases_free(&m.cases);
    assert_int_equal(pen__cases_build(&m.log, &m.parts, &m.train, &p, PEN_PART_TEST, 1, 1, &m.cases, &m.error), PEN_OK);
    assert_string_equal(shown(&m.cases.history), " 0:1 1:1 | 0:1 |");
    drop(&m);
}

static void nobody_to_test_is_refused(void **state)
{
    (void)state;
    const row rows[] = {{0, 0, 1, 1}, {0, 0, 1, 2}};
    pen_protocol p = rank_protocol();
    p.duplicates = "keep";
    made m;
    make(&m, rows, 2, "tT", &p, 1);
    assert_int_equal(pen__train_build(&m.log, &m.parts, 1, PEN_TASK_RANK, &m.train, &m.error), PEN_OK);
    assert_int_equal(pen__cases_build(&m.log, &m.parts, &m.train, &p, PEN_PART_TEST, 3, 1, &m.cases, &m.error),
                     PEN_E_INPUT);
    assert_non_null(strstr(m.error.message, "1 of pairs that the user had before (--keep-seen keeps them)"));
    /* Validation may be empty: then training goes on without it. */
    assert_int_equal(pen__cases_build(&m.log, &m.parts, &m.train, &p, PEN_PART_VALID, 1, 1, &m.cases, &m.error),
                     PEN_OK);
    assert_int_equal(m.cases.n, 0);
    pen__cases_free(&m.cases);
    p.candidates = "uniform:3";
    assert_int_equal(pen__cases_build(&m.log, &m.parts, &m.train, &p, PEN_PART_VALID, 1, 1, &m.cases, &m.error),
                     PEN_OK);
    assert_int_equal(m.cases.n, 0);
    drop(&m);
}

static void held_out_users_bring_their_history(void **state)
{
    (void)state;
    const row rows[] = {{0, 0, 1, 1}, {0, 1, 1, 2}, {0, 2, 1, 3}, {1, 1, 1, 9}, {1, 5, 1, 8},
                        {1, 0, 1, 7}, {1, 2, 1, 6}, {2, 0, 1, 1}, {2, 1, 1, 2}};
    pen_protocol p = rank_protocol();
    made m;
    make(&m, rows, 9,
         "ttt"
         "HHHT"
         "hv",
         &p, 1);
    assert_int_equal(pen__train_build(&m.log, &m.parts, 1, PEN_TASK_RANK, &m.train, &m.error), PEN_OK);
    assert_int_equal(pen__cases_build(&m.log, &m.parts, &m.train, &p, PEN_PART_TEST, 3, 1, &m.cases, &m.error), PEN_OK);
    assert_int_equal(m.cases.n, 1);
    assert_int_equal(m.cases.user[0], -1);
    assert_string_equal(shown(&m.cases.history), " 0:1 1:1"); /* by time, without what training lacks */
    assert_string_equal(shown(&m.cases.target), " 2:1");
    assert_non_null(strstr(m.cases.notes, "\"folded_in\": 1"));
    pen__cases_free(&m.cases);
    assert_int_equal(pen__cases_build(&m.log, &m.parts, &m.train, &p, PEN_PART_VALID, 1, 1, &m.cases, &m.error),
                     PEN_OK);
    assert_string_equal(shown(&m.cases.history), " 0:1");
    assert_string_equal(shown(&m.cases.target), " 1:1");
    drop(&m);
}

/* ---- on random logs -----------------------------------------------------------------------------------------------
 */

typedef struct big {
    row *rows;
    pen_context *ctx;
    pen_dataset *data;
    pen__log log;
    pen__parts parts;
    pen__train train;
    pen__cases cases;
} big;

static void begin(big *b, int64_t n, int n_threads, const pen_protocol *p)
{
    *b = (big){.rows = random_rows(n, 3000, 500, 17), .ctx = context_of(n_threads)};
    pen_error error = {0};
    b->data = dataset_of(b->ctx, b->rows, n, 0);
    assert_int_equal(pen__log_build(b->data, p, &b->log, &error), PEN_OK);
    assert_int_equal(pen__split(&b->log, p, 1, 0, &b->parts, &error), PEN_OK);
    assert_int_equal(pen__train_build(&b->log, &b->parts, 3, p->task, &b->train, &error), PEN_OK);
    assert_int_equal(pen__cases_build(&b->log, &b->parts, &b->train, p, PEN_PART_TEST, 3, 1, &b->cases, &error),
                     PEN_OK);
}

static void end(big *b)
{
    pen__cases_free(&b->cases);
    pen__train_free(&b->train);
    pen__parts_free(&b->parts);
    pen__log_free(&b->log);
    pen_dataset_destroy(b->data);
    pen_context_destroy(b->ctx);
    free(b->rows);
}

static void same_rows(const pen__rows *a, const pen__rows *b)
{
    size_t n = (size_t)a->begin[a->n_rows];
    assert_int_equal(a->n_rows, b->n_rows);
    assert_memory_equal(a->begin, b->begin, ((size_t)a->n_rows + 1) * sizeof *a->begin);
    assert_memory_equal(a->column, b->column, n * sizeof *a->column);
    if (a->value) assert_memory_equal(a->value, b->value, n * sizeof *a->value);
    if (a->time) assert_memory_equal(a->time, b->time, n * sizeof *a->time);
}

static void one_thread_is_four(void **state)
{
    (void)state;
    static const char *const candidates[] = {NULL, "uniform:50", "popularity:50"};
    for (int k = 0; k < 3; k++) {
        pen_protocol p = rank_protocol();
        p.duplicates = "keep";
        p.candidates = candidates[k];
        p.test_users = k ? 700 : 0;
        big a, b;
        begin(&a, 300000, 1, &p);
        begin(&b, 300000, 4, &p);
        assert_true(a.train.hash == b.train.hash);
        same_rows(&a.train.by_user, &b.train.by_user);
        same_rows(&a.train.by_item, &b.train.by_item);
        same_rows(&a.train.history, &b.train.history);
        same_rows(&a.cases.target, &b.cases.target);
        same_rows(&a.cases.history, &b.cases.history);
        if (k) same_rows(&a.cases.candidate, &b.cases.candidate);
        if (k) assert_int_equal(a.cases.n, 700);
        end(&a);
        end(&b);
    }
}

static void rows_rise_and_agree(void **state)
{
    (void)state;
    pen_protocol p = rank_protocol();
    p.duplicates = "keep", p.positive = 3, p.weight_by_value = 1;
    big b;
    begin(&b, 60000, 2, &p);
    const pen__rows *u = &b.train.by_user, *t = &b.train.by_item, *h = &b.train.history;
    double sum[2] = {0};
    for (int64_t r = 0; r < u->n_rows; r++)
        for (int64_t i = u->begin[r]; i < u->begin[r + 1]; i++) {
            assert_true(i == u->begin[r] || u->column[i] > u->column[i - 1]);
            sum[0] += (double)u->value[i];
            int64_t c = u->column[i], at = t->begin[c];
            while (at < t->begin[c + 1] && t->column[at] != r) at++;
            assert_true(at < t->begin[c + 1] && t->value[at] == u->value[i] && t->time[at] == u->time[i]);
        }
    assert_int_equal(t->begin[t->n_rows], u->begin[u->n_rows]);
    int64_t in_training = 0;
    for (int64_t i = 0; i < b.log.n; i++)
        if (b.parts.part[i] <= PEN_PART_VALID) {
            in_training++;
            if (b.log.positive[i]) sum[1] += (double)b.log.value[i];
        }
    assert_true(fabs(sum[0] - sum[1]) < 1e-6 * sum[1]); /* whole numbers: exact but for the order */
    assert_int_equal(h->begin[h->n_rows], in_training);
    for (int64_t r = 0; r < h->n_rows; r++)
        for (int64_t i = h->begin[r] + 1; i < h->begin[r + 1]; i++) assert_true(h->time[i] >= h->time[i - 1]);
    end(&b);
}

static void no_target_was_seen(void **state)
{
    (void)state;
    pen_protocol p = rank_protocol();
    p.duplicates = "keep"; /* pairs repeat: many test pairs are in training, and must be gone */
    big b;
    begin(&b, 60000, 2, &p);
    uint8_t *seen = calloc((size_t)b.train.n_items, 1);
    for (int64_t c = 0; c < b.cases.n; c++) {
        for (int64_t i = b.cases.history.begin[c]; i < b.cases.history.begin[c + 1]; i++)
            seen[b.cases.history.column[i]] = 1;
        for (int64_t i = b.cases.target.begin[c]; i < b.cases.target.begin[c + 1]; i++)
            if (b.cases.target.column[i] >= 0) {
                assert_int_equal(seen[b.cases.target.column[i]], 0);
                seen[b.cases.target.column[i]] = 2; /* a target stands once */
            }
        for (int64_t i = b.cases.history.begin[c]; i < b.cases.history.begin[c + 1]; i++)
            seen[b.cases.history.column[i]] = 0;
        for (int64_t i = b.cases.target.begin[c]; i < b.cases.target.begin[c + 1]; i++)
            if (b.cases.target.column[i] >= 0) seen[b.cases.target.column[i]] = 0;
        int64_t known = b.cases.user[c];
        if (known >= 0)
            assert_int_equal(b.cases.history.begin[c + 1] - b.cases.history.begin[c],
                             b.train.history.begin[known + 1] - b.train.history.begin[known]);
    }
    free(seen);
    end(&b);
}

static void test_users_are_drawn_from_all(void **state)
{
    (void)state;
    pen_protocol p = rank_protocol();
    big all, few, other;
    begin(&all, 60000, 1, &p);
    p.test_users = 100;
    begin(&few, 60000, 1, &p);
    p.seed = 2;
    begin(&other, 60000, 1, &p);
    assert_int_equal(few.cases.n, 100);
    assert_true(all.cases.n > 1000);
    int64_t at = 0;
    for (int64_t c = 0; c < 100; c++) {
        assert_true(c == 0 || few.cases.data_user[c] > few.cases.data_user[c - 1]);
        while (all.cases.data_user[at] != few.cases.data_user[c]) at++;
        int64_t n = few.cases.target.begin[c + 1] - few.cases.target.begin[c];
        assert_int_equal(n, all.cases.target.begin[at + 1] - all.cases.target.begin[at]);
        assert_memory_equal(few.cases.target.column + few.cases.target.begin[c],
                            all.cases.target.column + all.cases.target.begin[at], (size_t)n * 4);
    }
    assert_true(memcmp(few.cases.data_user, other.cases.data_user, 400) != 0);
    assert_non_null(strstr(few.cases.notes, "\"users_left_out\": "));
    end(&all);
    end(&few);
    end(&other);
}

/* ---- candidates ----------------------------------------------------------------------------------------------------
 */

static void sampled_candidates_exclude_and_do_not_repeat(void **state)
{
    (void)state;
    static const char *const kinds[] = {"uniform:50", "popularity:50", "uniform:450", "popularity:100000"};
    for (int k = 0; k < 8; k++) {
        pen_protocol p = rank_protocol();
        p.candidates = kinds[k / 2];
        p.exclude_all = k % 2;
        big b;
        begin(&b, 60000, 2, &p);
        int64_t wanted = atol(strchr(p.candidates, ':') + 1);
        uint8_t *mark = calloc((size_t)b.train.n_items, 1);
        for (int64_t c = 0; c < b.cases.n; c++) {
            int64_t targets = 0, excluded = 0;
            memset(mark, 0, (size_t)b.train.n_items);
            for (int64_t i = b.cases.target.begin[c]; i < b.cases.target.begin[c + 1]; i++)
                if (b.cases.target.column[i] >= 0) mark[b.cases.target.column[i]] = 1, targets++;
            for (int64_t i = 0; i < b.log.n;
                 i++) { /* test pairs are excluded by --candidates-exclude all alone, but all of them are targets */
                int32_t item = b.train.item_number[b.log.item[i]];
                if (b.log.user[i] != b.cases.data_user[c] || item < 0 || mark[item]) continue;
                if (b.parts.part[i] <= PEN_PART_VALID || p.exclude_all) mark[item] = 2, excluded++;
            }
            int64_t n = b.cases.candidate.begin[c + 1] - b.cases.candidate.begin[c],
                    left = b.train.n_items - targets - excluded;
            assert_int_equal(n, targets + (left < wanted ? left : wanted));
            for (int64_t i = b.cases.candidate.begin[c]; i < b.cases.candidate.begin[c + 1]; i++) {
                uint8_t *m = &mark[b.cases.candidate.column[i]];
                assert_int_equal(*m, i - b.cases.candidate.begin[c] < targets ? 1 : 0);
                *m = 3;
            }
            if (c > 200) break; /* a scan of the log for each case */
        }
        free(mark);
        end(&b);
    }
}

static void popular_candidates_are_popular(void **state)
{
    (void)state;
    double mean[2] = {0};
    for (int k = 0; k < 2; k++) {
        pen_protocol p = rank_protocol();
        p.candidates = k ? "popularity:20" : "uniform:20";
        big b;
        begin(&b, 60000, 1, &p);
        for (int64_t i = 0; i < b.cases.candidate.begin[b.cases.n]; i++) {
            int32_t item = b.cases.candidate.column[i];
            mean[k] += (double)(b.train.by_item.begin[item + 1] - b.train.by_item.begin[item]) /
                       (double)b.cases.candidate.begin[b.cases.n];
        }
        end(&b);
    }
    assert_true(mean[1] > 1.3 * mean[0]);
}

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void candidates_from_a_file(void **state)
{
    (void)state;
    const row rows[] = {{0, 0, 1, 1}, {0, 1, 1, 2}, {0, 2, 1, 3}, {1, 1, 1, 1}, {1, 3, 1, 2},
                        {2, 0, 1, 1}, {2, 4, 1, 2}, {3, 0, 1, 1}, {3, 1, 1, 1}};
    char path[] = "/tmp/penchant-candidates-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    pen_protocol p = rank_protocol();
    p.candidates = path;
    made m;
    make(&m, rows, 9,
         "ttT"
         "tT"
         "tT"
         "tT",
         &p, 1);
    assert_int_equal(pen__train_build(&m.log, &m.parts, 1, PEN_TASK_RANK, &m.train, &m.error), PEN_OK); /* items 0, 1 */
    /* Two lines of u3; a line whose target is not tested; an unknown user; u2's unknown target is a miss; blank lines,
     * CRLF, no line feed at the end. */
    write_text(path, "u3 i1 i0 i1 i4 i0\nu3 i1\n\nu3 i0 i1\nnobody i0 i1\r\nu2\ti4\ti0  i1 \r\nu1 i3 i0");
    assert_int_equal(pen__cases_build(&m.log, &m.parts, &m.train, &p, PEN_PART_TEST, 1, 1, &m.cases, &m.error), PEN_OK);
    assert_int_equal(m.cases.n, 4);
    assert_string_equal(shown(&m.cases.candidate), " 1 0 | 1 | 0 1 | 0");
    assert_string_equal(shown(&m.cases.target), " 1:1 | 1:1 | -1:1 | -1:1");
    assert_string_equal(shown(&m.cases.history), " 0:1 | 0:1 | 0:1 | 1:1");
    const int32_t users[] = {3, 3, 2, 1};
    assert_memory_equal(m.cases.data_user, users, sizeof users);
    assert_non_null(strstr(m.cases.notes,
                           "\"cases\": 4, \"users_without_line\": 1, \"lines_not_tested\": 2, \"unknown_items\": 1}"));
    assert_non_null(strstr(m.cases.notes, "{\"users\": 4, \"events\": 4, "));
    pen__cases_free(&m.cases);
    write_text(path, "u3 i1 i0\nu3\n");
    assert_int_equal(pen__cases_build(&m.log, &m.parts, &m.train, &p, PEN_PART_TEST, 1, 1, &m.cases, &m.error),
                     PEN_E_INPUT);
    assert_non_null(strstr(m.error.message, ":2: a line of candidates is `user target item item ...`"));
    write_text(path, "nobody i1 i0\n");
    assert_int_equal(pen__cases_build(&m.log, &m.parts, &m.train, &p, PEN_PART_TEST, 1, 1, &m.cases, &m.error),
                     PEN_E_INPUT);
    assert_non_null(strstr(m.error.message, "none of 1 lines"));
    remove(path);
    assert_int_equal(pen__cases_build(&m.log, &m.parts, &m.train, &p, PEN_PART_TEST, 1, 1, &m.cases, &m.error),
                     PEN_E_IO);
    p.candidates = "uniform:0";
    assert_int_equal(pen__cases_build(&m.log, &m.parts, &m.train, &p, PEN_PART_TEST, 1, 1, &m.cases, &m.error),
                     PEN_E_ARGUMENT);
    drop(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(matrices_in_both_orders),
                                       cmocka_unit_test(a_mask_takes_parts),
                                       cmocka_unit_test(repeated_pairs_stand_once),
                                       cmocka_unit_test(below_positive_is_seen_not_learned),
                                       cmocka_unit_test(seen_and_unknown_targets),
                                       cmocka_unit_test(nobody_to_test_is_refused),
                                       cmocka_unit_test(held_out_users_bring_their_history),
                                       cmocka_unit_test(one_thread_is_four),
                                       cmocka_unit_test(rows_rise_and_agree),
                                       cmocka_unit_test(no_target_was_seen),
                                       cmocka_unit_test(test_users_are_drawn_from_all),
                                       cmocka_unit_test(sampled_candidates_exclude_and_do_not_repeat),
                                       cmocka_unit_test(popular_candidates_are_popular),
                                       cmocka_unit_test(candidates_from_a_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
