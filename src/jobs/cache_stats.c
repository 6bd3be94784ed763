// SPDX-License-Identifier: Apache-2.0
// CACHE, STATS: the server's own figures, and how many keys a region has, or each region.
#include "jobs/cache.h"

#include "base/map.h"

enum {
    REGIONS_MAX = 100, // told apart; keys of further ones are counted together
    SAMPLE_MAX = 1000, // keys of a region whose memory is asked for
    CONTEXT_MAX = 7000,
    PERCENT = 100,
};

struct region {
    struct str name;
    int64_t keys;
};

struct stats {
    struct region *v;
    size_t n;
    int64_t keys, others, sampled, sampled_bytes;
    struct map by_name;
};

// ---- keys ----

static struct stats *stats_of(struct cache *c) { return c->a->state; }

static void count_key(struct cache *c, struct stats *s, struct str key)
{
    struct str rest, name = str_split(key, ':', &rest);
    s->keys++;
    if (c->p->region.p)
        return;
    name = rest.p && name.n <= CACHE_REGION_MAX ? name : STR("");
    struct ulid id = map_key(name.p, name.n);
    struct region *r = map_get(&s->by_name, id);
    if (!r && s->n < REGIONS_MAX) {
        r = &s->v[s->n++];
        r->name = arena_str(&c->a->arena, name);
        (void)map_put(&s->by_name, id, r);
    }
    if (r)
        r->keys++;
    else
        s->others++;
}

static bool sample(struct cache *c, struct stats *s, struct redis_value *const *keys, size_t n)
{
    struct redis_value **v;
    size_t answers;
    arena_reset(&c->scratch);
    for (size_t i = 0; i < n; i++)
        REDIS_DATA_PUT(c->r, STR("MEMORY"), STR("USAGE"), keys[i]->text);
    if (n == 0)
        return true;
    if (!cache_run(c, c->r, "ask for memory", &v, &answers))
        return false;
    for (size_t i = 0; i < answers; i++)
        if (v[i]->kind == REDIS_VALUE_INT) { // a user may have no right to ask: then it is not told
            s->sampled++;
            s->sampled_bytes += v[i]->number;
        }
    return true;
}

static bool count_page(struct cache *c, struct redis_value *const *keys, size_t n)
{
    struct stats *s = stats_of(c);
    for (size_t i = 0; i < n; i++)
        count_key(c, s, keys[i]->text);
    size_t want = c->p->region.p && s->sampled < SAMPLE_MAX ? (size_t)(SAMPLE_MAX - s->sampled) : 0;
    return sample(c, s, keys, want < n ? want : n);
}

// ---- the server ----

// The value of "name:value" in the text of INFO; 0 when it is not there.
static int64_t figure(struct str info, const char *name)
{
    int64_t v = 0;
    for (struct str rest = info; rest.p;) {
        struct str value, key = str_split(str_trim(str_split(rest, '\n', &rest)), ':', &value);
        if (str_is(key, name) && str_to_i64(value, &v))
            return v;
    }
    return 0;
}

static bool tell_server(struct cache *c)
{
    struct redis_value *v;
    arena_reset(&c->scratch);
    REDIS_DATA_PUT(c->r, STR("INFO"));
    if (!redis_data_one(c->r, "ask for its figures", &v, &c->scratch, &c->err))
        return cache_fail_redis(c, c->r);
    struct str i = v->text;
    int64_t hits = figure(i, "keyspace_hits"), misses = figure(i, "keyspace_misses"), asked = hits + misses;
    struct str context = arena_fmt(
        &c->scratch,
        "{\"usedMemoryBytes\":%lld,\"maxMemoryBytes\":%lld,\"hits\":%lld,\"misses\":%lld,\"evictedKeys\":%"
        "lld,"
        "\"expiredKeys\":%lld,\"clients\":%lld,\"uptimeSeconds\":%lld}",
        (long long)figure(i, "used_memory"), (long long)figure(i, "maxmemory"), (long long)hits,
        (long long)misses, (long long)figure(i, "evicted_keys"), (long long)figure(i, "expired_keys"),
        (long long)figure(i, "connected_clients"), (long long)figure(i, "uptime_in_seconds"));
    struct str text = arena_fmt(&c->scratch, "%lld bytes of memory used, hit rate %.1f %%",
                                (long long)figure(i, "used_memory"),
                                asked > 0 ? PERCENT * (double)hits / (double)asked : 0.0);
    attempt_log(c->a, LOG_LINE_INFO, STREAM_STDOUT, text, context);
    return true;
}

static void tell_region(struct cache *c, const struct stats *s)
{
    int64_t bytes = s->sampled > 0 ? s->sampled_bytes / s->sampled * s->keys : 0;
    struct str context = arena_fmt(&c->scratch, "{\"keys\":%lld,\"memoryBytes\":%lld,\"sampledKeys\":%lld}",
                                   (long long)s->keys, (long long)bytes, (long long)s->sampled);
    attempt_log(c->a, LOG_LINE_INFO, STREAM_STDOUT,
                arena_fmt(&c->scratch, "region \"%.*s\": %lld keys, about %lld bytes", STR_ARG(c->p->region),
                          (long long)s->keys, (long long)bytes),
                context);
}

static void tell_regions(struct cache *c, const struct stats *s)
{
    struct sbuf out;
    sbuf_init(&out, &c->scratch, CONTEXT_MAX);
    sbuf_puts(&out, "{\"keysByRegion\":{");
    for (size_t i = 0; i < s->n; i++) {
        sbuf_puts(&out, i > 0 ? "," : "");
        sbuf_json(&out, s->v[i].name);
        sbuf_fmt(&out, ":%lld", (long long)s->v[i].keys);
    }
    sbuf_fmt(&out, "},\"keysOfOtherRegions\":%lld}", (long long)s->others);
    attempt_log(c->a, LOG_LINE_INFO, STREAM_STDOUT,
                arena_fmt(&c->scratch, "%lld keys in %zu regions", (long long)s->keys, s->n),
                sbuf_ok(&out) ? sbuf_str(&out) : STR_NONE);
}

bool cache_stats(struct cache *c)
{
    struct stats s = {.v = arena_new_array(&c->a->arena, struct region, REGIONS_MAX)};
    if (!s.v)
        return ERR(&c->err, ERR_TOO_LARGE, "no memory for the figures") || cache_fail(c, "CACHE_ERROR", NULL);
    map_init(&s.by_name);
    c->a->state = &s;
    bool ok = tell_server(c) && cache_scan(c, c->r, c->p->region, STR("*"), count_page);
    c->a->state = NULL;
    if (ok && c->p->region.p)
        tell_region(c, &s);
    else if (ok)
        tell_regions(c, &s);
    map_release(&s.by_name);
    return ok;
}
