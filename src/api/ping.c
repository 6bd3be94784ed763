// SPDX-License-Identifier: Apache-2.0
// Pings from anywhere: any method that a shell, a browser or a monitoring probe sends, any body, a word for an answer.
#include "app/ping.h"

#include "api/handlers.h"

enum { EXIT_CODE_MAX = 255 };

static bool word_read(struct str word, struct ping_note *ret, struct err *err)
{
    static const struct {
        const char *word;
        int kind;
        int64_t exit_code;
    } words[] = {{"success", PING_KIND_SUCCESS, 0},
                 {"start", PING_KIND_START, 0},
                 {"fail", PING_KIND_FAILURE, 1},
                 {"log", PING_KIND_LOG, 0}};
    int64_t code;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (str_is(word, words[i].word)) {
            *ret = (struct ping_note){.kind = words[i].kind, .exit_code = words[i].exit_code};
            return true;
        }
    if (!str_to_i64(word, &code) || code < 0 || code > EXIT_CODE_MAX)
        return ERR(err, ERR_NOT_FOUND, "a ping ends with start, success, fail, log or an exit code from 0 to 255");
    *ret = (struct ping_note){.kind = code ? PING_KIND_FAILURE : PING_KIND_SUCCESS, .exit_code = code};
    return true;
}

static bool ping(struct call *c, struct str word, struct err *err)
{
    struct ping_note p;
    if (!word_read(word, &p, err))
        return false;
    p.body = c->req->body;
    if (!app_ping(c->app, c->param[0], &p, c->a, err))
        return false;
    c->resp->content_type = "text/plain; charset=utf-8";
    call_header(c, "Cache-Control", STR("no-store"));
    sbuf_puts(call_out(c), "OK\n");
    return true;
}

bool api_ping(struct call *c, struct err *err) { return ping(c, STR("success"), err); }

bool api_ping_word(struct call *c, struct err *err) { return ping(c, c->param[1], err); }

bool api_ping_address(struct call *c, struct err *err)
{
    struct ulid id;
    struct ping_address v;
    if (!call_id(c, 0, &id, err) || !app_ping_address(c->app, &c->caller, id, &v, c->a, err))
        return false;
    call_header(c, "Cache-Control", STR("no-store"));
    call_one(c, &ping_address_fields, &v);
    return true;
}
