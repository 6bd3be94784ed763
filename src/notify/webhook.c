// SPDX-License-Identifier: Apache-2.0
// WEBHOOK: signed messages after the Standard Webhooks specification, as it is or around a CloudEvents 1.0
// document.
//
// What is signed is "<webhook-id>.<webhook-timestamp>.<body>". The id is that of the delivery, the same at
// every try; the timestamp is that of the try. Each secret gives one signature, so that a receiver can move
// from an old one to a new one; an ed25519 key gives one more.
#include <sodium.h>

#include "notify/post.h"
#include "notify/text.h"
#include "notify/view.h"

enum {
    SECRETS_MAX = 5,
    SECRET_MIN = 24, // bytes
    SECRET_MAX = 64,
    BODY_MAX = 20000, // 20 KB
    TEXT_MAX = 256,   // of a secret as text
    HEADERS_OWN_MAX = 16,
    NAME_UNITS = 200,
};
static const struct str secret_prefix = STR_INIT("whsec_"), key_prefix = STR_INIT("whsk_");

enum format { FORMAT_STANDARD, FORMAT_CLOUDEVENTS };
static const char *const format_names[] = {"standard", "cloudevents", NULL};

struct webhook_config {
    struct str url;
    struct strs secrets;
    struct str ed25519_key;
    int format; // enum format
    struct str_map headers;
};

#define T struct webhook_config
static const struct field webhook_rows[] = {
    FIELD_STR(T, url, "url", .flags = FIELD_REQUIRED, .max = POST_URL_MAX, .doc = "Where to POST to."),
    FIELD_STRS(T, secrets, "secrets", .flags = FIELD_SECRET, .max = SECRETS_MAX,
               .doc = "Secrets of the signatures, whsec_ and base64 of 24 to 64 bytes. Each signs, so that "
                      "receivers can "
                      "change over."),
    FIELD_STR(T, ed25519_key, "ed25519Key", .flags = FIELD_SECRET, .max = TEXT_MAX,
              .doc = "A private key, whsk_ and base64 of 32 or 64 bytes, for a further signature (v1a)."),
    FIELD_ENUM(T, format, "format", format_names, FIELD_DEFAULT(FORMAT_STANDARD),
               .doc =
                   "standard: {type, timestamp, data}; cloudevents: a structured CloudEvents 1.0 document."),
    FIELD_MAP(T, headers, "headers", .flags = FIELD_SECRET, .max = HEADERS_OWN_MAX,
              .doc = "Further headers."),
};
#undef T
static const struct fields webhook_fields =
    FIELDS("WebhookChannel", struct webhook_config, webhook_rows, .doc = "A receiver of signed webhooks.");

// ---- secrets ----

// The bytes behind the prefix; 0: it is not such a text.
static size_t decode(struct str text, struct str prefix, uint8_t *ret, size_t max)
{
    size_t n = 0;
    const char *end = NULL;
    struct str b64 = {text.p + prefix.n, text.n - prefix.n};
    if (!str_starts(text, prefix) ||
        sodium_base642bin(ret, max, b64.p, b64.n, NULL, &n, &end, sodium_base64_VARIANT_ORIGINAL) != 0 ||
        end != b64.p + b64.n)
        return 0;
    return n;
}

static void check_secrets(const struct webhook_config *c, struct str base, struct faults *faults)
{
    uint8_t bytes[SECRET_MAX];
    if (c->secrets.n == 0 && c->ed25519_key.n == 0)
        faults_add(faults, post_pointer(base, "secrets", faults),
                   "is needed, so that receivers can tell who sends: whsec_ and base64 of 24 to 64 bytes, "
                   "such as the "
                   "output of: echo whsec_$(openssl rand -base64 32)");
    for (size_t i = 0; i < c->secrets.n; i++) {
        size_t n = decode(c->secrets.v[i], secret_prefix, bytes, sizeof bytes);
        if (n < SECRET_MIN)
            faults_add(faults, arena_fmt(faults->a, "%.*s/secrets/%zu", STR_ARG(base), i),
                       "must be whsec_ and base64 of %d to %d bytes, such as the output of: echo "
                       "whsec_$(openssl rand "
                       "-base64 32)",
                       SECRET_MIN, SECRET_MAX);
    }
    if (c->ed25519_key.n > 0) {
        size_t n = decode(c->ed25519_key, key_prefix, bytes, sizeof bytes);
        if (n != crypto_sign_SEEDBYTES && n != crypto_sign_SECRETKEYBYTES)
            faults_add(faults, post_pointer(base, "ed25519Key", faults),
                       "must be whsk_ and base64 of an ed25519 private key of 32 or 64 bytes");
    }
    sodium_memzero(bytes, sizeof bytes);
}

static void webhook_check(const void *config, struct str base, struct faults *faults, struct arena *scratch)
{
    static const char *const reserved[] = {"webhook-id",   "webhook-timestamp", "webhook-signature",
                                           "content-type", "user-agent",        NULL};
    const struct webhook_config *c = config;
    (void)scratch;
    post_check_url(c->url, base, "url", faults);
    check_secrets(c, base, faults);
    post_check_headers(c->headers, reserved, base, faults);
}

// ---- body ----

static const char *const types[] = {
    [NOTICE_FAILED] = "run.failed",
    [NOTICE_RECOVERED] = "run.recovered",
    [NOTICE_DEAD] = "run.dead",
    [NOTICE_MISSED] = "run.missed",
    [NOTICE_SLOW] = "run.slow",
    [NOTICE_OVERDUE] = "run.overdue",
    [NOTICE_STARTED] = "run.started",
    [NOTICE_SUCCEEDED] = "run.succeeded",
    [NOTICE_PAUSED] = "job.paused",
    [NOTICE_NODE_DOWN] = "node.down",
    [NOTICE_DIGEST] = "notification.digest",
    [NOTICE_TEST] = "notification.test",
};
_Static_assert(sizeof types / sizeof types[0] == NOTICE_EVENTS, "a type for each event");

static struct str subject_of(const struct notification *n, const struct view *v, struct arena *a)
{
    char id[ULID_TEXT_MAX];
    if (n->event == NOTICE_NODE_DOWN)
        return arena_fmt(a, "node/%.*s", STR_ARG(v->node));
    if (v->job.name.n == 0)
        return STR_NONE;
    if (ulid_is_zero(n->run_id))
        return arena_fmt(a, "job/%.*s", STR_ARG(v->job.name));
    return arena_fmt(a, "job/%.*s/run/%s", STR_ARG(v->job.name), ulid_format(n->run_id, id));
}

struct message {
    const struct notification *n;
    int format;
};

static void write_message(void *ctx, const struct view *v, struct sbuf *out, struct arena *a)
{
    const struct message *m = ctx;
    char time[INSTANT_TEXT_MAX];
    struct str at = instant_is_never(v->at) ? STR_NONE : str_of(instant_format(v->at, time));
    const char *type = types[m->n->event];
    sbuf_putc(out, '{');
    if (m->format == FORMAT_CLOUDEVENTS) {
        text_member(out, "specversion", STR("1.0"));
        text_member(out, "id", text_line(m->n->id, NAME_UNITS, a));
        text_member(out, "source", v->source.n > 0 ? v->source : STR("/chronos"));
        text_member(out, "type", arena_fmt(a, "io.chronos.%s.v1", type));
        text_member(out, "subject", subject_of(m->n, v, a));
        text_member(out, "time", at);
        text_member(out, "datacontenttype", STR("application/json"));
    } else {
        text_member(out, "type", str_of(type));
        text_member(out, "timestamp", at);
    }
    text_key(out, "data");
    field_encode(&view_fields, v, FIELD_ENCODE_API, out);
    sbuf_putc(out, '}');
}

static bool webhook_render(const struct channel_env *env, const void *config, const struct notification *n,
                           struct sbuf *out, struct arena *a, struct err *err)
{
    const struct webhook_config *c = config;
    struct message m = {.n = n, .format = c->format};
    (void)env;
    return view_write(n, BODY_MAX, write_message, &m, out, a, err);
}

// ---- signatures ----

static void put_signature(struct sbuf *out, const char *version, const uint8_t *bytes, size_t n)
{
    char b64[TEXT_MAX];
    (void)sodium_bin2base64(b64, sizeof b64, bytes, n, sodium_base64_VARIANT_ORIGINAL);
    sbuf_fmt(out, "%s%s,%s", out->n > 0 ? " " : "", version, b64);
}

static void put_hmac(struct sbuf *out, struct str secret, struct str content)
{
    uint8_t key[SECRET_MAX], mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    size_t n = decode(secret, secret_prefix, key, sizeof key);
    if (n == 0)
        return;
    (void)crypto_auth_hmacsha256_init(&state, key, n);
    (void)crypto_auth_hmacsha256_update(&state, (const unsigned char *)content.p, content.n);
    (void)crypto_auth_hmacsha256_final(&state, mac);
    put_signature(out, "v1", mac, sizeof mac);
    sodium_memzero(key, sizeof key);
    sodium_memzero(&state, sizeof state);
}

static void put_ed25519(struct sbuf *out, struct str text, struct str content)
{
    uint8_t given[crypto_sign_SECRETKEYBYTES], key[crypto_sign_SECRETKEYBYTES],
        public[crypto_sign_PUBLICKEYBYTES];
    uint8_t signature[crypto_sign_BYTES];
    size_t n = decode(text, key_prefix, given, sizeof given);
    // The public half is made anew: a wrong one in a key of 64 bytes would give the private half away.
    if ((n == crypto_sign_SEEDBYTES || n == crypto_sign_SECRETKEYBYTES) &&
        crypto_sign_seed_keypair(public, key, given) == 0 &&
        crypto_sign_detached(signature, NULL, (const unsigned char *)content.p, content.n, key) == 0)
        put_signature(out, "v1a", signature, sizeof signature);
    sodium_memzero(given, sizeof given);
    sodium_memzero(key, sizeof key);
}

static void webhook_send(const struct channel_env *env, const void *config, const struct notification *n,
                         struct channel_result *ret, struct arena *a)
{
    const struct webhook_config *c = config;
    struct post p = {.target = "the webhook's receiver", .url = c->url};
    struct sbuf body, signatures;
    struct err err;
    sbuf_init(&body, a, a->budget);
    sbuf_init(&signatures, a, a->budget);
    sbuf_puts(&signatures, "");
    if (!webhook_render(env, config, n, &body, a, &err)) {
        channel_fail(ret, CHANNEL_REFUSED, "%s", err.text);
        return;
    }
    p.body = sbuf_str(&body);
    p.content_type = c->format == FORMAT_CLOUDEVENTS ? STR("application/cloudevents+json; charset=utf-8")
                                                     : STR("application/json");
    struct str id = text_line(n->id, NAME_UNITS, a);
    struct str time = arena_fmt(a, "%lld", (long long)(clock_now(env->clock).us / US_PER_S));
    struct str content = arena_fmt(a, "%.*s.%.*s.%.*s", STR_ARG(id), STR_ARG(time), STR_ARG(p.body));
    for (size_t i = 0; i < c->secrets.n && i < SECRETS_MAX; i++)
        put_hmac(&signatures, c->secrets.v[i], content);
    if (c->ed25519_key.n > 0)
        put_ed25519(&signatures, c->ed25519_key, content);
    if (a->exhausted || !sbuf_ok(&signatures)) {
        channel_fail(ret, CHANNEL_AGAIN, "no memory for the message");
        return;
    }
    post_add_header(&p, "webhook-id", id);
    post_add_header(&p, "webhook-timestamp", time);
    post_add_header(&p, "webhook-signature", sbuf_str(&signatures));
    post_add_headers(&p, c->headers);
    post_send(env, &p, ret, a);
}

const struct channel channel_webhook = {
    .name = "WEBHOOK",
    .doc = "A signed POST after the Standard Webhooks specification, or a CloudEvents document.",
    .config = &webhook_fields,
    .config_size = sizeof(struct webhook_config),
    .escape = ESCAPE_NONE,
    .check = webhook_check,
    .send = webhook_send,
    .render = webhook_render,
};
