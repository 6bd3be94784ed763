// SPDX-License-Identifier: Apache-2.0
// CACHE, WARM: entries from the payload or from an HTTP answer, as SET with time to live and NX.
#include "base/json.h"
#include "base/sync.h"
#include "jobs/cache.h"
#include "jobs/template.h"
#include "net/http.h"

enum {
    VALUE_MAX = REDIS_DATA_SEND_MAX / 2,
    STATUS_CLASS = 100,
    OK_CLASS = 2,
    NUMBER_MAX = 24,
    STATUS_TEXT_MAX = 8
};

// ---- writing ----

bool cache_put_end(struct cache *c)
{
    struct redis_value **v;
    size_t n;
    if (c->commands == 0)
        return true;
    arena_reset(&c->scratch);
    c->commands = c->bytes = 0;
    if (!cache_run(c, c->r, "write", &v, &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (v[i]->kind == REDIS_VALUE_ERROR)
            return redis_data_fail(c->r, v[i], "write", &c->err) || cache_fail_redis(c, c->r);
        c->written += v[i]->kind == REDIS_VALUE_TEXT;
        c->skipped += v[i]->kind == REDIS_VALUE_NIL; // NX
    }
    return true;
}

bool cache_put(struct cache *c, struct str key, struct str value)
{
    enum { WORDS_MAX = 6 };
    const struct cache_payload *p = c->p;
    char ttl[NUMBER_MAX];
    struct str words[WORDS_MAX] = {STR("SET")};
    struct arena one;
    size_t n = 1;
    if (value.n > VALUE_MAX)
        return ERR(&c->err, ERR_TOO_LARGE, "the value of key \"%.*s\" has more than %d bytes", STR_ARG(key),
                   VALUE_MAX) ||
               cache_fail(c, "CACHE_ERROR", "TOO_LARGE");
    arena_init(&one, p->region.n + key.n + NUMBER_MAX);
    words[n++] = arena_fmt(&one, "%.*s:%.*s", STR_ARG(p->region), STR_ARG(key));
    words[n++] = value;
    if (p->ttl_s != FIELD_ABSENT) {
        (void)snprintf(ttl, sizeof ttl, "%lld", (long long)p->ttl_s);
        words[n++] = STR("EX");
        words[n++] = str_of(ttl);
    }
    if (p->skip_if_exists)
        words[n++] = STR("NX");
    redis_data_put(c->r, words, n);
    arena_release(&one);
    c->commands++;
    c->bytes += value.n + key.n + p->region.n;
    return (c->commands < CACHE_PIPELINE && c->bytes < CACHE_PIPELINE_BYTES) || cache_put_end(c);
}

bool cache_warm_told(struct cache *c)
{
    if (!cache_put_end(c))
        return false;
    cache_say(c, "%lld entries written to region \"%.*s\", %lld were there already", (long long)c->written,
              STR_ARG(c->p->region), (long long)c->skipped);
    if (c->skipped_null > 0)
        cache_say(c, "%lld rows without a value were left out", (long long)c->skipped_null);
    return true;
}

bool cache_warm(struct cache *c)
{
    for (size_t i = 0; i < c->p->entries.n; i++)
        if (!cache_put(c, c->p->entries.v[i].key, c->p->entries.v[i].value))
            return false;
    return cache_warm_told(c);
}

// ---- from JSON ----

static bool bad_answer(struct cache *c, const char *why)
{
    return ERR(&c->err, ERR_INVALID, "the answer of httpUrl cannot be used: %s", why) ||
           cache_fail(c, "CACHE_ERROR", "BAD_ANSWER");
}

// A member by its path "a.b.c"; NULL when there is none.
static const json_t *member(const json_t *v, struct str path)
{
    while (v && path.p) {
        struct str rest, name = str_split(path, '.', &rest);
        v = json_object_getn(v, name.p, name.n);
        path = rest;
    }
    return v;
}

// The text of a value: a string as it is, others as JSON.
static struct str text_of(const json_t *v, struct sbuf *room)
{
    if (json_is_string(v))
        return json_str(v);
    sbuf_clear(room);
    json_write(v, room);
    return sbuf_str(room);
}

static bool put_item(struct cache *c, const json_t *item, struct sbuf *key_room, struct sbuf *value_room)
{
    const struct cache_payload *p = c->p;
    const json_t *key = member(item, p->key_field);
    const json_t *value = p->value_field.p ? member(item, p->value_field) : item;
    if (!json_is_string(key) && !json_is_number(key))
        return bad_answer(c, "an entry has no text or number under keyField");
    if (!value)
        return bad_answer(c, "an entry has nothing under valueField");
    struct str k = text_of(key, key_room), v = text_of(value, value_room);
    return sbuf_ok(value_room) ? cache_put(c, k, v) : bad_answer(c, "a value is too long");
}

static bool put_all(struct cache *c, const json_t *items, struct sbuf *key_room, struct sbuf *value_room)
{
    const char *name;
    json_t *item;
    size_t i;
    if (json_is_array(items) && !c->p->key_field.p)
        return bad_answer(c, "a list needs \"keyField\": which member of its objects is the key");
    if (!json_is_array(items) && !json_is_object(items))
        return bad_answer(c, "neither an object nor a list of objects (\"itemsField\" says where it is)");
    json_array_foreach(items, i,
                       item) if (cache_stopping(c) || !put_item(c, item, key_room, value_room)) return false;
    json_object_foreach((json_t *)items, name, item)
    {
        const json_t *value = c->p->value_field.p ? member(item, c->p->value_field) : item;
        if (!value)
            return bad_answer(c, "an entry has nothing under valueField");
        struct str v = text_of(value, value_room);
        if (!sbuf_ok(value_room))
            return bad_answer(c, "a value is too long");
        if (cache_stopping(c) || !cache_put(c, str_of(name), v))
            return false;
    }
    return true;
}

bool cache_warm_json(struct cache *c, struct str text)
{
    json_t *document CLEANUP_JSON = NULL;
    struct err err;
    struct sbuf key_room, value_room;
    if (!json_parse(text, &document, &err))
        return bad_answer(c, err.text);
    sbuf_init(&key_room, NULL, VALUE_MAX);
    sbuf_init(&value_room, NULL, VALUE_MAX);
    const json_t *items = member(document, c->p->items);
    bool ok =
        items ? put_all(c, items, &key_room, &value_room) : bad_answer(c, "nothing is under itemsField");
    sbuf_release(&key_room);
    sbuf_release(&value_room);
    return ok && cache_warm_told(c);
}

// ---- the HTTP answer ----

struct str cache_origin(struct cache *c)
{
    struct str url = c->p->url;
    struct str authority = http_url_authority(url), host = authority;
    for (struct str rest = authority; rest.p;) // what is behind the last @
        host = str_split(rest, '@', &rest);
    bool tls = str_starts(url, STR("https:"));
    bool port = host.p && memrchr(host.p, ':', host.n) > memrchr(host.p, ']', host.n);
    return arena_fmt(&c->a->arena, "%s://%.*s%s", tls ? "https" : "http", STR_ARG(host),
                     port  ? ""
                     : tls ? ":443"
                           : ":80");
}

struct fetch {
    struct cache *c;
    struct sbuf *body;
    struct event done;
    uint64_t id;
    int status;
    enum http_error error;
    bool truncated;
    char sentence[ERR_TEXT_MAX];
};

// On a loop's thread.
static void on_done(void *ctx, const struct http_response *r)
{
    struct fetch *f = ctx;
    f->status = r->status;
    f->error = r->error;
    f->truncated = r->truncated;
    (void)snprintf(f->sentence, sizeof f->sentence, "%s", r->sentence);
    sbuf_put(f->body, r->body);
    event_set(&f->done);
}

static void interrupt(void *ctx)
{
    struct fetch *f = ctx;
    http_cancel(f->c->a->env->http, f->id);
}

static bool judge(struct cache *c, const struct fetch *f)
{
    static const char *const classes[] = {"HTTP_ERROR", "HTTP_1XX", "HTTP_2XX",
                                          "HTTP_3XX",   "HTTP_4XX", "HTTP_5XX"};
    char code[STATUS_TEXT_MAX];
    size_t class = (size_t)f->status / STATUS_CLASS;
    if (f->error == HTTP_DONE && class == OK_CLASS && !f->truncated)
        return true;
    if (f->error == HTTP_DONE && class == OK_CLASS)
        return bad_answer(c, "it is longer than 8 MiB");
    if (f->error == HTTP_DONE) {
        (void)snprintf(code, sizeof code, "%d", f->status);
        (void)ERR(&c->err, ERR_UNAVAILABLE, "httpUrl answered with status %d", f->status);
        return cache_fail(c, classes[class < sizeof classes / sizeof classes[0] ? class : 0], code);
    }
    (void)ERR(&c->err, ERR_UNAVAILABLE, "%s", f->sentence);
    return cache_fail(c,
                      f->error == HTTP_TIMEOUT         ? "TIMEOUT"
                      : f->error == HTTP_EGRESS_DENIED ? "EGRESS_DENIED"
                                                       : "CONNECTION_ERROR",
                      NULL);
}

bool cache_fetch(struct cache *c, struct sbuf *ret_body)
{
    struct attempt *a = c->a;
    struct fetch f = {.c = c, .body = ret_body};
    struct http_request request = {
        .url = c->p->url,
        .headers = c->p->http_headers,
        .timeout = duration_s(c->c.timeout_s),
        .lane = attempt_lane(a),
        .redirects = HTTP_REDIRECTS_MAX,
        .body_kept = ret_body->max - 1,
    };
    event_init(&f.done);
    if (!a->env->http || !http_send(a->env->http, &request, on_done, &f, &f.id)) {
        event_release(&f.done);
        return ERR(&c->err, ERR_UNAVAILABLE, "the HTTP client is stopping or has too much to do") ||
               cache_fail(c, "INTERNAL_ERROR", NULL);
    }
    attempt_interruptible(a, interrupt, &f);
    event_wait(&f.done);
    attempt_uninterruptible(a);
    event_release(&f.done);
    return judge(c, &f);
}
