// SPDX-License-Identifier: Apache-2.0
// CACHE, INVALIDATE and SYNC: what is done with keys that are there.
//
// SCAN holds nobody up and sees every key that stays all the while; what comes and goes meanwhile it may miss
// or tell twice. UNLINK frees memory in the background of the server.
#include "jobs/cache.h"

enum { SCAN_COUNT = 500, SYNC_KEYS = 16, MS_PER_S = 1000, NUMBER_MAX = 24 };

bool cache_is_pattern(struct str key)
{
    for (size_t i = 0; i < key.n; i++)
        if (key.p[i] == '*' || key.p[i] == '?' || key.p[i] == '[')
            return true;
    return false;
}

// The region stands for itself in a pattern, whatever characters it has.
static struct str pattern_of(struct str region, struct str pattern, struct arena *a)
{
    struct sbuf out;
    sbuf_init(&out, a, 4 * CACHE_REGION_MAX * 2 + pattern.n + 1);
    for (size_t i = 0; i < region.n; i++) {
        if (strchr("*?[]\\^", region.p[i]))
            sbuf_putc(&out, '\\');
        sbuf_putc(&out, region.p[i]);
    }
    sbuf_puts(&out, region.p ? ":" : "");
    sbuf_put(&out, pattern);
    return sbuf_str(&out);
}

bool cache_scan(struct cache *c, struct redis_data *r, struct str region, struct str pattern, cache_page page)
{
    struct str match = pattern_of(region, pattern, &c->a->arena);
    char cursor[NUMBER_MAX] = "0", count[NUMBER_MAX];
    (void)snprintf(count, sizeof count, "%d", SCAN_COUNT);
    do {
        struct redis_value *v;
        arena_reset(&c->page);
        REDIS_DATA_PUT(r, STR("SCAN"), str_of(cursor), STR("MATCH"), match, STR("COUNT"), str_of(count));
        if (!redis_data_one(r, "look for keys", &v, &c->page, &c->err))
            return cache_fail_redis(c, r);
        if (v->kind != REDIS_VALUE_LIST || v->n != 2 || v->v[1]->kind != REDIS_VALUE_LIST)
            return ERR(&c->err, ERR_CONFLICT, "redis: the answer is none to SCAN") ||
                   cache_fail(c, "CACHE_ERROR", "BAD_ANSWER");
        (void)snprintf(cursor, sizeof cursor, "%.*s", STR_ARG(v->v[0]->text));
        if (v->v[1]->n > 0 && !page(c, v->v[1]->v, v->v[1]->n))
            return false;
    } while (!str_is(str_of(cursor), "0") && !cache_stopping(c));
    return true;
}

// ---- INVALIDATE ----

static bool unlink_waiting(struct cache *c)
{
    struct redis_value **v;
    size_t n;
    if (c->commands == 0)
        return true;
    c->commands = 0;
    arena_reset(&c->scratch);
    if (!cache_run(c, c->r, "remove", &v, &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (v[i]->kind == REDIS_VALUE_ERROR)
            return redis_data_fail(c->r, v[i], "remove", &c->err) || cache_fail_redis(c, c->r);
        c->written += v[i]->number;
    }
    return true;
}

static bool unlink_page(struct cache *c, struct redis_value *const *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        REDIS_DATA_PUT(c->r, STR("UNLINK"), keys[i]->text);
        c->commands++;
        if (c->commands >= CACHE_PIPELINE && !unlink_waiting(c))
            return false;
    }
    return unlink_waiting(c);
}

bool cache_invalidate(struct cache *c)
{
    const struct cache_payload *p = c->p;
    for (size_t i = 0; i < p->keys.n && !cache_stopping(c); i++) {
        if (cache_is_pattern(p->keys.v[i])) {
            if (!unlink_waiting(c) || !cache_scan(c, c->r, p->region, p->keys.v[i], unlink_page))
                return false;
            continue;
        }
        REDIS_DATA_PUT(c->r, STR("UNLINK"),
                       arena_fmt(&c->a->arena, "%.*s:%.*s", STR_ARG(p->region), STR_ARG(p->keys.v[i])));
        c->commands++;
        if (c->commands >= CACHE_PIPELINE && !unlink_waiting(c))
            return false;
    }
    if (!unlink_waiting(c))
        return false;
    cache_say(c, "%lld keys removed from region \"%.*s\"", (long long)c->written, STR_ARG(p->region));
    return true;
}

// ---- SYNC ----

// What is left of a key's time, or the time that was asked for; 0: it does not expire.
static int64_t time_left(const struct cache *c, const struct redis_value *pttl)
{
    if (c->p->ttl_s != FIELD_ABSENT)
        return c->p->ttl_s * MS_PER_S;
    return pttl->number > 0 ? pttl->number : 0;
}

static bool restored(struct cache *c)
{
    struct redis_value **v;
    size_t n;
    c->commands = c->bytes = 0;
    if (!cache_run(c, c->r, "write", &v, &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        bool there = v[i]->kind == REDIS_VALUE_ERROR && str_starts(v[i]->text, STR("BUSYKEY"));
        if (v[i]->kind == REDIS_VALUE_ERROR && !there)
            return redis_data_fail(c->r, v[i], "write", &c->err) || cache_fail_redis(c, c->r);
        c->skipped += there;
        c->written += !there;
    }
    return true;
}

static bool put_restore(struct cache *c, struct str key, const struct redis_value *pttl, struct str dump)
{
    const struct cache_payload *p = c->p;
    char ttl[NUMBER_MAX];
    struct str below = str_of_n(key.p + p->source_region.n, key.n - p->source_region.n); // with its colon
    if (dump.n > REDIS_DATA_SEND_MAX / 2)
        return ERR(&c->err, ERR_TOO_LARGE, "the value of \"%.*s\" is too large to be copied (%zu bytes)",
                   STR_ARG(key), dump.n) ||
               cache_fail(c, "CACHE_ERROR", "TOO_LARGE");
    if (c->commands > 0 && c->bytes + dump.n > CACHE_PIPELINE_BYTES && !restored(c))
        return false;
    (void)snprintf(ttl, sizeof ttl, "%lld", (long long)time_left(c, pttl));
    struct str target = arena_fmt(&c->scratch, "%.*s%.*s", STR_ARG(p->region), STR_ARG(below));
    if (p->skip_if_exists)
        REDIS_DATA_PUT(c->r, STR("RESTORE"), target, str_of(ttl), dump);
    else
        REDIS_DATA_PUT(c->r, STR("RESTORE"), target, str_of(ttl), dump, STR("REPLACE"));
    c->commands++;
    c->bytes += dump.n;
    return true;
}

static bool copy_some(struct cache *c, struct redis_value *const *keys, size_t n)
{
    struct redis_value **v;
    size_t answers;
    arena_reset(&c->scratch);
    for (size_t i = 0; i < n; i++) {
        REDIS_DATA_PUT(c->source, STR("PTTL"), keys[i]->text);
        REDIS_DATA_PUT(c->source, STR("DUMP"), keys[i]->text);
    }
    if (!cache_run(c, c->source, "read", &v, &answers))
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct redis_value *pttl = v[2 * i], *dump = v[2 * i + 1];
        if (pttl->kind == REDIS_VALUE_ERROR || dump->kind == REDIS_VALUE_ERROR)
            return redis_data_fail(c->source, dump->kind == REDIS_VALUE_ERROR ? dump : pttl, "read",
                                   &c->err) ||
                   cache_fail_redis(c, c->source);
        if (dump->kind == REDIS_VALUE_TEXT && !put_restore(c, keys[i]->text, pttl, dump->text))
            return false; // what has gone meanwhile has no dump
    }
    return c->commands == 0 || restored(c);
}

static bool copy_page(struct cache *c, struct redis_value *const *keys, size_t n)
{
    for (size_t i = 0; i < n && !cache_stopping(c); i += SYNC_KEYS)
        if (!copy_some(c, keys + i, n - i < SYNC_KEYS ? n - i : SYNC_KEYS))
            return false;
    return true;
}

bool cache_sync(struct cache *c)
{
    const struct cache_payload *p = c->p;
    struct str all = STR("*");
    struct strs patterns = p->keys.n ? p->keys : (struct strs){&all, 1};
    for (size_t i = 0; i < patterns.n && !cache_stopping(c); i++) {
        struct redis_value one = {.kind = REDIS_VALUE_TEXT};
        struct redis_value *const key = &one;
        one.text = arena_fmt(&c->a->arena, "%.*s:%.*s", STR_ARG(p->source_region), STR_ARG(patterns.v[i]));
        if (!(cache_is_pattern(patterns.v[i])
                  ? cache_scan(c, c->source, p->source_region, patterns.v[i], copy_page)
                  : copy_some(c, &key, 1)))
            return false;
    }
    cache_say(c, "%lld keys copied from region \"%.*s\" to \"%.*s\", %lld were there already",
              (long long)c->written, STR_ARG(p->source_region), STR_ARG(p->region), (long long)c->skipped);
    return true;
}
