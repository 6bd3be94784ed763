// SPDX-License-Identifier: Apache-2.0
// A ping is one small write: a memo of the job for each kind, so that none has to read what another wrote.
#include "app/ping.h"

#include "app/job.h"
#include "auth/ping_key.h"
#include "jobs/monitors.h"

#define T struct ping_address
static const struct field address_rows[] = {
    FIELD_STR(T, path, "path", .doc = "Where the work pings: /start when it begins, the path itself or /success at "
                                      "its end, /fail or /<exit code> when it failed, /log with output alone."),
    FIELD_STR(T, url, "url", .doc = "The whole address."),
};
#undef T
const struct fields ping_address_fields =
    FIELDS("PingAddress", struct ping_address, address_rows, .doc = "Where work that runs elsewhere pings a MONITOR.");

static const struct str monitor_type = STR_INIT("MONITOR");

void app_set_monitors(struct app *app, struct monitors *m) { app->monitors = m; }

static bool no_such_address(struct err *err)
{
    return ERR(err, ERR_NOT_FOUND, "there is nothing to ping at this address; see the job's ping-url");
}

// The end of a body as text; what is no text is not kept.
static struct str body_text(struct str body)
{
    if (body.n > PING_BODY_MAX) {
        body = (struct str){body.p + (body.n - PING_BODY_MAX), PING_BODY_MAX};
        while (body.n > 0 && ((unsigned char)body.p[0] & 0xc0) == 0x80) // inside a character
            body = (struct str){body.p + 1, body.n - 1};
    }
    bool text = str_utf8_valid(body) && (body.n == 0 || !memchr(body.p, '\0', body.n));
    return text ? body : STR("(the body is not UTF-8 text)");
}

bool app_ping(struct app *app, struct str key, const struct ping_note *p, struct arena *a, struct err *err)
{
    static const char *const memos[] = {"ping.start", "ping.success", "ping.failure", "ping.log"};
    struct ulid job_id;
    struct job j;
    struct sbuf value;
    if (!app->key || !ping_key_read(app->key, key, &job_id))
        return no_such_address(err);
    struct err why = {0};
    bool found = app->store->ops->job_get(app->store, job_id, &j, a, &why);
    if (!found && why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    if (!found || !str_eq(j.type, monitor_type))
        return no_such_address(err);
    sbuf_init(&value, a, MEMO_VALUE_MAX);
    sbuf_fmt(&value, "{\"at\":%lld,\"exitCode\":%lld,\"body\":", (long long)clock_now(app->clock).us,
             (long long)p->exit_code);
    sbuf_json(&value, body_text(p->body));
    sbuf_putc(&value, '}');
    if (!sbuf_ok(&value))
        return ERR(err, ERR_TOO_LARGE, "the body is too large; send its end");
    if (!app->store->ops->memo_set(app->store, job_id, str_of(memos[p->kind]), sbuf_str(&value), err))
        return false;
    bool decides = p->kind == PING_KIND_SUCCESS || p->kind == PING_KIND_FAILURE;
    if (app->monitors && decides)
        monitors_wake(app->monitors, job_id);
    app_wake_others(app);
    return true;
}

bool app_ping_address(struct app *app, const struct caller *c, struct ulid job_id, struct ping_address *ret,
                      struct arena *a, struct err *err)
{
    struct job j;
    char key[PING_KEY_TEXT_MAX];
    if (!app_job_get(app, c, ACTION_JOB_RUN, job_id, &j, a, err))
        return false;
    if (!str_eq(j.type, monitor_type))
        return ERR(err, ERR_INVALID, "only jobs of type MONITOR are pinged, this one is of type %.*s", STR_ARG(j.type));
    if (!app->key)
        return ERR(err, ERR_UNAVAILABLE, "this server has no key to make addresses with");
    struct ping_address v = {.path = arena_fmt(a, "/ping/%s", ping_key_text(app->key, job_id, key))};
    v.url = arena_fmt(a, "%.*s%.*s", STR_ARG(app->cluster.address), STR_ARG(v.path));
    *ret = v;
    return true;
}
