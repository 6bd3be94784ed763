// SPDX-License-Identifier: Apache-2.0
// Scanner of SQL. One pass: copies the text, puts placeholders where parameters stand, cuts at semicolons.
#include "db/query_text.h"

#include "base/sbuf.h"

enum { PLACEHOLDERS_ROOM = 8 * QUERY_PLACES_MAX }; // they may be longer than what they stand for

struct scan {
    const char *start, *p, *end;
    enum query_kind kind;
    struct arena *a;
    struct err *err;
    struct query_text text;
    struct query_place *places; // of all statements
    size_t n_places;
    size_t first_place; // of the present statement
    struct sbuf out;    // of the present statement
    struct str verb, last_word;
    bool routine; // it makes one: its body may hold semicolons
    int depth;    // of BEGIN … END in it
};

static bool word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (c & 0x80);
}

static bool digit(char c) { return c >= '0' && c <= '9'; }

static bool is_one_of(struct str word, const char *const *list)
{
    for (; *list; list++)
        if (str_eq_nocase(word, str_of(*list)))
            return true;
    return false;
}

static long long place_of(const struct scan *s, const char *at) { return (long long)(at - s->start) + 1; }

static void copy(struct scan *s, const char *to)
{
    sbuf_put(&s->out, str_of_n(s->p, (size_t)(to - s->p)));
    s->p = to;
}

// ---- what is left alone ------------------------------------------------------------------------

// MySQL writes escapes with a backslash in texts, PostgreSQL in E'…'.
static bool has_escapes(const struct scan *s, char quote)
{
    if (s->kind == QUERY_MYSQL)
        return quote != '`';
    bool marked = s->p > s->start && (s->p[-1] == 'E' || s->p[-1] == 'e') &&
                  (s->p - 1 == s->start || !word_char(s->p[-2]));
    return s->kind == QUERY_POSTGRES && quote == '\'' && marked;
}

static bool take_quoted(struct scan *s)
{
    char open = *s->p, close = open == '[' ? ']' : open;
    bool escapes = has_escapes(s, open);
    for (const char *q = s->p + 1; q < s->end; q++) {
        if (escapes && *q == '\\') {
            q++;
        } else if (*q == close && close != ']' && q + 1 < s->end && q[1] == close) {
            q++;
        } else if (*q == close) {
            copy(s, q + 1);
            return true;
        }
    }
    return ERR(s->err, ERR_INVALID, "has a %c at character %lld that is not closed", open, place_of(s, s->p));
}

static void take_line(struct scan *s)
{
    const char *q = memchr(s->p, '\n', (size_t)(s->end - s->p));
    copy(s, q ? q : s->end);
}

// PostgreSQL's nest. What MySQL runs although it looks like a comment is refused: nothing here looks into it.
static bool take_comment(struct scan *s)
{
    int depth = 1;
    char third = s->p + 2 < s->end ? s->p[2] : ' ';
    if (s->kind == QUERY_MYSQL && (third == '!' || third == 'M'))
        return ERR(s->err, ERR_INVALID,
                   "has a comment at character %lld that the server would run: write its content",
                   place_of(s, s->p));
    for (const char *q = s->p + 2; q + 1 < s->end; q++) {
        bool closes = q[0] == '*' && q[1] == '/', opens = q[0] == '/' && q[1] == '*';
        depth += opens && s->kind == QUERY_POSTGRES ? 1 : closes ? -1 : 0;
        q += opens || closes ? 1 : 0;
        if (depth == 0) {
            copy(s, q + 1);
            return true;
        }
    }
    return ERR(s->err, ERR_INVALID, "has a comment at character %lld that is not closed", place_of(s, s->p));
}

// $tag$ … $tag$; false in *ret_taken: it is something else.
static bool take_dollars(struct scan *s, bool *ret_taken)
{
    const char *q = s->p + 1;
    while (q < s->end && word_char(*q) && !(q == s->p + 1 && digit(*q)))
        q++;
    *ret_taken = q < s->end && *q == '$' && (s->p == s->start || !word_char(s->p[-1]));
    if (!*ret_taken)
        return true;
    size_t tag = (size_t)(q + 1 - s->p);
    const char *close = memmem(q + 1, (size_t)(s->end - q - 1), s->p, tag);
    if (!close)
        return ERR(s->err, ERR_INVALID, "has a %.*s at character %lld that is not closed", (int)tag, s->p,
                   place_of(s, s->p));
    copy(s, close + tag);
    return true;
}

// ---- parameters --------------------------------------------------------------------------------

static bool place_add(struct scan *s, struct str name, size_t length)
{
    if (s->n_places == QUERY_PLACES_MAX)
        return ERR(s->err, ERR_INVALID, "has more than %d parameters", QUERY_PLACES_MAX);
    struct query_place *place = &s->places[s->n_places++];
    *place = (struct query_place){.name = name};
    if (name.p)
        s->text.named = true;
    else
        place->position = s->text.positions++;
    if (s->kind == QUERY_POSTGRES)
        sbuf_fmt(&s->out, "$%zu", s->n_places - s->first_place);
    else
        sbuf_putc(&s->out, '?');
    s->p += length;
    return true;
}

static bool take_question(struct scan *s)
{
    char next = s->p + 1 < s->end ? s->p[1] : '\0';
    if (next == '?') {
        sbuf_putc(&s->out, '?');
        s->p += 2;
        return true;
    }
    if (s->kind == QUERY_POSTGRES && (next == '|' || next == '&')) {
        copy(s, s->p + 2);
        return true;
    }
    if (digit(next))
        return ERR(s->err, ERR_INVALID, "has a numbered parameter at character %lld: write ? or :name",
                   place_of(s, s->p));
    return place_add(s, STR_NONE, 1);
}

static bool take_colon(struct scan *s)
{
    const char *q = s->p + 1;
    if (q < s->end && (*q == ':' || *q == '=')) {
        copy(s, q + 1);
        return true;
    }
    while (q < s->end && word_char(*q) && !(q == s->p + 1 && digit(*q)))
        q++;
    size_t n = (size_t)(q - s->p) - 1;
    if (n == 0) {
        copy(s, s->p + 1);
        return true;
    }
    return place_add(s, str_of_n(s->p + 1, n), n + 1);
}

// $1, and what SQLite alone takes for parameters.
static bool take_sigil(struct scan *s)
{
    char next = s->p + 1 < s->end ? s->p[1] : '\0';
    bool numbered = s->kind == QUERY_POSTGRES && *s->p == '$' && digit(next);
    bool named = s->kind == QUERY_SQLITE && word_char(next);
    if ((numbered || named) && (s->p == s->start || !word_char(s->p[-1])))
        return ERR(s->err, ERR_INVALID, "has a parameter %c%c… at character %lld: write ? or :name", *s->p,
                   next, place_of(s, s->p));
    copy(s, s->p + 1);
    return true;
}

// ---- statements --------------------------------------------------------------------------------

static bool statement_end(struct scan *s)
{
    struct str sql = str_trim(sbuf_str(&s->out));
    if (!sbuf_ok(&s->out))
        return ERR(s->err, ERR_INVALID, "is longer than %d bytes", QUERY_TEXT_MAX);
    if (s->verb.n > 0) {
        if (s->text.n == QUERY_STATEMENTS_MAX)
            return ERR(s->err, ERR_INVALID, "has more than %d statements", QUERY_STATEMENTS_MAX);
        s->text.v[s->text.n++] = (struct query_statement){
            .sql = arena_str(s->a, sql),
            .verb = s->verb,
            .places = s->places + s->first_place,
            .n = s->n_places - s->first_place,
        };
    }
    s->first_place = s->n_places;
    s->verb = s->last_word = STR_NONE;
    s->routine = false;
    s->depth = 0;
    sbuf_clear(&s->out);
    return true;
}

// The body of a routine or trigger goes from BEGIN to its END; CASE ends with END too, IF and loops with END
// and their own word.
static void count_blocks(struct scan *s, struct str word)
{
    static const char *const routines[] = {"TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "PACKAGE", NULL};
    static const char *const own_ends[] = {"IF", "LOOP", "WHILE", "REPEAT", "FOR", NULL};
    bool after_end = str_eq_nocase(s->last_word, STR("END"));
    if (str_eq_nocase(s->verb, STR("CREATE")) && is_one_of(word, routines))
        s->routine = true;
    if (!s->routine)
        return;
    if (str_eq_nocase(word, STR("BEGIN")) || (str_eq_nocase(word, STR("CASE")) && !after_end))
        s->depth++;
    else if (str_eq_nocase(word, STR("END")) && s->depth > 0)
        s->depth--;
    else if (after_end && is_one_of(word, own_ends))
        s->depth++; // that END was not ours
}

static bool take_word(struct scan *s)
{
    const char *q = s->p;
    while (q < s->end && word_char(*q))
        q++;
    struct str word = str_of_n(s->p, (size_t)(q - s->p));
    if (!s->verb.p && str_eq_nocase(word, STR("DELIMITER")))
        return ERR(s->err, ERR_INVALID, "holds DELIMITER, which is a word of a client program: leave it out");
    if (!s->verb.p)
        s->verb = word;
    count_blocks(s, word);
    s->last_word = word;
    copy(s, q);
    return true;
}

static bool starts_line_comment(const struct scan *s)
{
    char c = *s->p, next = s->p + 1 < s->end ? s->p[1] : '\0', third = s->p + 2 < s->end ? s->p[2] : ' ';
    if (s->kind == QUERY_MYSQL)
        return c == '#' || (c == '-' && next == '-' && (unsigned char)third <= ' ');
    return c == '-' && next == '-';
}

static bool take_one(struct scan *s)
{
    char c = *s->p, next = s->p + 1 < s->end ? s->p[1] : '\0';
    bool taken = false;
    if (word_char(c))
        return take_word(s);
    if (starts_line_comment(s)) {
        take_line(s);
        return true;
    }
    if (c == '/' && next == '*')
        return take_comment(s);
    if (c == '\'' || c == '"' || (c == '`' && s->kind != QUERY_POSTGRES) ||
        (c == '[' && s->kind == QUERY_SQLITE))
        return take_quoted(s);
    if (c == '$' && s->kind == QUERY_POSTGRES && !take_dollars(s, &taken))
        return false;
    if (taken)
        return true;
    if (c == '?')
        return take_question(s);
    if (c == ':')
        return take_colon(s);
    if (c == '$' || c == '@')
        return take_sigil(s);
    if (c == ';' && s->depth == 0) {
        s->p++;
        return statement_end(s);
    }
    copy(s, s->p + 1);
    return true;
}

bool query_text_read(struct str text, enum query_kind kind, struct query_text *ret, struct arena *a,
                     struct err *err)
{
    struct scan s = {.start = text.p, .p = text.p, .end = text.p + text.n, .kind = kind, .a = a, .err = err};
    if (text.n > QUERY_TEXT_MAX)
        return ERR(err, ERR_INVALID, "is longer than %d bytes", QUERY_TEXT_MAX);
    if (memchr(text.p ? text.p : "", '\0', text.n))
        return ERR(err, ERR_INVALID, "holds a NUL");
    s.text.v = arena_new_array(a, struct query_statement, QUERY_STATEMENTS_MAX);
    s.places = arena_new_array(a, struct query_place, QUERY_PLACES_MAX);
    sbuf_init(&s.out, a, QUERY_TEXT_MAX + PLACEHOLDERS_ROOM);
    bool ok = !a->exhausted;
    while (ok && s.p < s.end)
        ok = take_one(&s);
    if (a->exhausted)
        return ERR(err, ERR_TOO_LARGE, "is too large to be handled");
    if (!ok || !statement_end(&s))
        return false;
    if (s.text.n == 0)
        return ERR(err, ERR_INVALID, "holds no statement");
    if (s.text.named && s.text.positions > 0)
        return ERR(err, ERR_INVALID,
                   "has parameters by name and by position: use one kind; a plain ? is written ??");
    *ret = s.text;
    return !a->exhausted || ERR(err, ERR_TOO_LARGE, "is too large to be handled");
}

// The second word of a statement, comments not looked into.
static struct str second_word(const struct query_statement *s)
{
    const char *end = s->sql.p + s->sql.n, *p = memmem(s->sql.p, s->sql.n, s->verb.p, s->verb.n);
    p = p ? p + s->verb.n : end;
    while (p < end && !word_char(*p))
        p++;
    const char *q = p;
    while (q < end && word_char(*q))
        q++;
    return str_of_n(p, (size_t)(q - p));
}

static bool mentions(struct str sql, const char *const *words)
{
    for (const char *p = sql.p, *end = sql.p + sql.n; p < end;) {
        const char *q = p;
        while (q < end && word_char(*q))
            q++;
        if (q > p && is_one_of(str_of_n(p, (size_t)(q - p)), words))
            return true;
        p = q > p ? q : p + 1;
    }
    return false;
}

bool query_statement_controls(const struct query_statement *s)
{
    static const char *const verbs[] = {"BEGIN",     "COMMIT",  "ROLLBACK", "END", "ABORT",
                                        "SAVEPOINT", "RELEASE", "XA",       NULL};
    static const char *const settings[] = {"TRANSACTION",           "AUTOCOMMIT",
                                           "SESSION_AUTHORIZATION", "transaction_read_only",
                                           "tx_read_only",          "transaction_isolation",
                                           "tx_isolation",          "default_transaction_read_only",
                                           "statement_timeout",     "max_statement_time",
                                           "max_execution_time",    NULL};
    struct str second = second_word(s);
    if (is_one_of(s->verb, verbs))
        return true;
    if (str_eq_nocase(s->verb, STR("START")) || str_eq_nocase(s->verb, STR("PREPARE")))
        return str_eq_nocase(second, STR("TRANSACTION"));
    if (str_eq_nocase(s->verb, STR("LOCK")) || str_eq_nocase(s->verb, STR("UNLOCK")))
        return str_eq_nocase(second, STR("TABLES"));
    return (str_eq_nocase(s->verb, STR("SET")) || str_eq_nocase(s->verb, STR("RESET"))) &&
           mentions(s->sql, settings);
}

bool query_statement_reads(const struct query_statement *s)
{
    static const char *const verbs[] = {"SELECT",   "WITH", "VALUES",  "TABLE",  "SHOW",
                                        "DESCRIBE", "DESC", "EXPLAIN", "PRAGMA", NULL};
    return is_one_of(s->verb, verbs);
}

static void put_name(struct sbuf *b, enum query_kind kind, struct str name)
{
    char quote = kind == QUERY_MYSQL ? '`' : '"';
    sbuf_putc(b, quote);
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == quote)
            sbuf_putc(b, quote);
        sbuf_putc(b, name.p[i]);
    }
    sbuf_putc(b, quote);
}

struct str query_text_in_order(struct str query, enum query_kind kind, struct str column, const char *after,
                               bool by_position, struct arena *a)
{
    struct sbuf b;
    query = str_trim(query);
    while (query.n > 0 && query.p[query.n - 1] == ';')
        query = str_trim(str_of_n(query.p, query.n - 1));
    sbuf_init(&b, a, QUERY_TEXT_MAX);
    sbuf_puts(&b, "SELECT * FROM (\n");
    sbuf_put(&b, query);
    sbuf_puts(&b, "\n) chronos_rows WHERE "); // on a line of its own: the query may end with a comment
    put_name(&b, kind, column);
    if (after)
        sbuf_fmt(&b, " %s %s", after, by_position ? "?" : ":offset");
    else
        sbuf_puts(&b, " IS NOT NULL");
    sbuf_puts(&b, " ORDER BY ");
    put_name(&b, kind, column);
    return sbuf_ok(&b) ? sbuf_str(&b) : STR_NONE;
}
