// SPDX-License-Identifier: Apache-2.0
// Calls to the server: address, token with renewal, and failures told once.
#include "cli/client.h"

#include "base/file.h"
#include "base/sync.h"

#define FAR_US (365 * S_PER_DAY * US_PER_S)
enum {
    TOKEN_MAX = 16 << 10,
    HEADERS_MAX = 6,
    RENEW_BEFORE_S = 10, // an access token this near to its end is renewed first
    STATUS_UNAUTHENTICATED = 401,
};

void reply_release(struct reply *r)
{
    json_decref(r->json);
    r->json = NULL;
}

static struct str url_default(const struct cli *c)
{
    struct str listen = cli_env(c, "CHRONOS_HTTP_LISTEN"), host;
    int64_t port;
    struct err ignored;
    const char *scheme = cli_env(c, "CHRONOS_HTTP_TLS_CERTIFICATE").n > 0 ? "https" : "http";
    if (!listen.p || !config_listen_parse(listen, &host, &port, &ignored) || port == 0)
        return arena_fmt((struct arena *)&c->arena, "%s://127.0.0.1:8080", scheme);
    bool any = host.n == 0 || str_is(host, "0.0.0.0");
    bool v6 = str_find(host, ':') < host.n;
    if (any || str_is(host, "::"))
        host = any ? STR("127.0.0.1") : STR("::1");
    return arena_fmt((struct arena *)&c->arena, "%s://%s%.*s%s:%lld", scheme, v6 ? "[" : "", STR_ARG(host),
                     v6 ? "]" : "", (long long)port);
}

static bool token_given(struct cli *c, struct str *ret, struct err *err)
{
    struct str token = cli_env(c, "CHRONOS_TOKEN"), file = cli_env(c, "CHRONOS_TOKEN_FILE");
    if (token.p && file.p)
        return ERR(err, ERR_CONFIG, "CHRONOS_TOKEN and CHRONOS_TOKEN_FILE are both set: unset one");
    if (file.p) {
        if (!file_read(arena_cstr(&c->arena, file), TOKEN_MAX, &token, &c->arena, err))
            return err_wrap(err, "CHRONOS_TOKEN_FILE");
        token = str_trim(token);
    }
    *ret = token.n ? token : STR_NONE;
    return true;
}

bool client_open(struct cli *c, struct client *ret, struct err *err)
{
    struct client cl = {.cli = c, .url = flag_str(c, "url"), .session.expires_at = INSTANT_NEVER};
    if (!cl.url.p)
        cl.url = cli_env(c, "CHRONOS_URL");
    if (!cl.url.p) {
        cl.url = url_default(c);
        cl.url_derived = true;
    }
    while (cl.url.n > 0 && cl.url.p[cl.url.n - 1] == '/')
        cl.url.n--;
    if (!http_url_check(cl.url, err)) {
        err->code = ERR_INVALID;
        return err_wrap(err, "address of the server (--url, CHRONOS_URL)");
    }
    if (!token_given(c, &cl.token, err))
        return false;
    struct err no_file; // no HOME: no stored session
    if (!cl.token.p && session_load(c, cl.url, &cl.session, &c->arena, &no_file))
        cl.token = cl.session.access_token;
    *ret = cl;
    return true;
}

struct str client_path(struct arena *a, const char *noun, struct str id, const char *tail)
{
    struct sbuf out;
    sbuf_init(&out, a, CLI_INPUT_MAX);
    sbuf_fmt(&out, API_BASE "/%s", noun);
    if (id.p) {
        sbuf_putc(&out, '/');
        sbuf_url(&out, id);
    }
    sbuf_puts(&out, tail);
    return sbuf_str(&out);
}

static void header_add(struct str_map *m, struct str name, struct str value)
{
    must(m->n < HEADERS_MAX);
    m->v[m->n++] = (struct str_pair){name, value};
}

// One exchange without renewal. False: no answer; it has been told.
static bool exchange(struct client *cl, const struct call *call, struct str key, struct http_response *ret,
                     int *ret_exit)
{
    struct arena *a = &cl->cli->arena;
    struct str_pair headers[HEADERS_MAX];
    struct str_map map = {headers, 0};
    header_add(&map, STR("Accept"), STR("application/json, application/problem+json"));
    if (cl->token.p && !call->anonymous)
        header_add(&map, STR("Authorization"), arena_fmt(a, "Bearer %.*s", STR_ARG(cl->token)));
    if (call->body.p)
        header_add(&map, STR("Content-Type"), STR("application/json"));
    if (call->if_match.p)
        header_add(&map, STR("If-Match"), call->if_match);
    if (key.p)
        header_add(&map, STR("Idempotency-Key"), key);
    const struct http_request request = {
        .method = str_of(call->method), .url = arena_fmt(a, "%.*s%.*s", STR_ARG(cl->url), STR_ARG(call->path)),
        .headers = map, .body = call->body, .body_kept = CLI_INPUT_MAX,
        .tls_insecure = call->own_server && cl->url_derived,
        .timeout = call->timeout.us > 0 ? call->timeout : duration_s(CLIENT_TIMEOUT_S)};
    struct err err;
    if (!http_call(&request, ret, a, &err)) {
        *ret_exit = cli_fail(cl->cli, &err);
        return false;
    }
    if (ret->error == HTTP_DONE && !ret->truncated)
        return true;
    fprintf(cl->cli->out.err, "chronos: no answer from %.*s: %s\n", STR_ARG(text_printable(cl->url, a)),
            ret->truncated ? "it is too long" : ret->sentence);
    bool bad = ret->error == HTTP_BAD_REQUEST || ret->truncated;
    if (!bad)
        fprintf(cl->cli->out.err, "  → is the server running there? Start it with: chronos server, or name another "
                "one with --url or CHRONOS_URL\n");
    *ret_exit = ret->error == HTTP_BAD_REQUEST ? CLI_USAGE : ret->truncated ? CLI_FAILURE : CLI_UNREACHABLE;
    return false;
}

// Gets a new pair of tokens, unless another process has just done so.
static bool renew(struct client *cl)
{
    struct cli *c = cl->cli;
    CLEANUP(cleanup_fd) int lock = -1;
    struct err err;
    struct session now_stored, fresh;
    if (!session_lock(c, &lock, &c->arena, &err) || !session_load(c, cl->url, &now_stored, &c->arena, &err))
        return false;
    if (now_stored.access_token.p && !str_eq(now_stored.access_token, cl->session.access_token)) {
        cl->session = now_stored;
        cl->token = now_stored.access_token;
        return true;
    }
    struct sbuf body;
    sbuf_init(&body, &c->arena, TOKEN_MAX);
    sbuf_puts(&body, "{\"refreshToken\":");
    sbuf_json(&body, cl->session.refresh_token);
    sbuf_puts(&body, "}");
    const struct call call = {.method = "POST", .path = STR(API_BASE "/auth/refresh"), .body = sbuf_str(&body),
                              .anonymous = true};
    struct http_response answer;
    int ignored;
    if (!exchange(cl, &call, STR_NONE, &answer, &ignored) || problem_exit(answer.status) != CLI_OK ||
        !session_from_answer(answer.body, clock_now(c->clock), &fresh, &c->arena))
        return false;
    if (fresh.email.n == 0)
        fresh.email = cl->session.email;
    if (!session_save(c, cl->url, &fresh, &c->arena, &err)) // the old token is spent now: say so
        output_done(&c->out, "chronos: %s", err.text);
    cl->session = fresh;
    cl->token = fresh.access_token;
    return true;
}

static void reply_fill(const struct http_response *answer, struct reply *ret)
{
    struct err ignored;
    *ret = (struct reply){.status = answer->status, .body = answer->body, .etag = http_header(answer, "ETag"),
                          .date = http_header(answer, "Date")};
    if (answer->body.n > 0 && !json_parse(answer->body, &ret->json, &ignored))
        ret->json = NULL;
}

int client_try(struct client *cl, const struct call *call, struct reply *ret)
{
    struct cli *c = cl->cli;
    struct str key = STR_NONE;
    if (call->idempotent_key) { // one key for both tries
        struct rng rng;
        char buf[ULID_TEXT_MAX];
        rng_init_random(&rng);
        key = arena_str(&c->arena, str_of(ulid_format(ulid_new(clock_now(c->clock), &rng), buf)));
    }
    bool stored = cl->session.refresh_token.n > 0 && !call->anonymous;
    struct instant soon = instant_add(clock_now(c->clock), duration_s(RENEW_BEFORE_S));
    bool renewed = stored && cl->session.expires_at.us <= soon.us && renew(cl);
    struct http_response answer;
    int code = CLI_OK;
    if (!exchange(cl, call, key, &answer, &code))
        return code;
    if (answer.status == STATUS_UNAUTHENTICATED && stored && !renewed && renew(cl) &&
        !exchange(cl, call, key, &answer, &code))
        return code;
    reply_fill(&answer, ret);
    return CLI_OK;
}

int client_call(struct client *cl, const struct call *call, struct reply *ret)
{
    struct reply r = {0};
    int code = client_try(cl, call, &r);
    if (code == CLI_OK && (code = problem_exit(r.status)) != CLI_OK)
        problem_print(cl->cli, r.status, r.body);
    if (code == CLI_OK && r.body.n > 0 && !r.json) {
        fprintf(cl->cli->out.err, "chronos: the answer of %.*s is not JSON: is a Chronos server there?\n",
                STR_ARG(text_printable(cl->url, &cl->cli->arena)));
        code = CLI_FAILURE;
    }
    if (code == CLI_OK)
        *ret = r;
    else
        reply_release(&r);
    return code;
}

int client_once(struct cli *c, const struct call *call, struct reply *ret)
{
    struct client cl;
    struct err err;
    if (!client_open(c, &cl, &err))
        return cli_fail(c, &err);
    return client_call(&cl, call, ret);
}

int client_stream(struct client *cl, struct str path, struct duration timeout, struct str last_event_id,
                  bool (*on_chunk)(void *ctx, int status, struct str chunk), void *ctx, int *ret_status)
{
    struct arena *a = &cl->cli->arena;
    struct str_pair headers[HEADERS_MAX];
    struct str_map map = {headers, 0};
    header_add(&map, STR("Accept"), STR("text/event-stream"));
    if (cl->token.p)
        header_add(&map, STR("Authorization"), arena_fmt(a, "Bearer %.*s", STR_ARG(cl->token)));
    if (last_event_id.n)
        header_add(&map, STR("Last-Event-ID"), last_event_id);
    const struct http_request request = {.url = arena_fmt(a, "%.*s%.*s", STR_ARG(cl->url), STR_ARG(path)),
                                         .headers = map, .on_chunk = on_chunk, .ctx = ctx,
                                         .timeout = timeout.us < FAR_US ? timeout : (struct duration){0}};
    struct http_response answer;
    struct err err;
    if (!http_call(&request, &answer, a, &err))
        return cli_fail(cl->cli, &err);
    *ret_status = answer.status;
    // Ended by the server, by on_chunk, or cut: the caller decides whether that was the end.
    return answer.status > 0 ? CLI_OK : CLI_UNREACHABLE;
}
