// SPDX-License-Identifier: Apache-2.0
// The matrix of rights, generated from the route table: every route asked by nobody, with a bad token, by each role
// that is not the owner, and by an administrator. What is right follows from auth/policy alone.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/call.h"
#include "base/log.h"
#include "script.h"

enum { TARGET_MAX = 256 };

struct objects {
    char job[ULID_TEXT_MAX], run[ULID_TEXT_MAX], letter[ULID_TEXT_MAX], breaker[ULID_TEXT_MAX], node[16];
    char user[ULID_TEXT_MAX], key[ULID_TEXT_MAX], team[ULID_TEXT_MAX], subscription[ULID_TEXT_MAX];
    char feature[16], delivery[ULID_TEXT_MAX];
};

static void remember(char text[static ULID_TEXT_MAX], const struct exchange *x)
{
    struct str id = json_str(json_object_get(x->json, "id"));
    assert_int_equal(id.n, ULID_TEXT_LEN);
    memcpy(text, id.p, id.n);
    text[id.n] = '\0';
}

static void make(struct world *w, const char *target, const char *who, struct str body, char id[static ULID_TEXT_MAX])
{
    struct exchange x;
    world_send(w, &(struct request){"POST", target, who, body, NULL}, &x);
    if (x.resp.status != 201)
        fail_msg("POST %s answered %d", target, x.resp.status);
    remember(id, &x);
    exchange_release(&x);
}

// Somebody without jobs, in a team of nobody else; an API key of ada's.
static void make_accounts(struct world *w, struct objects *o)
{
    struct err err = {0};
    struct ulid team;
    struct str role = STR("USER");
    struct user u = {.id = app_id(&w->app), .email = STR("spare@example.org"), .password_hash = STR("-"),
                     .roles = {&role, 1}, .enabled = true, .session_epoch = 1, .created_at = clock_now(&w->clock.base)};
    assert_true(w->store->ops->user_insert(w->store, &u, &err));
    (void)ulid_format(u.id, o->user);
    make(w, "/api/v1/teams", "admin", STR("{\"name\":\"others\"}"), o->team);
    assert_true(ulid_parse(str_of(o->team), &team));
    assert_true(w->store->ops->accounts->member_put(w->store, team, u.id, TEAM_MANAGER, &err));
    make(w, "/api/v1/api-keys", "ada", STR("{\"name\":\"hers\",\"scopes\":[\"*\"]}"), o->key);
    (void)snprintf(o->feature, sizeof o->feature, "registration");
    char target[TARGET_MAX];
    (void)snprintf(target, sizeof target, "/api/v1/jobs/%s/notifications", o->job);
    make(w, target, "ada", STR("{\"channel\":\"WEBHOOK\",\"config\":{\"url\":\"http://t.example/\",\"secrets\":"
                               "[\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]}}"), o->subscription);
    struct exchange x;
    (void)snprintf(target, sizeof target, "/api/v1/notifications/%s:test", o->subscription);
    world_send(w, &(struct request){"POST", target, "ada", STR_NONE, NULL}, &x);
    assert_int_equal(x.resp.status, 202);
    remember(o->delivery, &x);
    exchange_release(&x);
}

// A job of ada's with a failed run and its dead letter.
static void make_objects(struct world *w, struct objects *o)
{
    struct exchange x;
    char target[TARGET_MAX];
    struct ulid run;
    world_send(w, &(struct request){"POST", "/api/v1/jobs", "ada",
        STR("{\"name\":\"hers\",\"type\":\"DUMMY\",\"schedule\":{\"scheduleType\":\"MANUAL\"}}"), NULL}, &x);
    assert_int_equal(x.resp.status, 201);
    remember(o->job, &x);
    exchange_release(&x);
    (void)snprintf(target, sizeof target, "/api/v1/jobs/%s:run-now", o->job);
    world_send(w, &(struct request){"POST", target, "ada", STR_NONE, NULL}, &x);
    assert_int_equal(x.resp.status, 202);
    remember(o->run, &x);
    exchange_release(&x);
    assert_true(ulid_parse(str_of(o->run), &run));
    world_start_run(w, run);
    world_end_run(w, run, RUN_FAILED, "DUMMY_ERROR");
    world_send(w, &(struct request){"GET", "/api/v1/dlq?resolved=false", "ada", STR_NONE, NULL}, &x);
    struct str id = json_str(json_object_get(json_array_get(json_object_get(x.json, "content"), 0), "id"));
    assert_int_equal(id.n, ULID_TEXT_LEN);
    memcpy(o->letter, id.p, id.n);
    o->letter[id.n] = '\0';
    exchange_release(&x);
    world_break(w, "http://target:80");
    (void)ulid_format(breaker_id(STR("http://target:80")), o->breaker);
    (void)snprintf(o->node, sizeof o->node, "%.*s", STR_ARG(w->app.cluster.node_name));
    (void)snprintf(target, sizeof target, "/api/v1/secrets/%s", o->node); // of the same name
    world_send(w, &(struct request){"PUT", target, "admin", STR("{\"value\":\"hunter22\",\"shared\":true}"), NULL}, &x);
    assert_int_equal(x.resp.status, 200);
    exchange_release(&x);
    make_accounts(w, o);
}

static void make_target(const struct route *r, const struct objects *o, char target[static TARGET_MAX])
{
    size_t n = (size_t)snprintf(target, TARGET_MAX, "%s", r->flags & ROUTE_ROOT ? "" : "/api/v1");
    for (const char *p = r->path; *p; p++) {
        if (*p != '{') {
            target[n++] = *p;
            continue;
        }
        bool feature = strncmp(r->path, "/actuator/features", 18) == 0;
        const char *id = feature                                 ? o->feature
                         : strncmp(p, "{runId}", 7) == 0         ? o->run
                         : strncmp(p, "{name}", 6) == 0     ? o->node
                         : strncmp(p, "{type}", 6) == 0     ? "DUMMY"
                         : strncmp(p, "{userId}", 8) == 0   ? o->user
                         : strncmp(p, "{keyId}", 7) == 0    ? o->key
                         : strncmp(r->path, "/notifications/deliveries/", 26) == 0 ? o->delivery
                         : strncmp(p, "{notificationId}", 16) == 0 || strncmp(r->path, "/notifications/{", 16) == 0
                             ? o->subscription
                         : strncmp(p, "{teamId}", 8) == 0   ? o->team
                         : strncmp(r->path, "/breakers", 9) == 0 ? o->breaker
                         : strncmp(r->path, "/dlq", 4) == 0 ? o->letter
                                                            : o->job;
        n += (size_t)snprintf(target + n, TARGET_MAX - n, "%s", id);
        while (*p != '}')
            p++;
    }
    target[n] = '\0';
}

static int ask(struct world *w, const struct route *r, const char *target, const char *who)
{
    struct exchange x;
    world_send(w, &(struct request){r->method, target, who, STR("{}"), NULL}, &x);
    int status = x.resp.status;
    if (status >= 400)
        assert_true(problem_proper(&x));
    exchange_release(&x);
    return status;
}

// absent: what the same request gets for an object that does not exist (400 when the body is judged first).
static void expect_stranger(const struct route *r, const char *who, unsigned roles, int status, int absent)
{
    enum reach reach = policy_reach(roles, (enum action)r->action);
    bool object = strchr(r->path, '{') != NULL;
    bool wanted = reach == REACH_NONE              ? status == 403
                  : reach == REACH_OWN && object ? status == absent && (status == 404 || status == 400)
                                                 : status != 401 && status != 403 && status != 404;
    if (!wanted)
        fail_msg("%s %s as %s answered %d", r->method, r->path, who, status);
}

static void every_route_answers_each_role_as_the_policy_says(void **state)
{
    (void)state;
    static const struct {
        const char *who;
        enum role role;
    } strangers[] = {{"viewer", ROLE_VIEWER}, {"bob", ROLE_USER}, {"operator", ROLE_OPERATOR}, {"admin", ROLE_ADMIN}};
    static const struct objects none = {"01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAV",
                                        "01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "nobody",
                                        "01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAV",
                                        "01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "nothing"};
    for (size_t i = 0; i < routes_n; i++) {
        const struct route *r = &routes[i];
        for (size_t k = 0; k < sizeof strangers / sizeof strangers[0]; k++) {
            struct world w;
            struct objects o;
            char target[TARGET_MAX];
            world_open(&w);
            make_objects(&w, &o);
            make_target(r, &o, target);
            int nobody = ask(&w, r, target, NULL);
            if (r->action == ACTION_PUBLIC) {
                bool secret_path = strncmp(r->path, "/ping/", 6) == 0; // the key in it is the right
                assert_true(secret_path ? nobody == 404 : nobody != 401 && nobody != 403 && nobody != 404);
            } else {
                assert_int_equal(nobody, 401);
                assert_int_equal(ask(&w, r, target, "a stranger"), 401);
                char elsewhere[TARGET_MAX];
                make_target(r, &none, elsewhere);
                bool object = strchr(r->path, '{') != NULL;
                int absent = object ? ask(&w, r, elsewhere, strangers[k].who) : 404;
                expect_stranger(r, strangers[k].who, 1u << strangers[k].role,
                                ask(&w, r, target, strangers[k].who), absent);
            }
            world_close(&w);
        }
    }
}

// A key that may do everything but what the route asks for is refused everywhere, one with the scope is not.
static void a_key_without_the_scope_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < routes_n; i++) {
        const struct route *r = &routes[i];
        struct world w;
        struct objects o;
        struct exchange x;
        char target[TARGET_MAX], body[TARGET_MAX], id[ULID_TEXT_MAX];
        if (r->action == ACTION_PUBLIC || r->action == ACTION_SELF)
            continue;
        world_open(&w);
        make_objects(&w, &o);
        make_target(r, &o, target);
        (void)snprintf(body, sizeof body, "{\"name\":\"k\",\"scopes\":[\"%s\"]}",
                       r->action == ACTION_JOB_TYPE_READ ? "schedule.preview" : "job-type.read");
        world_send(&w, &(struct request){"POST", "/api/v1/api-keys", "admin", str_of(body), NULL}, &x);
        assert_int_equal(x.resp.status, 201);
        remember(id, &x);
        struct str_pair header = {STR("authorization"),
                                   arena_fmt(&w.arena, "Bearer %.*s",
                                             STR_ARG(json_str(json_object_get(x.json, "token"))))};
        exchange_release(&x);
        const struct str_map headers = {&header, 1};
        world_send(&w, &(struct request){r->method, target, NULL, STR("{}"), &headers}, &x);
        if (x.resp.status != 403)
            fail_msg("%s %s with a key without the scope answered %d", r->method, r->path, x.resp.status);
        exchange_release(&x);
        world_close(&w);
    }
}

static void a_refused_change_changes_nothing(void **state)
{
    (void)state;
    struct world w;
    struct objects o;
    struct exchange x;
    char target[TARGET_MAX];
    world_open(&w);
    make_objects(&w, &o);
    size_t runs = store_memory_run_count(w.store);
    for (size_t i = 0; i < routes_n; i++) {
        make_target(&routes[i], &o, target);
        if (routes[i].action == ACTION_PUBLIC || strchr(routes[i].path, '{') == NULL)
            continue;
        (void)ask(&w, &routes[i], target, "bob");
    }
    (void)snprintf(target, sizeof target, "/api/v1/jobs/%s", o.job);
    world_send(&w, &(struct request){"GET", target, "ada", STR_NONE, NULL}, &x);
    assert_int_equal(x.resp.status, 200);
    assert_int_equal(json_integer_value(json_object_get(x.json, "version")), 1);
    exchange_release(&x);
    assert_int_equal(store_memory_run_count(w.store), runs);
    world_close(&w);
}

static void a_disabled_user_is_signed_out_at_once(void **state)
{
    (void)state;
    struct world w;
    struct err err = {0};
    struct user u;
    struct exchange x;
    world_open(&w);
    assert_true(w.store->ops->user_by_email(w.store, STR("ada@example.org"), &u, &w.arena, &err));
    u.enabled = false;
    assert_true(w.store->ops->user_update(w.store, &u, &err));
    world_send(&w, &(struct request){"GET", "/api/v1/jobs", "ada", STR_NONE, NULL}, &x);
    assert_int_equal(x.resp.status, 401);
    exchange_release(&x);
    world_close(&w);
}

static void an_expired_token_is_refused(void **state)
{
    (void)state;
    struct world w;
    struct exchange x;
    world_open(&w);
    clock_virtual_advance(&w.clock, duration_s(TOKEN_LIFE_MAX_S + 60));
    world_send(&w, &(struct request){"GET", "/api/v1/jobs", "ada", STR_NONE, NULL}, &x);
    assert_int_equal(x.resp.status, 401);
    exchange_release(&x);
    world_close(&w);
}

int main(void)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_answers_each_role_as_the_policy_says),
        cmocka_unit_test(a_key_without_the_scope_is_refused),
        cmocka_unit_test(a_refused_change_changes_nothing),
        cmocka_unit_test(a_disabled_user_is_signed_out_at_once),
        cmocka_unit_test(an_expired_token_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
