// SPDX-License-Identifier: Apache-2.0
// One buffer for the file's blocks, one for the record at hand; fields are offsets until the record is
// complete.
#include "fs/csv.h"

#include <errno.h>
#include <unistd.h>

#include "base/mem.h"

enum { BLOCK = 64 * 1024, SHOWN_MAX = 160, END_OF_FILE = -1, READ_FAILED = -2 };

enum state { FIELD_START, BARE, QUOTED, QUOTE_IN_QUOTED };

struct csv_reader {
    int fd;
    char delimiter;
    struct str shown;
    off_t at;
    size_t i, n; // in block
    int64_t line, record_line;
    size_t bytes, fields; // of the record
    struct str field[CSV_FIELDS_MAX];
    char block[BLOCK];
    char record[CSV_RECORD_MAX];
};

struct csv_reader *csv_reader_new(int fd, char delimiter, struct str shown)
{
    struct csv_reader *r = mem_new(struct csv_reader);
    r->fd = fd;
    r->delimiter = delimiter;
    r->shown = shown;
    r->line = 1;
    return r;
}

void csv_reader_free(struct csv_reader *r) { mem_free(r); }

int64_t csv_line(const struct csv_reader *r) { return r->record_line; }

static bool block_read(struct csv_reader *r)
{
    static const char mark[] = "\xef\xbb\xbf";
    ssize_t n;
    do
        n = pread(r->fd, r->block, BLOCK, r->at);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return false;
    r->n = (size_t)n;
    r->i = r->at == 0 && str_starts((struct str){r->block, r->n}, STR("\xef\xbb\xbf")) ? sizeof mark - 1 : 0;
    r->at += n;
    return true;
}

static int next(struct csv_reader *r)
{
    if (r->i == r->n) {
        if (!block_read(r))
            return READ_FAILED;
        if (r->n == 0)
            return END_OF_FILE;
    }
    return (unsigned char)r->block[r->i++];
}

static int peek(struct csv_reader *r)
{
    int c = next(r);
    if (c >= 0)
        r->i--;
    return c;
}

static bool wrong(const struct csv_reader *r, const char *what, struct err *err)
{
    return ERR(err, ERR_INVALID, "\"%.*s\" is no good CSV: the record of line %lld %s",
               (int)str_utf8_cut(r->shown, SHOWN_MAX), r->shown.p, (long long)r->record_line, what);
}

// The field that began at `start` of the record's bytes.
static bool field_end(struct csv_reader *r, size_t *start, struct err *err)
{
    if (r->fields == CSV_FIELDS_MAX)
        return wrong(r, "has more than 4096 fields", err);
    r->field[r->fields++] = (struct str){r->record + *start, r->bytes - *start};
    *start = r->bytes;
    return true;
}

static bool keep(struct csv_reader *r, int c, struct err *err)
{
    if (r->bytes == CSV_RECORD_MAX)
        return wrong(r, "has more than 1 MiB; is a quote left open?", err);
    r->record[r->bytes++] = (char)c;
    r->line += c == '\n';
    return true;
}

static bool ends_record(struct csv_reader *r, int c)
{
    if (c == '\r' && peek(r) == '\n')
        c = next(r);
    r->line += c == '\n';
    return c == '\n' || c == END_OF_FILE;
}

// One character outside of quotes. *ret_done: the record is complete.
static bool plain(struct csv_reader *r, int c, enum state *state, size_t *start, bool *ret_done,
                  struct err *err)
{
    if (c == '"' && *state == FIELD_START) {
        *state = QUOTED;
        return true;
    }
    if (ends_record(r, c)) {
        *ret_done = true;
        return field_end(r, start, err);
    }
    if (c == (unsigned char)r->delimiter) {
        *state = FIELD_START;
        return field_end(r, start, err);
    }
    *state = BARE;
    return keep(r, c, err);
}

static bool record_read(struct csv_reader *r, struct err *err)
{
    enum state state = FIELD_START;
    size_t start = 0;
    for (bool done = false; !done;) {
        int c = next(r);
        if (c == READ_FAILED)
            return fs_error(err, "read", r->shown);
        if (state == QUOTED) {
            if (c == END_OF_FILE)
                return wrong(r, "has a quote that is not closed", err);
            if (c == '"')
                state = QUOTE_IN_QUOTED;
            else if (!keep(r, c, err))
                return false;
        } else if (state == QUOTE_IN_QUOTED && c == '"') {
            state = QUOTED;
            if (!keep(r, c, err))
                return false;
        } else if (!plain(r, c, &state, &start, &done, err)) {
            return false;
        }
    }
    return true;
}

bool csv_read(struct csv_reader *r, struct strs *ret, bool *ret_end, struct err *err)
{
    do {
        r->bytes = r->fields = 0;
        r->record_line = r->line;
        int c = peek(r);
        if (c == END_OF_FILE) {
            *ret_end = true;
            return true;
        }
        if (!record_read(r, err))
            return false;
    } while (r->fields == 1 && r->bytes == 0);
    *ret = (struct strs){r->field, r->fields};
    *ret_end = false;
    return true;
}

// ---- writing ----

struct csv_writer {
    struct fresh *to;
    char delimiter;
    bool crlf;
    size_t n;
    char block[BLOCK];
};

struct csv_writer *csv_writer_new(struct fresh *to, char delimiter, bool crlf)
{
    struct csv_writer *w = mem_new(struct csv_writer);
    w->to = to;
    w->delimiter = delimiter;
    w->crlf = crlf;
    return w;
}

void csv_writer_free(struct csv_writer *w) { mem_free(w); }

bool csv_flush(struct csv_writer *w, struct err *err)
{
    size_t n = w->n;
    w->n = 0;
    return n == 0 || fresh_write(w->to, w->block, n, err);
}

static bool put(struct csv_writer *w, char c, struct err *err)
{
    if (w->n == BLOCK && !csv_flush(w, err))
        return false;
    w->block[w->n++] = c;
    return true;
}

static bool needs_quotes(const struct csv_writer *w, struct str s, bool alone)
{
    if (s.n == 0)
        return alone; // a record of one empty field would be no record
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '"' || s.p[i] == '\n' || s.p[i] == '\r' || s.p[i] == w->delimiter)
            return true;
    return s.p[0] == ' ' || s.p[s.n - 1] == ' ';
}

static bool put_field(struct csv_writer *w, struct str s, bool alone, struct err *err)
{
    bool quotes = needs_quotes(w, s, alone);
    bool ok = !quotes || put(w, '"', err);
    for (size_t i = 0; ok && i < s.n; i++)
        ok = (s.p[i] != '"' || !quotes || put(w, '"', err)) && put(w, s.p[i], err);
    return ok && (!quotes || put(w, '"', err));
}

bool csv_write(struct csv_writer *w, const struct strs *record, struct err *err)
{
    for (size_t i = 0; i < record->n; i++)
        if ((i > 0 && !put(w, w->delimiter, err)) || !put_field(w, record->v[i], record->n == 1, err))
            return false;
    return (!w->crlf || put(w, '\r', err)) && put(w, '\n', err);
}
