// SPDX-License-Identifier: Apache-2.0
// Fuzzes request bodies: any bytes sent to POST /jobs (as a dry run), POST /jobs:batch?partial=true and PATCH either
// make an answer of success or a problem with a status from 400 to 499, both of them JSON.
#include "api/api.h"
#include "base/json.h"
#include "base/log.h"
#include "store/memory/store_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define START_S INT64_C(1798761600)
enum { ARENA_BUDGET = 64 << 20, ANSWER_MAX = 8 << 20, SETUP_ARENA = 1 << 20 };

struct target {
    struct clock_virtual clock;
    struct app app;
    struct httpd_handlers handlers;
    struct str_pair header;
    struct str_map headers;
    char patch_path[64];
};

static void add_user(struct target *t, struct token_key *key, struct arena *a)
{
    struct err err = {0};
    struct str role = str_of(role_names[ROLE_USER]), token;
    struct instant now = clock_now(&t->clock.base);
    struct user u = {.id = app_id(&t->app), .email = STR("a@example.org"), .password_hash = STR("-"),
                     .roles = {&role, 1}, .enabled = true, .session_epoch = 1, .created_at = now};
    struct token_claims claims = {.user_id = u.id, .email = u.email, .roles = 1u << ROLE_USER, .session_epoch = 1,
                                  .issued_at = now, .expires_at = instant_add(now, duration_s(TOKEN_LIFE_MAX_S))};
    must(t->app.store->ops->user_insert(t->app.store, &u, &err));
    must(token_sign(key, &claims, &token, a, &err));
    t->header = (struct str_pair){STR("authorization"), arena_fmt(a, "Bearer %.*s", STR_ARG(token))};
    t->headers = (struct str_map){&t->header, 1};
}

static void ask(struct target *t, const char *method, const char *path, const char *query, struct str body)
{
    struct arena a;
    arena_init(&a, ARENA_BUDGET);
    struct httpd_request req = {.method = str_of(method), .path = str_of(path), .query = str_of(query), .body = body,
                                .remote = STR("192.0.2.1"), .a = &a, .headers = &t->headers};
    struct httpd_response resp = {.status = 200, .content_type = "application/json"};
    sbuf_init(&resp.body, &a, ANSWER_MAX);
    t->handlers.handle(t->handlers.ctx, &req, &resp);
    struct err err = {0};
    json_t *v;
    must(resp.status >= 200 && resp.status < 500);
    must(json_parse(sbuf_str(&resp.body), &v, &err));
    must(resp.status < 400 || json_integer_value(json_object_get(v, "status")) == resp.status);
    json_decref(v);
    arena_release(&a);
}

static struct target *target_get(void)
{
    static struct target t;
    static const uint8_t secret[TOKEN_KEY_BYTES] = "a key for fuzzing, 32 bytes long";
    static struct arena a;
    if (t.handlers.handle)
        return &t;
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_JSON);
    arena_init(&a, SETUP_ARENA);
    clock_virtual_init(&t.clock, instant_s(START_S));
    struct token_key *key = token_key_new(secret);
    struct app_parts parts = {.store = store_memory_new(), .clock = &t.clock.base, .key = key,
                              .zones = zones_new(NULL)};
    app_settings_init(&parts.settings);
    app_init(&t.app, &parts);
    t.handlers = api_handlers(api_new(&t.app));
    add_user(&t, key, &a);
    struct job j;
    field_defaults(&job_fields, &j);
    j.id = app_id(&t.app);
    j.name = STR("patched");
    j.type = STR("DUMMY");
    j.payload = STR("{}");
    j.version = 1;
    j.created_at = j.updated_at = clock_now(&t.clock.base);
    j.schedule.kind = SCHEDULE_MANUAL;
    struct user u;
    struct err err = {0};
    must(parts.store->ops->user_by_email(parts.store, STR("a@example.org"), &u, &a, &err));
    j.owner_id = u.id;
    struct plan p = {.next_fire = INSTANT_NEVER};
    plan_of_job(&j, &p);
    must(parts.store->ops->jobs_insert(parts.store, &j, &p, 1, &err));
    char id[ULID_TEXT_MAX];
    (void)snprintf(t.patch_path, sizeof t.patch_path, "/api/v1/jobs/%s", ulid_format(j.id, id));
    return &t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct target *t = target_get();
    struct str body = {(const char *)data, size};
    if (size == 0)
        body = STR_NONE;
    ask(t, "POST", "/api/v1/jobs", "dryRun=true", body);
    ask(t, "POST", "/api/v1/jobs:batch", "partial=true&dryRun=true", body);
    ask(t, "POST", "/api/v1/schedules:preview", "", body);
    ask(t, "PATCH", t->patch_path, "dryRun=true", body);
    return 0;
}
