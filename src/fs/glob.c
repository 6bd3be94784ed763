// SPDX-License-Identifier: Apache-2.0
// Matching by backtracking. Stars and alternatives are bounded (glob_check), and a budget of steps bounds the
// rest, so that no pattern of a user takes long.
#include "fs/glob.h"

enum { STEPS_MAX = 100000 };

bool glob_is(struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (strchr("*?[{", text.p[i]) && text.p[i])
            return true;
    return false;
}

bool glob_check(struct str p, struct err *err)
{
    size_t stars = 0, braces = 0, open = 0;
    if (p.n == 0 || p.n > GLOB_BYTES_MAX)
        return ERR(err, ERR_INVALID, "a pattern must have 1 to %d bytes", (int)GLOB_BYTES_MAX);
    for (size_t i = 0; i < p.n; i++) {
        stars += p.p[i] == '*';
        if (p.p[i] == '[') {
            size_t n = str_find((struct str){p.p + i, p.n - i}, ']');
            if (i + n == p.n || n < 2)
                return ERR(err, ERR_INVALID,
                           "pattern \"%.*s\" has \"[\" without \"]\"; write [[] for the bracket itself",
                           STR_ARG(p));
            i += n;
        } else if (p.p[i] == '{') {
            open++;
            braces++;
        } else if (p.p[i] == '}' && open > 0) {
            open--;
        }
    }
    if (open > 0)
        return ERR(err, ERR_INVALID, "pattern \"%.*s\" has \"{\" without \"}\"", STR_ARG(p));
    if (stars > GLOB_STARS_MAX || braces > GLOB_BRACES_MAX)
        return ERR(err, ERR_INVALID, "a pattern must have at most %d stars and %d braces",
                   (int)GLOB_STARS_MAX, (int)GLOB_BRACES_MAX);
    return true;
}

// One character against [..]; *p stands on the bracket and is moved behind its end. n is at least 2 by
// glob_check.
static bool match_set(struct str *p, char c)
{
    size_t end = str_find(*p, ']');
    bool inverse = p->p[1] == '!' || p->p[1] == '^', found = false;
    for (size_t i = 1 + inverse; i < end; i++) {
        unsigned char low = (unsigned char)p->p[i], high = low, at = (unsigned char)c;
        if (i + 2 < end && p->p[i + 1] == '-') {
            high = (unsigned char)p->p[i + 2];
            i += 2;
        }
        found = found || (low <= at && at <= high);
    }
    *p = (struct str){p->p + end + 1, p->n - end - 1};
    return found != inverse && c != '/';
}

static struct str behind(struct str s, size_t n) { return (struct str){s.p + n, s.n - n}; }

static bool match(struct str p, struct str s, int *steps);

// "**" (with the slash behind it, if any) stands for nothing or whole folders; at the end for anything.
static bool match_folders(struct str p, struct str s, int *steps)
{
    struct str rest = behind(p, 2);
    if (rest.n == 0)
        return true;
    if (rest.p[0] != '/')
        return match(behind(p, 1), s, steps); // "**x" is as "*x"
    rest = behind(rest, 1);
    for (;;) {
        if (match(rest, s, steps))
            return true;
        size_t n = str_find(s, '/');
        if (n == s.n)
            return false;
        s = behind(s, n + 1);
    }
}

static bool match_star(struct str p, struct str s, int *steps)
{
    struct str rest = behind(p, 1);
    for (size_t i = 0; i <= s.n; i++) {
        if (match(rest, behind(s, i), steps))
            return true;
        if (i < s.n && s.p[i] == '/')
            return false;
    }
    return false;
}

// The place of the brace that closes the one at the start.
static size_t closing(struct str p)
{
    size_t depth = 0;
    for (size_t i = 0; i < p.n; i++) {
        depth += p.p[i] == '{';
        if (p.p[i] == '}' && --depth == 0)
            return i;
    }
    return p.n;
}

static bool match_either(struct str p, struct str s, int *steps)
{
    char joined[GLOB_BYTES_MAX];
    size_t end = closing(p);
    if (end == p.n)
        return false;
    struct str tail = behind(p, end + 1);
    size_t depth = 0;
    for (size_t from = 1, i = 1; i <= end; i++) {
        depth += p.p[i] == '{';
        if ((p.p[i] == ',' && depth == 0) || i == end) {
            size_t n = i - from;
            memcpy(joined, p.p + from, n);
            memcpy(joined + n, tail.p, tail.n);
            if (match((struct str){joined, n + tail.n}, s, steps))
                return true;
            from = i + 1;
        }
        depth -= p.p[i] == '}' && i < end;
    }
    return false;
}

static bool match(struct str p, struct str s, int *steps)
{
    while (p.n > 0) {
        if (--*steps < 0)
            return false;
        if (p.p[0] == '{')
            return match_either(p, s, steps);
        if (p.p[0] == '*')
            return p.n > 1 && p.p[1] == '*' ? match_folders(p, s, steps) : match_star(p, s, steps);
        if (s.n == 0)
            return false;
        if (p.p[0] == '[') {
            if (!match_set(&p, s.p[0]))
                return false;
        } else if (p.p[0] == '?' ? s.p[0] != '/' : p.p[0] == s.p[0]) {
            p = behind(p, 1);
        } else {
            return false;
        }
        s = behind(s, 1);
    }
    return s.n == 0;
}

bool glob_match(struct str pattern, struct str path)
{
    int steps = STEPS_MAX;
    if (str_find(pattern, '/') == pattern.n && !str_is(pattern, "**")) {
        const char *slash = memrchr(path.p, '/', path.n);
        path = slash ? behind(path, (size_t)(slash - path.p) + 1) : path;
    }
    return match(pattern, path, &steps);
}

bool glob_any(const struct strs *patterns, struct str path)
{
    for (size_t i = 0; i < patterns->n; i++)
        if (glob_match(patterns->v[i], path))
            return true;
    return patterns->n == 0;
}
