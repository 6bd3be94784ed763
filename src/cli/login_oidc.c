// SPDX-License-Identifier: Apache-2.0
// The browser signs in and shows a code; whoever types it here must also have the verifier, which never left this
// process. So a code that is seen by others is of no use to them, and an address that others send makes no code of
// theirs: no port is opened and it works over a remote shell.
#include "cli/login_oidc.h"

#include <sodium.h>
#include <unistd.h>

#include "base/rng.h"

enum {
    LOGIN_BODY_MAX = 4096,
    CODE_LINE_MAX = 128,
    SECRET_BYTES = 32,
    TEXT_MAX = sodium_base64_ENCODED_LEN(SECRET_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
};

static struct str base64url(const uint8_t bytes[static SECRET_BYTES], struct arena *a)
{
    char text[TEXT_MAX];
    return arena_str(a, str_of(sodium_bin2base64(text, sizeof text, bytes, SECRET_BYTES,
                                                 sodium_base64_VARIANT_URLSAFE_NO_PADDING)));
}

// S256 of RFC 7636.
static void verifier_new(struct str *ret_verifier, struct str *ret_challenge, struct arena *a)
{
    uint8_t bytes[SECRET_BYTES];
    _Static_assert(SECRET_BYTES == (int)crypto_hash_sha256_BYTES, "one length for both");
    rng_secret(bytes, sizeof bytes);
    *ret_verifier = base64url(bytes, a);
    crypto_hash_sha256(bytes, (const uint8_t *)ret_verifier->p, ret_verifier->n);
    *ret_challenge = base64url(bytes, a);
}

static bool code_ask(struct cli *c, struct str *ret, struct err *err)
{
    char line[CODE_LINE_MAX];
    if (isatty(STDIN_FILENO)) {
        fputs("Code: ", c->out.err);
        fflush(c->out.err);
    }
    struct str code = fgets(line, sizeof line, stdin) ? str_trim(arena_str(&c->arena, str_of(line))) : STR_NONE;
    if (code.n == 0)
        return ERR(err, ERR_INVALID, "no code was given: open the address and copy the code it shows");
    *ret = code;
    return true;
}

int login_oidc(struct cli *c, struct client *cl, struct reply *ret)
{
    struct err err;
    struct sbuf body;
    struct str verifier, challenge, code;
    verifier_new(&verifier, &challenge, &c->arena);
    fprintf(c->out.err, "Open this address in a browser, sign in, and copy the code it shows:\n\n  %.*s" API_BASE
                        "/auth/oidc/login?cli=%.*s\n\n",
            STR_ARG(cl->url), STR_ARG(challenge));
    fflush(c->out.err);
    if (!code_ask(c, &code, &err))
        return cli_fail(c, &err);
    sbuf_init(&body, &c->arena, LOGIN_BODY_MAX);
    sbuf_puts(&body, "{\"code\":");
    sbuf_json(&body, code);
    sbuf_fmt(&body, ",\"verifier\":\"%.*s\"}", STR_ARG(verifier));
    const struct call call = {.method = "POST", .path = STR(API_BASE "/auth/oidc/token"), .anonymous = true,
                              .body = sbuf_str(&body)};
    return client_call(cl, &call, ret);
}
