// SPDX-License-Identifier: Apache-2.0
// A store whose database goes away and comes back: store_away step | load. Driven by test_server_away.py.
//
// step: for each line read, every kind of operation runs once; prints "<operation> <error or OK>" of each,
// then ".". load: a thread for each kind of operation runs it again and again and prints a line whenever its
// result is another one than before, until standard input ends. A result that says neither success nor that
// the database is away ends it badly.
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/sync.h"
#include "server.h"

enum { LEASE_S = 3600, TOKEN = 5, ARENA_BUDGET = 1024 * 1024, LINE_MAX_BYTES = 64 };

typedef bool (*operation)(struct store *s, struct arena *a, struct err *err);

static bool put(struct store *s, struct arena *a, struct err *err)
{
    (void)a;
    return s->ops->setting_put(s, STR("away"), STR("value"), err);
}

static bool get(struct store *s, struct arena *a, struct err *err)
{
    struct str v;
    return s->ops->setting_get(s, STR("away"), &v, a, err);
}

static bool flush(struct store *s, struct arena *a, struct err *err)
{
    (void)a;
    struct log_line line = {.id = 1, .run_id = {{1}}, .timestamp = {1}, .message = STR("line")};
    struct flush f = {.logs = &line, .n_logs = 1, .node_token = TOKEN};
    return s->ops->flush(s, &f, err);
}

static bool renew(struct store *s, struct arena *a, struct err *err)
{
    (void)a;
    return s->ops->node_renew(s, TOKEN, duration_s(LEASE_S), 0, 0, err);
}

static bool nodes(struct store *s, struct arena *a, struct err *err)
{
    struct node *v;
    struct instant now;
    size_t n;
    return s->ops->nodes_list(s, &v, &n, &now, a, err);
}

static bool duty(struct store *s, struct arena *a, struct err *err)
{
    (void)a;
    bool held;
    int64_t term;
    return s->ops->duty_hold(s, STR("away"), TOKEN, duration_s(LEASE_S), &held, &term, err);
}

static bool wait_for_changes(struct store *s, struct arena *a, struct err *err)
{
    (void)a;
    return !s->ops->changes_wait || s->ops->changes_wait(s, duration_ms(10), err);
}

static const struct {
    const char *name;
    operation run;
} operations[] = {
    {"setting_put", put},
    {"setting_get", get},
    {"flush", flush},
    {"node_renew", renew},
    {"nodes_list", nodes},
    {"duty_hold", duty},
    {"changes_wait", wait_for_changes},
};
enum { OPERATIONS = sizeof operations / sizeof operations[0] };

static enum err_code once(struct store *s, operation run, struct err *err)
{
    struct arena a CLEANUP(arena_release);
    arena_init(&a, ARENA_BUDGET);
    return run(s, &a, err) ? ERR_NONE : err->code;
}

static void say(const char *name, enum err_code code, const struct err *err)
{
    printf("%s %s %s\n", name, code == ERR_NONE ? "OK" : err_code_name(code),
           code == ERR_NONE ? "" : err->text);
    (void)fflush(stdout);
}

static int step(struct store *s)
{
    char line[LINE_MAX_BYTES];
    while (fgets(line, sizeof line, stdin)) {
        for (size_t i = 0; i < OPERATIONS; i++) {
            struct err err;
            say(operations[i].name, once(s, operations[i].run, &err), &err);
        }
        puts(".");
        (void)fflush(stdout);
    }
    return 0;
}

// ---- load --------------------------------------------------------------------------------------

struct worker {
    struct store *s;
    size_t number;
    _Atomic bool *stop, *bad;
};

static void *work(void *arg)
{
    const struct worker *w = arg;
    const char *name = operations[w->number].name;
    enum err_code before = ERR_INTERNAL;
    while (!atomic_load(w->stop)) {
        struct err err;
        enum err_code code = once(w->s, operations[w->number].run, &err);
        bool fair = code == ERR_NONE || code == ERR_UNAVAILABLE || code == ERR_UNKNOWN_COMMIT;
        if (code != before)
            say(name, code, &err);
        before = code;
        if (!fair)
            atomic_store(w->bad, true);
    }
    return NULL;
}

static int load(struct store *s)
{
    char line[LINE_MAX_BYTES];
    _Atomic bool stop = false, bad = false;
    struct worker v[OPERATIONS];
    pthread_t t[OPERATIONS];
    for (size_t i = 0; i < OPERATIONS; i++) {
        v[i] = (struct worker){s, i, &stop, &bad};
        t[i] = thread_start("worker", work, &v[i]);
    }
    while (fgets(line, sizeof line, stdin))
        ;
    atomic_store(&stop, true);
    for (size_t i = 0; i < OPERATIONS; i++)
        (void)pthread_join(t[i], NULL);
    return atomic_load(&bad);
}

int main(int argc, char **argv)
{
    struct err err;
    struct node n = {.token = TOKEN, .name = STR("away")};
    struct store *s = server_store(&err);
    struct arena a CLEANUP(arena_release);
    arena_init(&a, ARENA_BUDGET);
    if (argc < 2 || !s || !put(s, &a, &err) || !s->ops->node_register(s, &n, duration_s(LEASE_S), &err)) {
        (void)fprintf(stderr, "store_away: %s\n", argc < 2 ? "step or load?" : err.text);
        return 2;
    }
    int end = strcmp(argv[1], "step") == 0 ? step(s) : load(s);
    s->ops->free(s);
    return end;
}
