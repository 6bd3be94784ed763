// SPDX-License-Identifier: Apache-2.0
// Nodes of the cluster: look, drain before maintenance, take part again.
#include <poll.h>

#include "cli/commands.h"
#include "cli/format.h"
#include "cli/list.h"

enum { PAUSE_MS = 500 };

static const struct column list_columns[] = {{"NAME", "name", COLUMN_TEXT},
                                             {"STATE", "state", COLUMN_STATUS},
                                             {"SLOTS", "slots", COLUMN_TEXT},
                                             {"RUNNING", "running", COLUMN_TEXT},
                                             {"STARTED", "startedAt", COLUMN_TIME},
                                             {"HEARTBEAT", "leaseAgeMs", COLUMN_DURATION_MS},
                                             {"VERSION", "version", COLUMN_TEXT},
                                             {"ADDRESS", "address", COLUMN_TEXT},
                                             {NULL, NULL, COLUMN_TEXT}};

static const struct column record_columns[] = {{"name", "name", COLUMN_TEXT},
                                               {"state", "state", COLUMN_STATUS},
                                               {"drain wanted", "drainWanted", COLUMN_TEXT},
                                               {"slots", "slots", COLUMN_TEXT},
                                               {"running", "running", COLUMN_TEXT},
                                               {"address", "address", COLUMN_TEXT},
                                               {"version", "version", COLUMN_TEXT},
                                               {"started", "startedAt", COLUMN_TIME},
                                               {"lease until", "leaseUntil", COLUMN_TIME},
                                               {"since heartbeat", "leaseAgeMs", COLUMN_DURATION_MS},
                                               {"clock offset", "clockOffsetMs", COLUMN_TEXT},
                                               {NULL, NULL, COLUMN_TEXT}};

static int list_run(struct cli *c)
{
    CLEANUP_REPLY struct reply r = {0};
    int code = client_once(c, &(struct call){.method = "GET", .path = STR(API_BASE "/cluster/nodes")}, &r);
    if (code == CLI_OK)
        output_list(&c->out, list_columns, "name", r.json, r.body, &c->arena);
    return code;
}

// The living node of that name in a list, else the one that ended, else NULL.
static const json_t *node_find(const json_t *list, struct str name)
{
    const json_t *found = NULL;
    size_t i;
    json_t *node;
    json_array_foreach(json_object_get(list, "content"), i, node)
    {
        if (!str_eq(json_str(json_object_get(node, "name")), name))
            continue;
        if (!str_is(json_str(json_object_get(node, "state")), "DEAD"))
            return node;
        found = node;
    }
    return found;
}

struct drain_watch {
    struct str seen; // heartbeat at which it was first seen deciding for nothing; absent: not yet
};

// Empty: it obeyed and nothing runs there any more, or it is gone. How much runs is told by the heartbeat, so
// one that came after it stopped deciding is waited for.
static bool node_empty(struct drain_watch *w, const json_t *node, struct arena *a)
{
    struct str state = json_str(json_object_get(node, "state"));
    struct str heartbeat = json_str(json_object_get(node, "renewedAt"));
    if (!node || str_is(state, "DEAD"))
        return true;
    if (!str_is(state, "DRAINING") || json_integer_value(json_object_get(node, "slots")) != 0)
        return false;
    if (!w->seen.p)
        w->seen = arena_str(a, heartbeat);
    return !str_eq(w->seen, heartbeat) && json_integer_value(json_object_get(node, "running")) == 0;
}

// Looks again and again until the node is empty: a drain is as long as the longest run.
static int drain_wait(struct client *cl, struct str name, struct duration timeout)
{
    struct cli *c = cl->cli;
    struct mono deadline =
        timeout.us > 0 ? mono_add(clock_mono(c->clock), timeout) : (struct mono){INT64_MAX};
    struct drain_watch w = {0};
    for (json_int_t told = -1;;) {
        CLEANUP_REPLY struct reply r = {0};
        int code =
            client_call(cl, &(struct call){.method = "GET", .path = STR(API_BASE "/cluster/nodes")}, &r);
        if (code != CLI_OK)
            return code;
        const json_t *node = node_find(r.json, name);
        if (node_empty(&w, node, &c->arena))
            break;
        json_int_t running = json_integer_value(json_object_get(node, "running"));
        if (running != told && c->out.form == OUTPUT_TABLE)
            fprintf(c->out.err, "%lld still running\n", (long long)(told = running));
        if (mono_since(deadline, clock_mono(c->clock)).us <= 0) {
            fputs("chronos: the node is not empty in time; it goes on draining\n", c->out.err);
            return CLI_UNREACHABLE;
        }
        poll(NULL, 0, PAUSE_MS);
    }
    output_done(&c->out, "node %.*s is empty", STR_ARG(text_printable(name, &c->arena)));
    return CLI_OK;
}

static int want(struct client *cl, struct str name, const char *verb, const char *told)
{
    struct cli *c = cl->cli;
    CLEANUP_REPLY struct reply r = {0};
    const struct call call = {.method = "POST", .path = client_path(&c->arena, "cluster/nodes", name, verb)};
    int code = client_call(cl, &call, &r);
    if (code == CLI_OK && c->out.form == OUTPUT_TABLE)
        fprintf(c->out.out, "node %.*s %s\n", STR_ARG(text_printable(name, &c->arena)), told);
    else if (code == CLI_OK)
        output_object(&c->out, record_columns, "name", r.json, r.body, &c->arena);
    return code;
}

static int drain_run(struct cli *c)
{
    struct client cl;
    struct err err;
    struct str text = flag_str(c, "timeout");
    struct duration timeout = {0};
    if (text.p && !flag_on(c, "wait"))
        return cli_usage(c, "--timeout goes with --wait");
    if ((text.p && !duration_parse(text, &timeout, &err)) || !client_open(c, &cl, &err))
        return cli_fail(c, &err);
    int code = want(&cl, line_arg(c, 0), ":drain", "is asked to hand its jobs over");
    return code == CLI_OK && flag_on(c, "wait") ? drain_wait(&cl, line_arg(c, 0), timeout) : code;
}

static int resume_run(struct cli *c)
{
    struct client cl;
    struct err err;
    if (!client_open(c, &cl, &err))
        return cli_fail(c, &err);
    return want(&cl, line_arg(c, 0), ":resume", "is asked to take part again");
}

static const struct cli_flag drain_flags[] = {
    {"wait", 'w', NULL, "Wait until nothing runs there any more"},
    {"timeout", 0, "DURATION", "With --wait: at most so long; exit code 6 then"},
    {NULL, 0, NULL, NULL}};

#define ONE_NODE .args = "NAME", .args_min = 1, .args_max = 1
const struct cli_command command_node = {
    "node", "nodes", "Nodes of the cluster",
    (const struct cli_verb[]){{.name = "list",
                               .alias = "ls",
                               .args = "",
                               .run = list_run,
                               .doc = "List the nodes and what each decides for",
                               .examples = "chronos node list\nchronos node list -o json"},
                              {.name = "drain",
                               ONE_NODE,
                               .flags = drain_flags,
                               .run = drain_run,
                               .doc = "Hand a node's jobs over to the others; it finishes what it runs",
                               .examples = "chronos node drain node-2 --wait --timeout 10m"},
                              {.name = "resume",
                               ONE_NODE,
                               .run = resume_run,
                               .doc = "Let a drained node take part again",
                               .examples = "chronos node resume node-2"},
                              {0}}};
