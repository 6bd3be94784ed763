// SPDX-License-Identifier: Apache-2.0
// Signing in and out. Tokens go to the login file (session.h); passwords are never kept.
#include <unistd.h>

#include "base/sync.h"
#include "cli/commands.h"
#include "cli/login_oidc.h"

enum { LOGIN_BODY_MAX = 64 << 10, EMAIL_LINE_MAX = 512 };

static bool email_ask(struct cli *c, struct str *ret, struct err *err)
{
    struct str email = flag_str(c, "email");
    char line[EMAIL_LINE_MAX];
    if (!email.p && isatty(STDIN_FILENO)) {
        fputs("E-mail: ", c->out.err);
        fflush(c->out.err);
        if (fgets(line, sizeof line, stdin))
            email = str_trim(arena_str(&c->arena, str_of(line)));
    }
    if (email.n == 0)
        return ERR(err, ERR_INVALID, "whose sign-in? Give --email");
    *ret = email;
    return true;
}

static struct str pair_json(struct arena *a, const char *key, struct str value, const char *key2, struct str value2)
{
    struct sbuf out;
    sbuf_init(&out, a, LOGIN_BODY_MAX);
    sbuf_fmt(&out, "{\"%s\":", key);
    sbuf_json(&out, value);
    if (key2) {
        sbuf_fmt(&out, ",\"%s\":", key2);
        sbuf_json(&out, value2);
    }
    sbuf_putc(&out, '}');
    return sbuf_str(&out);
}

static bool store(struct cli *c, struct str url, const struct session *s, struct err *err)
{
    CLEANUP(cleanup_fd) int lock = -1;
    return session_lock(c, &lock, &c->arena, err) && session_save(c, url, s, &c->arena, err);
}

// Stores what a sign-in answered.
static int login_keep(struct cli *c, const struct client *cl, const struct reply *r, struct str email)
{
    struct session s;
    struct err err;
    if (!session_from_answer(r->body, clock_now(c->clock), &s, &c->arena)) {
        fputs("chronos: the answer holds no token: is a Chronos server there?\n", c->out.err);
        return CLI_FAILURE;
    }
    s.email = s.email.n ? s.email : email;
    if (!store(c, cl->url, &s, &err))
        return cli_fail(c, &err);
    output_done(&c->out, "signed in to %.*s as %.*s", STR_ARG(cl->url), STR_ARG(text_printable(s.email, &c->arena)));
    if (cli_env(c, "CHRONOS_TOKEN").p || cli_env(c, "CHRONOS_TOKEN_FILE").p)
        output_done(&c->out, "  → CHRONOS_TOKEN is set and still goes first: unset it to use this sign-in");
    return CLI_OK;
}

static int provider_run(struct cli *c)
{
    struct client cl;
    struct err err;
    CLEANUP_REPLY struct reply r = {0};
    if (!client_open(c, &cl, &err))
        return cli_fail(c, &err);
    int code = login_oidc(c, &cl, &r);
    return code == CLI_OK ? login_keep(c, &cl, &r, STR("")) : code;
}

// Whether the server wants another password, because an administrator gave this one.
static bool wants_new_password(const struct reply *r)
{
    const json_t *fault = json_array_get(json_object_get(r->json, "errors"), 0);
    return r->status == 403 && str_is(json_str(json_object_get(fault, "pointer")), "/newPassword");
}

// A password for a sign-in that changes it: from a file, or asked for twice.
static bool new_password(struct cli *c, struct str *ret, struct err *err)
{
    struct str file = flag_str(c, "new-password-file"), again;
    if (file.p) {
        if (!cli_read(c, file, LOGIN_BODY_MAX / 2, ret, err))
            return false;
        if (ret->n > 0 && ret->p[ret->n - 1] == '\n')
            ret->n--;
        return true;
    }
    if (!isatty(STDIN_FILENO))
        return ERR(err, ERR_DENIED, "this password was given by an administrator and must be changed: give the new one "
                                    "in --new-password-file");
    fputs("This password was given by an administrator and must be changed now.\n", c->out.err);
    if (!cli_hidden(c, "New password: ", ret, err) || !cli_hidden(c, "Again: ", &again, err))
        return false;
    return str_eq(*ret, again) || ERR(err, ERR_INVALID, "the two passwords differ");
}

static int changing_run(struct client *cl, struct str email, struct str password)
{
    struct cli *c = cl->cli;
    struct str next;
    struct err err;
    struct sbuf body;
    CLEANUP_REPLY struct reply r = {0};
    if (!new_password(c, &next, &err))
        return cli_fail(c, &err);
    sbuf_init(&body, &c->arena, LOGIN_BODY_MAX);
    struct str pair = pair_json(&c->arena, "email", email, "password", password);
    sbuf_put(&body, (struct str){pair.p, pair.n - 1});
    sbuf_puts(&body, ",\"newPassword\":");
    sbuf_json(&body, next);
    sbuf_putc(&body, '}');
    const struct call call = {.method = "POST", .path = STR(API_BASE "/auth/login"), .anonymous = true,
                              .body = sbuf_str(&body)};
    int code = client_call(cl, &call, &r);
    return code == CLI_OK ? login_keep(c, cl, &r, email) : code;
}

static int password_run(struct cli *c)
{
    struct client cl;
    struct err err;
    struct str email, password;
    CLEANUP_REPLY struct reply r = {0};
    if (!client_open(c, &cl, &err) || !email_ask(c, &email, &err) || !cli_password(c, false, &password, &err))
        return cli_fail(c, &err);
    const struct call call = {.method = "POST", .path = STR(API_BASE "/auth/login"), .anonymous = true,
                              .body = pair_json(&c->arena, "email", email, "password", password)};
    int code = client_try(&cl, &call, &r);
    if (code != CLI_OK)
        return code;
    if (wants_new_password(&r))
        return changing_run(&cl, email, password);
    if (r.status / 100 != 2) {
        problem_print(c, r.status, r.body);
        return problem_exit(r.status);
    }
    return login_keep(c, &cl, &r, email);
}

static int login_run(struct cli *c) { return flag_on(c, "oidc") ? provider_run(c) : password_run(c); }

static int logout_run(struct cli *c)
{
    struct client cl;
    struct err err;
    struct session stored;
    CLEANUP_REPLY struct reply r = {0};
    if (!client_open(c, &cl, &err) || !session_load(c, cl.url, &stored, &c->arena, &err))
        return cli_fail(c, &err);
    if (!stored.access_token.p) {
        output_done(&c->out, "not signed in to %.*s", STR_ARG(cl.url));
        return CLI_OK;
    }
    const struct call call = {.method = "POST", .path = STR(API_BASE "/auth/logout"),
                              .body = pair_json(&c->arena, "refreshToken", stored.refresh_token, NULL, STR_NONE)};
    cl.token = stored.access_token;
    int code = client_try(&cl, &call, &r);
    // The file is emptied even if the server is away or has forgotten us: the user wants no tokens here.
    if (!store(c, cl.url, &(struct session){.expires_at = INSTANT_NEVER}, &err))
        return cli_fail(c, &err);
    if (code != CLI_OK) {
        output_done(&c->out, "signed out here; the server was not told, its session ends by itself");
        return code;
    }
    output_done(&c->out, "signed out of %.*s", STR_ARG(cl.url));
    return CLI_OK;
}

static int whoami_run(struct cli *c)
{
    static const struct column columns[] = {{"email", "email", COLUMN_TEXT},
                                            {"roles", "roles", COLUMN_LIST},
                                            {"id", "id", COLUMN_TEXT},
                                            {NULL, NULL, COLUMN_TEXT}};
    CLEANUP_REPLY struct reply r = {0};
    int code = client_once(c, &(struct call){.method = "GET", .path = STR(API_BASE "/auth/me")}, &r);
    if (code == CLI_OK)
        output_object(&c->out, columns, "email", r.json, r.body, &c->arena);
    return code;
}

const struct cli_command command_login = {
    "login", NULL, "Sign in to a server",
    (const struct cli_verb[]){
        {.args = "", .doc = "Sign in; the tokens are kept in the login file, mode 0600", .run = login_run,
         .flags = (const struct cli_flag[]){
             {"email", 'e', "EMAIL", "Who signs in (default: prompt)"},
             {"password-file", 0, "FILE", "Read the password from a file (default: prompt, or standard input)"},
             {"new-password-file", 0, "FILE", "The password from now on, when the present one must be changed"},
             {"oidc", 0, NULL, "With the server's OpenID provider: open an address, copy a code"},
             {NULL, 0, NULL, NULL}},
         .examples = "chronos login\n"
                     "chronos login --oidc\n"
                     "chronos login --email me@example.org --password-file ./secret\n"
                     "pass chronos | chronos login --email me@example.org --url https://chronos.example.org"},
        {0}}};

const struct cli_command command_logout = {
    "logout", NULL, "End the session",
    (const struct cli_verb[]){
        {.args = "", .doc = "End the session on the server and forget its tokens", .run = logout_run,
         .examples = "chronos logout"},
        {0}}};

const struct cli_command command_whoami = {
    "whoami", NULL, "Who is signed in",
    (const struct cli_verb[]){
        {.args = "", .doc = "Who is signed in, and with which roles", .run = whoami_run,
         .examples = "chronos whoami\nchronos whoami -o json"},
        {0}}};
