// SPDX-License-Identifier: Apache-2.0
// Why a job runs or does not, over REST.
#include "app/explain.h"

#include "api/handlers.h"

static void step_write(struct sbuf *out, const struct explain_step *s)
{
    sbuf_fmt(out, "{\"step\":\"%s\",\"verdict\":\"%s\",\"detail\":", s->name,
             explain_verdict_names[s->verdict]);
    sbuf_json(out, s->detail);
    if (s->remedy.p) {
        sbuf_puts(out, ",\"remedy\":");
        sbuf_json(out, s->remedy);
    }
    sbuf_putc(out, '}');
}

bool api_job_explain(struct call *c, struct err *err)
{
    struct ulid id;
    struct explain e;
    char at[INSTANT_TEXT_MAX];
    struct instant asked = query_instant(c, "at");
    if (!call_id(c, 0, &id, err) || !call_faulty(c, err) ||
        !app_job_explain(c->app, &c->caller, id, asked, &e, c->a, err))
        return false;
    struct sbuf *out = call_out(c);
    sbuf_puts(out, "{\"at\":");
    if (instant_is_never(e.at))
        sbuf_puts(out, "null");
    else
        sbuf_json(out, str_of(instant_format(e.at, at)));
    sbuf_fmt(out, ",\"runs\":%s,\"summary\":", e.runs ? "true" : "false");
    sbuf_json(out, e.summary);
    sbuf_puts(out, ",\"steps\":[");
    for (size_t i = 0; i < e.n; i++) {
        list_next(c, i);
        step_write(out, &e.v[i]);
    }
    sbuf_puts(out, "]}");
    call_header(c, "Cache-Control", STR("no-store"));
    return true;
}
