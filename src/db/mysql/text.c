// SPDX-License-Identifier: Apache-2.0
// Reads SQL only as far as it must: quoted texts and comments are stepped over, the rest is looked at for '?'
// and ';'.
#include "db/mysql/text.h"

static const struct str or_nothing = STR_INIT("ON CONFLICT DO NOTHING");

static size_t line_end(struct str s, size_t i)
{
    while (i < s.n && s.p[i] != '\n')
        i++;
    return i;
}

// The place behind the quoted text that begins at i. A quote in it is doubled or, unless it is a name,
// escaped.
static size_t quote_end(struct str s, size_t i)
{
    char quote = s.p[i++];
    for (; i < s.n; i++) {
        if (s.p[i] == '\\' && quote != '`')
            i++;
        else if (s.p[i] == quote && (i + 1 == s.n || s.p[i + 1] != quote))
            return i + 1;
        else if (s.p[i] == quote)
            i++;
    }
    return s.n;
}

// The place behind what stands at i if it is a comment, else i.
static size_t comment_end(struct str s, size_t i)
{
    bool more = i + 1 < s.n;
    if (s.p[i] == '#' || (more && s.p[i] == '-' && s.p[i + 1] == '-'))
        return line_end(s, i);
    if (!more || s.p[i] != '/' || s.p[i + 1] != '*')
        return i;
    for (i += 2; i + 1 < s.n; i++)
        if (s.p[i] == '*' && s.p[i + 1] == '/')
            return i + 2;
    return s.n;
}

// The place behind the quoted text or comment at i, or i when it is neither.
static size_t opaque_end(struct str s, size_t i)
{
    char c = s.p[i];
    return c == '\'' || c == '"' || c == '`' ? quote_end(s, i) : comment_end(s, i);
}

// The parameter number behind the '?' at i; *ret_end is the place behind it.
static size_t parameter(struct str s, size_t i, size_t *ret_end)
{
    size_t number = 0;
    for (i++; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && number <= MYSQL_PARAMETERS_MAX; i++)
        number = number * 10 + (size_t)(s.p[i] - '0');
    *ret_end = i;
    return number;
}

bool mysql_text_of(struct str sql, struct mysql_text *ret, struct err *err)
{
    struct mysql_text *t = ret;
    *t = (struct mysql_text){.places = 0};
    sql = str_trim(sql);
    sbuf_init(&t->sql, NULL, 2 * sql.n + 1);
    t->or_nothing = str_ends(sql, or_nothing);
    if (t->or_nothing)
        sql.n -= or_nothing.n;
    for (size_t i = 0, next; i < sql.n; i = next) {
        next = opaque_end(sql, i);
        if (next == i && sql.p[i] == '?') {
            size_t number = parameter(sql, i, &next);
            if (number < 1 || number > MYSQL_PARAMETERS_MAX || t->places == MYSQL_PLACES_MAX)
                return ERR(err, ERR_INTERNAL, "data store: a statement has parameters that are not ?1 to ?%d",
                           MYSQL_PARAMETERS_MAX);
            t->place[t->places++] = (uint8_t)number;
            sbuf_putc(&t->sql, '?');
            continue;
        }
        next += next == i;
        sbuf_put(&t->sql, (struct str){sql.p + i, next - i});
    }
    must(sbuf_ok(&t->sql));
    return true;
}

void mysql_text_release(struct mysql_text *t) { sbuf_release(&t->sql); }

bool mysql_script_next(struct str *rest, struct str *ret)
{
    struct str s = *rest;
    size_t start = 0;
    for (size_t i = 0, next; i < s.n; i = next) {
        next = opaque_end(s, i);
        bool before = str_trim((struct str){s.p + start, i - start}).n == 0;
        if (before && comment_end(s, i) != i)
            start = next; // a comment between statements
        if (next > i)
            continue;
        next = i + 1;
        if (s.p[i] != ';')
            continue;
        if (!before) {
            *ret = str_trim((struct str){s.p + start, i - start});
            *rest = (struct str){s.p + next, s.n - next};
            return true;
        }
        start = next;
    }
    *ret = str_trim((struct str){s.p + start, s.n - start});
    *rest = (struct str){s.p + s.n, 0};
    return ret->n > 0;
}
