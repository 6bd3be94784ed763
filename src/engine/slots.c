// SPDX-License-Identifier: Apache-2.0
// Slots and views. The owner of a slot is the node with the highest hash of (slot, token).
#include "engine/slots.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/rng.h"

enum { TOKEN_HEX = 16, WORD_BITS = 64 };

// Fixed for ever: all nodes, of all versions, must agree.
static const uint8_t slot_key[16] = "chronos-job-slot", owner_key[16] = "chronos-slot-own";

unsigned slot_of(struct ulid job_id) { return (unsigned)(hash_bytes(slot_key, job_id.b, sizeof job_id.b) % SLOTS); }

void slots_fill(struct slots *s) { memset(s->bits, 0xFF, sizeof s->bits); }

int slots_count(const struct slots *s)
{
    int n = 0;
    for (size_t i = 0; i < SLOTS / WORD_BITS; i++)
        n += __builtin_popcountll(s->bits[i]);
    return n;
}

void view_add(struct view *v, int64_t token)
{
    size_t at = 0;
    while (at < v->n && v->tokens[at] < token)
        at++;
    if (v->n == VIEW_NODES_MAX || (at < v->n && v->tokens[at] == token))
        return;
    memmove(&v->tokens[at + 1], &v->tokens[at], (v->n - at) * sizeof v->tokens[0]);
    v->tokens[at] = token;
    v->n++;
}

bool view_eq(const struct view *a, const struct view *b)
{
    return a->n == b->n && memcmp(a->tokens, b->tokens, a->n * sizeof a->tokens[0]) == 0;
}

int64_t view_owner(const struct view *v, unsigned slot)
{
    uint64_t best = 0;
    int64_t owner = 0;
    for (size_t i = 0; i < v->n; i++) {
        int64_t of[2] = {(int64_t)slot, v->tokens[i]};
        uint64_t h = hash_bytes(owner_key, of, sizeof of);
        if (owner == 0 || h > best) {
            best = h;
            owner = v->tokens[i];
        }
    }
    return owner;
}

struct slots view_share(const struct view *v, int64_t token)
{
    struct slots s = {{0}};
    for (unsigned i = 0; i < SLOTS; i++)
        if (v->n > 0 && view_owner(v, i) == token)
            slots_add(&s, i);
    return s;
}

struct str slot_view_write(const struct view *v, struct arena *a)
{
    char *p = arena_alloc(a, v->n * (TOKEN_HEX + 1) + 1);
    if (!p)
        return STR_NONE;
    size_t n = 0;
    for (size_t i = 0; i < v->n; i++)
        n += (size_t)snprintf(p + n, TOKEN_HEX + 2, "%s%016" PRIx64, i ? " " : "", (uint64_t)v->tokens[i]);
    return str_of_n(p, n);
}

static bool read_token(struct str word, int64_t *ret)
{
    uint64_t v = 0;
    if (word.n != TOKEN_HEX)
        return false;
    for (size_t i = 0; i < word.n; i++) {
        char c = word.p[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return false;
        v = v << 4 | (unsigned)digit;
    }
    *ret = (int64_t)v;
    return true;
}

struct view view_read(struct str text)
{
    struct view v = {.n = 0};
    for (struct str rest = text; rest.n > 0;) {
        int64_t token;
        if (!read_token(str_split(rest, ' ', &rest), &token))
            return (struct view){.n = 0};
        view_add(&v, token);
    }
    return v;
}
