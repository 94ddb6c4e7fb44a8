/* Reading a log: blocks of whole records, parsed by all workers, into columns of final size.
 *
 * A mapped file is one segment of many blocks; what must be unpacked comes in segments of some blocks in memory. In a
 * segment, (1) blocks are counted, which bounds their rows and tells their lines, (2) columns are made once, (3) blocks
 * are parsed into their parts of them, each worker numbering ids on its own. At the end the workers' ids are merged by
 * first sight, so that numbers are the order of the file whoever read what, and the columns are renumbered in place.
 * Memory: 8 bytes an event, 4 for a value, 8 for a time, 2 for a type, 4 for each context column; joining segments
 * takes the largest column once more. */
#include "data/read.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "base/progress.h"
#include "base/thread.h"
#include "data/digest.h"
#include "data/encoding.h"
#include "data/notes.h"
#include "data/rows.h"
#include "data/table.h"

enum { PAD = 64, SLACK = 1 << 16, STREAMED_BLOCK = 2 << 20 };

size_t pen__block_bytes = 4 << 20;

typedef struct segment {
    pen__columns columns;
    int64_t room, n_rows;
    int64_t first_block, n_blocks; /* among the reading's blocks */
} segment;

typedef struct reading {
    pen_context *ctx;
    const pen_read_options *options;
    const pen__reader *reader;
    pen__layout layout;
    pen__block *block;
    segment *segment;
    size_t n_blocks, cap_blocks, n_segments, cap_segments;
    pen__ids *ids; /* workers x roles */
    int n_workers;
    bool streamed;
    const char *name; /* of the stream being read */
    pen__meter meter;
    _Atomic int64_t bytes_done;
    pen_dataset *dataset;
    pen__columns columns; /* of the whole log */
    int32_t ***map;       /* by role: by worker: by local number; NULL where the role has no ids */
} reading;

/* ---- columns ---- */

static void columns_free(pen_context *ctx, pen__columns *c, int n_context)
{
    pen__free(ctx, c->user);
    pen__free(ctx, c->item);
    pen__free(ctx, c->value);
    pen__free(ctx, c->time);
    pen__free(ctx, c->event);
    for (int i = 0; i < n_context && c->context; i++) pen__free(ctx, c->context[i]);
    pen__free(ctx, c->context);
    *c = (pen__columns){0};
}

static int n_context(const reading *r) { return r->layout.n_roles - PEN_ROLE_CONTEXT; }

/* Large arrays in large pages, where the system gives them: filling new memory is mostly page faults otherwise. */
static void prefer_large_pages(void *array, size_t bytes)
{
#ifdef MADV_HUGEPAGE
    enum { LARGE = 2 << 20 };
    uintptr_t begin = ((uintptr_t)array + LARGE - 1) / LARGE * LARGE, end = ((uintptr_t)array + bytes) / LARGE * LARGE;
    if (end > begin) (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
#else
    (void)array, (void)bytes;
#endif
}

static pen_status columns_make(const reading *r, pen__columns *c, int64_t room, pen_error *error)
{
    const pen__layout *layout = &r->layout;
    PEN_TRY(PEN_NEW(r->ctx, c->user, room));
    PEN_TRY(PEN_NEW(r->ctx, c->item, room));
    if (layout->column[PEN_ROLE_VALUE] >= 0) PEN_TRY(PEN_NEW(r->ctx, c->value, room));
    if (layout->column[PEN_ROLE_TIME] >= 0) PEN_TRY(PEN_NEW(r->ctx, c->time, room));
    if (layout->column[PEN_ROLE_EVENT] >= 0) PEN_TRY(PEN_NEW(r->ctx, c->event, room));
    if (!n_context(r)) return PEN_OK;
    PEN_TRY(PEN_NEW_ZERO(r->ctx, c->context, n_context(r)));
    for (int i = 0; i < n_context(r); i++) PEN_TRY(PEN_NEW(r->ctx, c->context[i], room));
    return PEN_OK;
}

/* The columns as places, so that one loop moves them all. */
enum { MAX_PLACES = 5 + PEN_MAX_CONTEXT };

typedef struct place {
    void **array;
    size_t size;
} place;

static int places(pen__columns *c, int contexts, place *out)
{
    int n = 0;
    out[n++] = (place){(void **)(void *)&c->user, sizeof *c->user};
    out[n++] = (place){(void **)(void *)&c->item, sizeof *c->item};
    out[n++] = (place){(void **)(void *)&c->value, sizeof *c->value};
    out[n++] = (place){(void **)(void *)&c->time, sizeof *c->time};
    out[n++] = (place){(void **)(void *)&c->event, sizeof *c->event};
    for (int i = 0; i < contexts && c->context; i++)
        out[n++] = (place){(void **)(void *)&c->context[i], sizeof **c->context};
    return n;
}

/* Closes the gaps that blank and bad lines left between blocks, and gives back what was not needed. */
static void segment_close(reading *r, segment *s)
{
    place at[MAX_PLACES];
    int n = places(&s->columns, n_context(r), at);
    int64_t rows = 0;
    for (int64_t b = s->first_block; b < s->first_block + s->n_blocks; b++) {
        pen__block *block = &r->block[b];
        for (int i = 0; i < n && block->at != rows && block->n_rows; i++) {
            char *array = *at[i].array;
            if (array)
                memmove(array + (size_t)rows * at[i].size, array + (size_t)block->at * at[i].size,
                        (size_t)block->n_rows * at[i].size);
        }
        block->at = rows;
        rows += block->n_rows;
    }
    s->n_rows = rows;
    for (int i = 0; i < n && s->room - rows > 64; i++) {
        void *less = *at[i].array ? pen__realloc(r->ctx, *at[i].array, (size_t)rows * at[i].size) : NULL;
        if (less) *at[i].array = less;
    }
    s->room = rows;
}

/* ---- parsing a segment ---- */

typedef struct filler filler;

typedef struct work {
    reading *r;
    segment *s;
    filler *filler; /* NULL: nothing more is to be unpacked */
} work;

static void fill_ahead(filler *f);

static pen_status count_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker, (void)error;
    work *w = arg;
    w->r->reader->count(&w->r->layout, &w->r->block[w->s->first_block + shard]);
    return PEN_OK;
}

/* The block's text as UTF-8, where it is not. */
static pen_status decode(reading *r, pen__block *block, char **decoded, pen_error *error)
{
    *decoded = NULL;
    if (r->layout.encoding == PEN_ENCODING_UTF8) return PEN_OK;
    size_t n = (size_t)(block->end - block->text), room;
    PEN_CHECK(pen__mul(n, 3, &room) && pen__add(room, PAD, &room), PEN_E_LIMIT, "a block of %zu bytes is too long", n);
    PEN_TRY(PEN_NEW(r->ctx, *decoded, room));
    n = pen__encode_utf8(block->text, n, r->layout.encoding == PEN_ENCODING_CP1252, *decoded);
    memset(*decoded + n, '\n', PAD);
    block->text = *decoded;
    block->end = *decoded + n;
    block->readable_end = block->end + PAD;
    return PEN_OK;
}

static void columns_at(const pen__columns *from, int64_t at, pen__columns *to, int32_t **context, int contexts)
{
    to->user = from->user + at;
    to->item = from->item + at;
    to->value = from->value ? from->value + at : NULL;
    to->time = from->time ? from->time + at : NULL;
    to->event = from->event ? from->event + at : NULL;
    for (int i = 0; i < contexts; i++) context[i] = from->context[i] + at;
    to->context = contexts ? context : NULL;
}

static void count_odd(pen__block *block, const pen__columns *c)
{
    int64_t negative = 0, missing = 0;
    for (int64_t i = 0; i < block->n_rows && c->value; i++) negative += c->value[i] < 0;
    for (int64_t i = 0; i < block->n_rows && c->time; i++) missing += c->time[i] == PEN_TIME_MISSING;
    block->negative_values = negative;
    block->missing_times = missing;
}

static pen_status parse_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    work *w = arg;
    reading *r = w->r;
    pen__block *block = &r->block[w->s->first_block + shard];
    int32_t *context[PEN_MAX_CONTEXT];
    pen_error own = {0};
    pen__rows rows = {.ctx = r->ctx,
                      .layout = &r->layout,
                      .name = r->name,
                      .block = block,
                      .ids = r->ids + (size_t)worker * (size_t)r->layout.n_roles,
                      .error = error ? error : &own};
    char *decoded;
    int64_t bytes = block->end - block->text;
    block->worker = worker;
    columns_at(&w->s->columns, block->at, &rows.to, context, n_context(r));
    rows.one_by_one = rows.to.event || rows.to.context;
    PEN_TRY(decode(r, block, &decoded, error));
    pen_status status = r->reader->parse(&rows);
    block->n_rows = rows.n;
    count_odd(block, &rows.to);
    block->text = block->end = block->readable_end = NULL;
    pen__free(r->ctx, decoded);
    int64_t done = atomic_fetch_add(&r->bytes_done, bytes) + bytes;
    if (worker == 0 && status == PEN_OK) status = pen__meter_tick(&r->meter, done, error);
    return status;
}

/* One worker unpacks what comes next while the others parse; its failure is told when its turn comes. */
static pen_status parse_or_fill(void *arg, int64_t shard, int worker, pen_error *error)
{
    work *w = arg;
    if (!w->filler) return parse_shard(arg, shard, worker, error);
    if (shard) return parse_shard(arg, shard - 1, worker, error);
    fill_ahead(w->filler);
    return PEN_OK;
}

/* Counts and parses the blocks from `first_block` to the last as one segment. */
static pen_status run_segment(reading *r, int64_t first_block, filler *f, int64_t *line, pen_error *error)
{
    PEN_TRY(PEN_GROW(r->ctx, r->segment, &r->cap_segments, r->n_segments + 1));
    segment *s = &r->segment[r->n_segments++];
    *s = (segment){.first_block = first_block, .n_blocks = (int64_t)r->n_blocks - first_block};
    work w = {r, s, f};
    PEN_TRY(pen__parallel(r->ctx, s->n_blocks, count_shard, &w, error));
    for (int64_t b = first_block; b < (int64_t)r->n_blocks; b++) {
        pen__block *block = &r->block[b];
        block->first_line = *line;
        block->at = s->room;
        *line += block->n_lines;
        s->room += block->room;
        PEN_CHECK(block->room < (int64_t)1 << 32, PEN_E_LIMIT, "%s: a block of over 2^32 rows", r->name);
    }
    PEN_TRY(columns_make(r, &s->columns, s->room, error));
    place at[MAX_PLACES];
    for (int i = 0, n = places(&s->columns, n_context(r), at); i < n; i++)
        if (*at[i].array) prefer_large_pages(*at[i].array, (size_t)s->room * at[i].size);
    PEN_TRY(pen__parallel(r->ctx, s->n_blocks + (f != NULL), parse_or_fill, &w, error));
    segment_close(r, s);
    return PEN_OK;
}

static pen_status add_block(reading *r, const char *text, const char *end, const char *readable_end, pen_error *error)
{
    PEN_TRY(PEN_GROW(r->ctx, r->block, &r->cap_blocks, r->n_blocks + 1));
    r->block[r->n_blocks] =
        (pen__block){.text = text, .end = end, .readable_end = readable_end, .index = (int64_t)r->n_blocks};
    r->n_blocks++;
    return PEN_OK;
}

/* What must be held in buffers comes in smaller blocks. */
static size_t block_bytes(const reading *r)
{
    return r->streamed && pen__block_bytes > STREAMED_BLOCK ? STREAMED_BLOCK : pen__block_bytes;
}

/* Where a block that begins at `at` ends: at a record's end past its size. */
static const char *cut(const reading *r, const char *at, const char *end)
{
    size_t left = (size_t)(end - at), size = block_bytes(r);
    if (left <= size) return end;
    if (r->layout.input == PEN_INPUT_DELIMITED || r->layout.input == PEN_INPUT_ATOMIC)
        return pen__record_end(at, at + size, end, r->layout.delimiter, r->layout.delimiter_length);
    const char *feed = memchr(at + size, '\n', left - size);
    return feed ? feed + 1 : end;
}

/* Which pieces of a mapped text hold a quote: where there is none, a line's end is a record's. Looked for by all
 * workers, who bring the pages in as they do. */
typedef struct quotes {
    const char *begin, *end;
    size_t size; /* of a piece */
    bool *in_piece;
} quotes;

static pen_status find_quote(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker, (void)error;
    quotes *q = arg;
    const char *begin = q->begin + (size_t)shard * q->size;
    size_t left = (size_t)(q->end - begin);
    q->in_piece[shard] = memchr(begin, '"', left < q->size ? left : q->size) != NULL;
    return PEN_OK;
}

/* As cut(), at the price of one line where no quote is near. */
static const char *cut_mapped(const reading *r, const quotes *q, const char *at)
{
    size_t left = (size_t)(q->end - at);
    if (left <= q->size) return q->end;
    const char *feed = memchr(at + q->size, '\n', left - q->size), *stop = feed ? feed + 1 : q->end;
    size_t last = (size_t)(stop - 1 - q->begin) / q->size;
    for (size_t piece = (size_t)(at - q->begin) / q->size; piece <= last; piece++)
        if (q->in_piece[piece]) return cut(r, at, q->end);
    return stop;
}

static pen_status read_mapped(reading *r, const char *at, const char *end, int64_t line, pen_error *error)
{
    int64_t first_block = (int64_t)r->n_blocks;
    quotes q = {at, end, pen__block_bytes, NULL};
    int64_t n_pieces = (int64_t)((size_t)(end - at) / q.size) + 1;
    pen_status status = PEN_NEW_ZERO(r->ctx, q.in_piece, n_pieces);
    if (status == PEN_OK) status = pen__parallel(r->ctx, n_pieces, find_quote, &q, error);
    for (const char *next; at < end && status == PEN_OK; at = next) {
        next = cut_mapped(r, &q, at);
        status = add_block(r, at, next, end, error);
    }
    pen__free(r->ctx, q.in_piece);
    return status == PEN_OK ? run_segment(r, first_block, NULL, &line, error) : status;
}

/* ---- input that is not mapped ---- */

enum { MAX_BUFFERS = 16 };

/* Buffers of a streamed segment: each holds one block; what follows its last whole record opens the next, at the end
 * the buffer behind the last one. */
typedef struct buffers {
    char *bytes[MAX_BUFFERS + 1];
    size_t cap[MAX_BUFFERS + 1];
    size_t length[MAX_BUFFERS]; /* of the block */
    int used;
} buffers;

static pen_status buffer_room(pen_context *ctx, buffers *b, int i, size_t need, pen_error *error)
{
    if (b->bytes[i] && b->cap[i] >= need + PAD) return PEN_OK;
    return PEN_GROW(ctx, b->bytes[i], &b->cap[i], need + PAD);
}

/* Fills buffer i, which holds `held` bytes, until it has a block of whole records or the input ends; *cut_at is the
 * block's length, *held all that the buffer then holds. */
static pen_status fill(reading *r, pen__stream *in, buffers *b, int i, size_t *held, size_t *cut_at, bool *ended,
                       pen_error *error)
{
    size_t target = block_bytes(r);
    for (;;) {
        size_t want = target + PEN_QUOTED_MAX + SLACK, got = 0; /* a quote is judged by what stands within its reach */
        if (*held < want && !*ended) {
            PEN_TRY(buffer_room(r->ctx, b, i, want, error));
            PEN_TRY(pen__stream_read(in, b->bytes[i] + *held, want - *held, &got, error));
            *ended = got < want - *held;
            *held += got;
        }
        const char *text = b->bytes[i], *end = text + *held;
        if (*ended && *held <= target) return *cut_at = *held, PEN_OK;
        const char *stop = cut(r, text, end);
        if (*ended || (size_t)(stop - text) + PEN_QUOTED_MAX <= *held) return *cut_at = (size_t)(stop - text), PEN_OK;
        target = 2 * *held; /* a record longer than that: go on until it ends */
        PEN_CHECK(target < (size_t)1 << 31, PEN_E_LIMIT, "%s: a line of over 2 GiB; is it text?", r->name);
    }
}

/* Two sets of buffers: one is parsed while the other is filled. */
struct filler {
    reading *r;
    pen__stream *in;
    buffers set[2];
    int n, next;      /* buffers of a set; the set to fill */
    const char *rest; /* `held` bytes that open it */
    size_t held;
    bool ended;
    pen_status status;
    pen_error error;
};

static pen_status fill_set(filler *f, buffers *b, pen_error *error)
{
    pen_context *ctx = f->r->ctx;
    b->used = 0;
    PEN_TRY(buffer_room(ctx, b, 0, f->held, error));
    if (f->held) memcpy(b->bytes[0], f->rest, f->held);
    f->rest = b->bytes[0];
    for (int i = 0; i < f->n && (f->held || !f->ended); i++) {
        size_t length = 0;
        PEN_TRY(fill(f->r, f->in, b, i, &f->held, &length, &f->ended, error));
        size_t rest = f->held - length;
        PEN_TRY(buffer_room(ctx, b, i + 1, rest, error));
        memcpy(b->bytes[i + 1], b->bytes[i] + length, rest);
        memset(b->bytes[i] + length, '\n', PAD);
        b->length[i] = length;
        b->used = i + 1;
        f->rest = b->bytes[i + 1];
        f->held = rest;
    }
    return PEN_OK;
}

static void fill_ahead(filler *f) { f->status = fill_set(f, &f->set[f->next], &f->error); }

static pen_status read_streamed(reading *r, pen__stream *in, const char *sample, size_t n_sample, size_t skip,
                                int64_t line, pen_error *error)
{
    filler *f;
    PEN_TRY(PEN_NEW_ZERO(r->ctx, f, 1));
    f->r = r;
    f->in = in;
    f->n = r->n_workers < MAX_BUFFERS / 2 ? 2 * r->n_workers : MAX_BUFFERS;
    f->rest = sample + skip;
    f->held = n_sample - skip;
    f->ended = n_sample < PEN_SAMPLE_BYTES;
    pen_status status = PEN_OK;
    fill_ahead(f);
    for (bool more = true; more;) {
        buffers *b = &f->set[f->next];
        int64_t first_block = (int64_t)r->n_blocks;
        status = f->status;
        if (status != PEN_OK && error) *error = f->error;
        for (int i = 0; i < b->used && status == PEN_OK; i++)
            if (b->length[i])
                status = add_block(r, b->bytes[i], b->bytes[i] + b->length[i], b->bytes[i] + b->length[i] + PAD, error);
        if (status != PEN_OK) break;
        more = f->held || !f->ended;
        f->next = 1 - f->next;
        status = run_segment(r, first_block, more ? f : NULL, &line, error);
        if (status != PEN_OK) break;
    }
    for (int k = 0; k < 2; k++)
        for (int i = 0; i <= MAX_BUFFERS; i++) pen__free(r->ctx, f->set[k].bytes[i]);
    pen__free(r->ctx, f);
    return status;
}

/* ---- one stream ---- */

static size_t mark_length(const char *text, size_t n) { return n >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3) ? 3 : 0; }

static const pen__reader *reader_of(int input)
{
    return input == PEN_INPUT_JSONL   ? &pen__reader_jsonl
           : input == PEN_INPUT_LISTS ? &pen__reader_lists
                                      : &pen__reader_delimited;
}

static pen_status ids_make(reading *r, pen_error *error)
{
    r->n_workers = pen__workers(r->ctx);
    size_t n = (size_t)r->n_workers * (size_t)r->layout.n_roles;
    PEN_TRY(PEN_NEW_ZERO(r->ctx, r->ids, n));
    for (size_t i = 0; i < n; i++) PEN_TRY(pen__ids_init(r->ctx, &r->ids[i], error));
    return PEN_OK;
}

/* Skips blank lines, comments and the header; *skip is where the rows begin, *line their first line. */
static pen_status skip_header(reading *r, const char *text, size_t n, size_t *skip, int64_t *line, pen_error *error)
{
    const pen__layout *layout = &r->layout;
    const char *begin = text + *skip, *at = begin, *end = text + n, *next;
    *line = 1;
    if (!layout->header) return PEN_OK;
    while (at < end && pen__line_is_empty(layout, at, end, &next)) at = next;
    size_t length = layout->header_length;
    bool same = (size_t)(end - at) >= length && !memcmp(at, layout->header_line, length);
    if (!same && length && (size_t)(end - at) == length - 1)
        same = !memcmp(at, layout->header_line, length - 1), length--;
    PEN_CHECK(same, PEN_E_INPUT,
              "%s:1:1: its header is not that of the first file; read files of different forms one by one", r->name);
    at += length;
    *line += pen__count_byte(begin, at, '\n');
    *skip = (size_t)(at - text);
    return PEN_OK;
}

static pen_status read_stream(reading *r, pen__stream *in, pen_error *error)
{
    pen__span whole = pen__stream_whole(in);
    char *sample = NULL;
    size_t n = whole.length;
    pen_status status = PEN_OK;
    const char *text = whole.text;
    r->name = pen__stream_name(in);
    r->streamed = !whole.text;
    if (!text) {
        PEN_TRY(PEN_NEW(r->ctx, sample, PEN_SAMPLE_BYTES));
        PEN_TRY_DONE(pen__stream_read(in, sample, PEN_SAMPLE_BYTES, &n, error));
        text = sample;
    }
    size_t skip = mark_length(text, n), look = n < PEN_SAMPLE_BYTES ? n : PEN_SAMPLE_BYTES;
    int64_t line;
    if (!r->reader) {
        bool all = whole.text ? look == n : n < PEN_SAMPLE_BYTES;
        PEN_TRY_DONE(pen__layout_guess(r->ctx, r->name, (pen__span){text + skip, look - skip}, all, r->options,
                                       &r->layout, error));
        r->reader = reader_of(r->layout.input);
        PEN_TRY_DONE(ids_make(r, error));
    }
    PEN_TRY_DONE(skip_header(r, text, n, &skip, &line, error));
    if (whole.text)
        status = read_mapped(r, text + skip, text + n, line, error);
    else
        status = read_streamed(r, in, sample, n, skip, line, error);
done:
    pen__free(r->ctx, sample);
    return status;
}

/* ---- the end: one set of columns, one numbering ---- */

static pen_status join_segments(reading *r, int64_t n, pen_error *error)
{
    if (r->n_segments == 1) {
        r->columns = r->segment[0].columns;
        r->segment[0].columns = (pen__columns){0};
        return PEN_OK;
    }
    place to[MAX_PLACES], from[MAX_PLACES];
    if (n_context(r)) PEN_TRY(PEN_NEW_ZERO(r->ctx, r->columns.context, n_context(r)));
    int n_places = places(&r->columns, n_context(r), to);
    static const int largest_first[] = {3, 0, 1, 2, 4}; /* the time, while the least is held twice */
    for (int k = 0; k < n_places; k++) {
        int i = k < 5 ? largest_first[k] : k;
        int64_t at = 0;
        for (size_t s = 0; s < r->n_segments; s++) {
            places(&r->segment[s].columns, n_context(r), from);
            if (!*from[i].array) continue;
            if (!*to[i].array) PEN_TRY(pen__new(r->ctx, to[i].array, (size_t)n, to[i].size, false, error));
            memcpy((char *)*to[i].array + (size_t)at * to[i].size, *from[i].array,
                   (size_t)r->segment[s].n_rows * to[i].size);
            pen__free(r->ctx, *from[i].array);
            *from[i].array = NULL;
            at += r->segment[s].n_rows;
        }
    }
    return PEN_OK;
}

/* Blocks' places become places in the whole. */
static int64_t place_blocks(reading *r)
{
    int64_t at = 0;
    for (size_t s = 0; s < r->n_segments; s++)
        for (int64_t b = 0; b < r->segment[s].n_blocks; b++) {
            r->block[r->segment[s].first_block + b].at = at;
            at += r->block[r->segment[s].first_block + b].n_rows;
        }
    return at;
}

typedef struct merging {
    reading *r;
    pen__strings *out[PEN_MAX_ROLES];
    int role[PEN_MAX_ROLES];
    int n;
} merging;

static pen_status merge_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker;
    merging *m = arg;
    reading *r = m->r;
    int role = m->role[shard];
    pen__ids **table = NULL;
    PEN_TRY(PEN_NEW(r->ctx, table, r->n_workers));
    for (int w = 0; w < r->n_workers; w++) table[w] = &r->ids[(size_t)w * (size_t)r->layout.n_roles + (size_t)role];
    pen_status status = pen__ids_merge(table, r->n_workers, m->out[shard], r->map[role], error);
    for (int w = 0; w < r->n_workers && status == PEN_OK; w++) pen__ids_fini(table[w]);
    pen__free(r->ctx, table);
    return status;
}

static pen_status merge_ids(reading *r, pen_error *error)
{
    pen_dataset *d = r->dataset;
    merging m = {.r = r};
    int n_roles = r->layout.n_roles;
    PEN_TRY(PEN_NEW_ZERO(r->ctx, r->map, n_roles));
    if (n_context(r)) {
        PEN_TRY(PEN_NEW_ZERO(r->ctx, d->context, n_context(r)));
        d->n_context = n_context(r);
    }
    for (int role = 0; role < n_roles; role++) {
        if (role == PEN_ROLE_VALUE || role == PEN_ROLE_TIME || (role == PEN_ROLE_EVENT && !r->columns.event)) continue;
        PEN_TRY(PEN_NEW_ZERO(r->ctx, r->map[role], r->n_workers));
        m.role[m.n] = role;
        m.out[m.n] = role == PEN_ROLE_USER    ? &d->users
                     : role == PEN_ROLE_ITEM  ? &d->items
                     : role == PEN_ROLE_EVENT ? &d->event_types
                                              : &d->context[role - PEN_ROLE_CONTEXT].words;
        m.out[m.n++]->ctx = r->ctx;
    }
    PEN_TRY(pen__parallel(r->ctx, m.n, merge_shard, &m, error));
    if (r->columns.event)
        PEN_CHECK(d->event_types.n <= INT16_MAX, PEN_E_LIMIT,
                  "the event column has %lld different types; allowed are %d (--event-column)",
                  (long long)d->event_types.n, INT16_MAX);
    return PEN_OK;
}

static pen_status renumber_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker, (void)error;
    reading *r = arg;
    const pen__block *block = &r->block[shard];
    const int32_t *user = r->map[PEN_ROLE_USER][block->worker], *item = r->map[PEN_ROLE_ITEM][block->worker];
    int32_t *u = r->columns.user + block->at, *v = r->columns.item + block->at;
    for (int64_t i = 0; i < block->n_rows; i++) u[i] = user[u[i]];
    for (int64_t i = 0; i < block->n_rows; i++) v[i] = item[v[i]];
    if (r->columns.event) {
        const int32_t *type = r->map[PEN_ROLE_EVENT][block->worker];
        int16_t *e = r->columns.event + block->at;
        for (int64_t i = 0; i < block->n_rows; i++)
            if (e[i] >= 0) e[i] = (int16_t)type[e[i]];
    }
    for (int k = 0; k < n_context(r); k++) {
        const int32_t *word = r->map[PEN_ROLE_CONTEXT + k][block->worker];
        int32_t *c = r->columns.context[k] + block->at;
        for (int64_t i = 0; i < block->n_rows; i++)
            if (c[i] >= 0) c[i] = word[c[i]];
    }
    return PEN_OK;
}

/* Hands the columns to the data set. */
static pen_status give(reading *r, int64_t n, pen_error *error)
{
    pen_dataset *d = r->dataset;
    d->n_events = n;
    d->user = r->columns.user;
    d->item = r->columns.item;
    d->value = r->columns.value;
    d->time = r->columns.time;
    d->event = r->columns.event;
    for (int k = 0; k < n_context(r); k++) {
        d->context[k].rows = n;
        d->context[k].type = PEN_COLUMN_CATEGORY;
        d->context[k].code = r->columns.context[k];
    }
    pen__free(r->ctx, r->columns.context);
    r->columns = (pen__columns){0};
    for (int k = 0; k < n_context(r); k++) {
        const char *name = r->layout.name[PEN_ROLE_CONTEXT + k] ? r->layout.name[PEN_ROLE_CONTEXT + k]
                                                                : r->options->context_columns[k];
        d->context[k].name = pen__strndup(r->ctx, name, strlen(name));
        PEN_CHECK(d->context[k].name, PEN_E_MEMORY, "out of memory for a column's name");
        PEN_TRY(pen__context_settle(r->ctx, &d->context[k], r->layout.kind[PEN_ROLE_CONTEXT + k], error));
    }
    return PEN_OK;
}

static pen_status read_beside(reading *r, const pen__beside *beside, pen__text *notes, pen_error *error)
{
    pen__text_puts(notes, "{");
    if (beside && beside->items) {
        pen__text_puts(notes, "\"items\": ");
        PEN_TRY(pen__table_read(r->dataset, true, beside->items, pen__stream_name(beside->items), r->options, notes,
                                error));
    }
    if (beside && beside->users) {
        pen__text_puts(notes, notes->length > 1 ? ", \"users\": " : "\"users\": ");
        PEN_TRY(pen__table_read(r->dataset, false, beside->users, pen__stream_name(beside->users), r->options, notes,
                                error));
    }
    if (beside && beside->triples) {
        pen__text_puts(notes, notes->length > 1 ? ", \"knowledge\": " : "\"knowledge\": ");
        PEN_TRY(pen__knowledge_read(r->dataset, beside->triples, beside->links, r->options, notes, error));
    }
    pen__text_puts(notes, "}");
    return PEN_OK;
}

static pen_status finish(reading *r, pen__stream *const *streams, size_t n_streams, const pen__beside *beside,
                         pen_error *error)
{
    int64_t n = place_blocks(r);
    pen__read_counts counts = {0};
    for (size_t b = 0; b < r->n_blocks; b++) pen__count_block(&counts, &r->block[b]);
    if (!n)
        return pen__fail(error, PEN_E_INPUT, "no events in '%s'%s%s", pen__stream_name(streams[0]),
                         counts.skipped     ? ": every row was bad, the first: "
                         : r->layout.header ? ": it has a header and no rows"
                                            : "",
                         counts.n_bad ? counts.bad[0] : "");
    PEN_TRY(join_segments(r, n, error));
    PEN_TRY(merge_ids(r, error));
    PEN_TRY(pen__parallel(r->ctx, (int64_t)r->n_blocks, renumber_shard, r, error));
    PEN_TRY(give(r, n, error));
    pen__text tables = {.ctx = r->ctx};
    pen_status status = read_beside(r, beside, &tables, error);
    if (status == PEN_OK && tables.failed)
        status = pen__fail(error, PEN_E_MEMORY, "out of memory for the notes of a reading");
    if (status == PEN_OK)
        status = pen__notes_write(r->dataset, &r->layout, streams, n_streams, &counts, tables.bytes, error);
    pen__text_free(&tables);
    return status;
}

static void reading_free(reading *r)
{
    int contexts = r->layout.ctx ? n_context(r) : 0;
    for (size_t b = 0; b < r->n_blocks; b++)
        for (int i = 0; i < r->block[b].n_bad; i++) pen__free(r->ctx, r->block[b].bad[i]);
    for (size_t s = 0; s < r->n_segments; s++) columns_free(r->ctx, &r->segment[s].columns, contexts);
    columns_free(r->ctx, &r->columns, contexts);
    for (int i = 0; r->ids && i < r->n_workers * r->layout.n_roles; i++) pen__ids_fini(&r->ids[i]);
    for (int role = 0; r->map && role < r->layout.n_roles; role++) {
        for (int w = 0; r->map[role] && w < r->n_workers; w++) pen__free(r->ctx, r->map[role][w]);
        pen__free(r->ctx, r->map[role]);
    }
    pen__free(r->ctx, r->map);
    pen__free(r->ctx, r->ids);
    pen__free(r->ctx, r->block);
    pen__free(r->ctx, r->segment);
    pen__layout_free(&r->layout);
    pen_dataset_destroy(r->dataset);
}

#include <stdio.h>
pen_status pen__read_log(pen_context *ctx, pen__stream *const *streams, size_t n, const pen__beside *beside,
                         const pen_read_options *options, pen_dataset **out, pen_error *error)
{
    reading r = {.ctx = ctx, .options = options};
    pen_status status = PEN_OK;
    int64_t bytes = 0;
    *out = NULL;
    for (size_t i = 0; i < n; i++) bytes += pen__stream_size(streams[i]);
    r.meter = pen__meter_begin(ctx, "read", "bytes", bytes);
    PEN_TRY(pen__dataset_new(ctx, &r.dataset, error));
    for (size_t i = 0; i < n; i++) PEN_TRY_DONE(read_stream(&r, streams[i], error));
    PEN_TRY_DONE(finish(&r, streams, n, beside, error));
    PEN_TRY_DONE(pen__dataset_digest(r.dataset, error));
    *out = r.dataset;
    r.dataset = NULL;
    pen__meter_end(&r.meter, atomic_load(&r.bytes_done));
done:
    reading_free(&r);
    return status;
}
