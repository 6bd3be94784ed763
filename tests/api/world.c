// SPDX-License-Identifier: Apache-2.0
// A server without sockets. See world.h.
#include "world.h"

#include "app/breaker.h"
#include "auth/password.h"
#include "jobs/runner.h"

static const struct {
    const char *name, *email;
    enum role role;
} people[WORLD_USERS] = {
    {"admin", "admin@example.org", ROLE_ADMIN},   {"operator", "operator@example.org", ROLE_OPERATOR},
    {"ada", "ada@example.org", ROLE_USER},        {"bob", "bob@example.org", ROLE_USER},
    {"viewer", "viewer@example.org", ROLE_VIEWER},
};

enum { WORLD_ARENA = 1 << 20, REQUEST_ARENA = 64 << 20, BODY_MAX = 8 << 20, WORLD_TOKEN = 77 };

// One hash for everybody: it costs 15 ms.
static struct str shared_hash(void)
{
    static char text[256];
    if (!text[0]) {
        struct arena a;
        struct str phc;
        struct err err = {0};
        arena_init(&a, WORLD_ARENA);
        must(password_hash(STR(WORLD_PASSWORD), &phc, &a, &err));
        must(phc.n < sizeof text);
        memcpy(text, phc.p, phc.n);
        arena_release(&a);
    }
    return str_of(text);
}

static void add_user(struct world *w, size_t i)
{
    struct err err = {0};
    struct str role = str_of(role_names[people[i].role]);
    struct instant now = clock_now(&w->clock.base);
    struct user u = {.id = app_id(&w->app), .email = str_of(people[i].email), .password_hash = shared_hash(),
                     .roles = {&role, 1}, .enabled = true, .session_epoch = 1, .created_at = now};
    must(w->store->ops->user_insert(w->store, &u, &err));
    w->users[i] = u.id;
    struct token_claims claims = {.user_id = u.id, .email = u.email, .roles = user_role_bits(&u), .session_epoch = 1,
                                  .issued_at = now, .expires_at = instant_add(now, duration_s(TOKEN_LIFE_MAX_S))};
    must(token_sign(w->key, &claims, &w->tokens[i], &w->arena, &err));
}

void world_open(struct world *w)
{
    static const uint8_t secret[TOKEN_KEY_BYTES] = "a key for tests, 32 bytes long..";
    *w = (struct world){0};
    arena_init(&w->arena, WORLD_ARENA);
    clock_virtual_init(&w->clock, instant_s(WORLD_START));
    w->store = store_memory_new();
    w->key = token_key_new(secret);
    w->zones = zones_new(NULL);
    struct err err = {0};
    must(vault_of(STR("a key of secrets for tests of 32 and more"), &w->vault, &err));
    struct app_parts parts = {.store = w->store, .clock = &w->clock.base, .key = w->key, .vault = w->vault,
                              .zones = w->zones};
    app_settings_init(&parts.settings);
    app_init(&w->app, &parts);
    w->breakers = breakers_new(&w->clock.base, NULL);
    app_set_breakers(&w->app, w->breakers);
    w->api = api_new(&w->app);
    w->handlers = api_handlers(w->api);
    for (size_t i = 0; i < WORLD_USERS; i++)
        add_user(w, i);
}

void world_close(struct world *w)
{
    api_free(w->api);
    app_release(&w->app);
    breakers_free(w->breakers);
    zones_free(w->zones);
    token_key_free(w->key);
    vault_free(w->vault);
    w->store->ops->free(w->store);
    arena_release(&w->arena);
}

struct str world_token(struct world *w, const char *who)
{
    if (!who)
        return STR_NONE;
    for (size_t i = 0; i < WORLD_USERS; i++)
        if (strcmp(people[i].name, who) == 0)
            return w->tokens[i];
    return STR("not.a.token");
}

void world_send(struct world *w, const struct request *r, struct exchange *x)
{
    *x = (struct exchange){0};
    arena_init(&x->arena, REQUEST_ARENA);
    struct str query, path = str_split(str_of(r->target), '?', &query);
    size_t given = r->headers ? r->headers->n : 0;
    struct str_map *headers = arena_new(&x->arena, struct str_map);
    headers->v = arena_new_array(&x->arena, struct str_pair, given + 2);
    if (given)
        memcpy(headers->v, r->headers->v, given * sizeof *headers->v);
    headers->n = given;
    struct str token = world_token(w, r->who);
    if (token.p)
        headers->v[headers->n++] = (struct str_pair){
            STR("authorization"), arena_fmt(&x->arena, "Bearer %.*s", STR_ARG(token))};
    headers->v[headers->n++] = (struct str_pair){STR("content-type"), STR("application/json")};
    x->req = (struct httpd_request){.method = str_of(r->method), .path = path, .query = query, .body = r->body,
                                    .remote = STR("192.0.2.1"), .a = &x->arena, .headers = headers};
    x->resp = (struct httpd_response){.status = 200, .content_type = "application/json"};
    sbuf_init(&x->resp.body, &x->arena, BODY_MAX);
    w->handlers.handle(w->handlers.ctx, &x->req, &x->resp);
    struct err err = {0};
    if (x->resp.body.n > 0 && !json_parse(sbuf_str(&x->resp.body), &x->json, &err))
        x->json = NULL;
}

void exchange_release(struct exchange *x)
{
    if (x->resp.source)
        x->resp.source->closed(x->resp.source->ctx);
    json_decref(x->json);
    arena_release(&x->arena);
}

struct str exchange_header(const struct exchange *x, const char *name)
{
    for (size_t i = 0; i < x->resp.headers.n; i++)
        if (str_eq_nocase(x->resp.headers.v[i].key, str_of(name)))
            return x->resp.headers.v[i].value;
    return STR_NONE;
}

void world_start_run(struct world *w, struct ulid id)
{
    struct err err = {0};
    struct arena a;
    struct run r;
    w->moving = true;
    arena_init(&a, WORLD_ARENA);
    must(w->store->ops->run_get(w->store, id, &r, &a, &err));
    r.status = RUN_RUNNING;
    r.token = WORLD_TOKEN;
    r.start = clock_now(&w->clock.base);
    r.worker = STR("node-1");
    struct claim claim = {.run = &r};
    struct flush f = {.claims = &claim, .n_claims = 1};
    must(w->store->ops->flush(w->store, &f, &err) && claim.ret_won);
    topic_run_changed(w->app.topic, id, r.job_id, r.status);
    arena_release(&a);
    w->moving = false;
}

void world_end_run(struct world *w, struct ulid id, int status, const char *error_class)
{
    struct err err = {0};
    struct arena a;
    struct run r;
    w->moving = true;
    arena_init(&a, WORLD_ARENA);
    must(w->store->ops->run_get(w->store, id, &r, &a, &err));
    r.status = status;
    r.token = WORLD_TOKEN;
    r.end = clock_now(&w->clock.base);
    struct str definition = STR_NONE;
    int64_t version = r.job_version;
    (void)w->store->ops->job_definition(w->store, r.job_id, &definition, &version, &a, &err); // it may be deleted
    struct dead_letter dead = {.id = r.run_key, .job_id = r.job_id, .job_name = r.job_name, .last_run_id = id,
                               .run_key = r.run_key, .scheduled = r.scheduled, .reason = STR("gave up"),
                               .attempts = 1, .job_version = version, .definition = definition,
                               .inputs = r.inputs, .created_at = r.end, .resolved_at = INSTANT_NEVER};
    struct finish finish = {.run = &r, .plan_next = INSTANT_NEVER};
    if (error_class) {
        r.error_class = dead.error_class = str_of(error_class);
        r.error_message = STR("it went wrong");
        finish.dead = &dead;
    }
    struct log_line line = {.id = 1, .run_id = id, .timestamp = r.end, .level = LOG_LINE_INFO,
                            .stream = STREAM_STDOUT, .message = STR("hello")};
    struct flush f = {.finishes = &finish, .n_finishes = 1, .logs = &line, .n_logs = 1};
    must(w->store->ops->flush(w->store, &f, &err) && finish.ret_recorded);
    topic_logs_added(w->app.topic, id);
    topic_run_changed(w->app.topic, id, r.job_id, r.status);
    arena_release(&a);
    w->moving = false;
}

static void on_done(struct attempt_sink *s, struct attempt *a)
{
    (void)s;
    (void)a;
}

void world_break(struct world *w, const char *target)
{
    enum { FAILURES = 5 };
    struct attempt_sink sink = {.done = on_done};
    struct job_env env = {.breakers = w->breakers};
    for (int i = 0; i < FAILURES; i++) {
        struct attempt a = {.sink = &sink, .env = &env, .clock = &w->clock.base};
        arena_init(&a.arena, WORLD_ARENA);
        if (attempt_target(&a, str_of(target)))
            attempt_fail(&a, "CONNECTION_ERROR", "refused");
        arena_release(&a.arena);
    }
}
