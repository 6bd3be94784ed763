// SPDX-License-Identifier: Apache-2.0
// The first administrator. Rules: app/setup.h. The store decides the race of two set-ups (user_insert_first_admin).
// The setting "setup.token" holds "<expiry in µs> <hex of the token's hash>".
#include "app/setup.h"

#include "app/audit.h"

#define T struct setup_request
static const struct field setup_rows[] = {
    FIELD_STR(T, token, "token", .flags = FIELD_REQUIRED | FIELD_SECRET, .min = 1, .max = SECRET_TOKEN_MAX,
              .doc = "The one-time token that the server printed at its start."),
    FIELD_STR(T, email, "email", .flags = FIELD_REQUIRED, .min = 1, .max = EMAIL_MAX,
              .doc = "Address of the first administrator."),
    FIELD_STR(T, password, "password", .flags = FIELD_REQUIRED | FIELD_SECRET, .min = 1, .max = PASSWORD_MAX,
              .doc = "At least 12 characters."),
};
#undef T
const struct fields setup_request_fields =
    FIELDS("Setup", struct setup_request, setup_rows, .doc = "The first administrator.");

static const struct str setup_key = STR_INIT("setup.token");

static struct str hash_hex(struct str token, struct arena *a)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t hash[SECRET_TOKEN_HASH_BYTES];
    secret_token_hash(token, hash);
    char *hex = arena_alloc(a, 2 * sizeof hash);
    if (!hex)
        return STR_NONE;
    for (size_t i = 0; i < sizeof hash; i++) {
        hex[2 * i] = digits[hash[i] >> 4];
        hex[2 * i + 1] = digits[hash[i] & 15];
    }
    return (struct str){hex, 2 * sizeof hash};
}

bool app_setup_open(struct app *app, bool *ret, struct err *err)
{
    bool exists;
    if (!app->store->ops->admin_exists(app->store, &exists, err))
        return false;
    *ret = !exists;
    return true;
}

bool app_setup_issue(struct app *app, struct str *ret_token, struct arena *a, struct err *err)
{
    bool open;
    if (!app_setup_open(app, &open, err))
        return false;
    if (!open) {
        if (!app->store->ops->setting_put(app->store, setup_key, STR_NONE, err))
            return false;
        *ret_token = STR_NONE;
        return true;
    }
    char text[SECRET_TOKEN_MAX];
    struct str token = arena_str(a, str_of(secret_token_new("", text)));
    struct instant expires = instant_add(clock_now(app->clock), duration_s(SETUP_LIFE_S));
    struct str hex = token.p ? hash_hex(token, a) : STR_NONE;
    if (!hex.p)
        return ERR(err, ERR_INTERNAL, "the arena is too small for a set-up token");
    struct str value = arena_fmt(a, "%lld %.*s", (long long)expires.us, STR_ARG(hex));
    if (!app->store->ops->setting_put(app->store, setup_key, value, err))
        return false;
    *ret_token = token;
    return true;
}

// c: NULL without a server.
static bool first_admin(struct app *app, const struct caller *c, struct str email, struct str password,
                        struct user *ret, struct faults *faults, struct arena *a, struct err *err)
{
    struct str *role = arena_new(a, struct str);
    if (!role)
        return ERR(err, ERR_TOO_LARGE, "the request needs more memory than one request may have");
    *role = str_of(role_names[ROLE_ADMIN]);
    if (!user_make(app, email, password, (struct strs){role, 1}, ret, faults, a, err))
        return false;
    struct err why = {0};
    struct caller who = c ? *c : (struct caller){0};
    struct audit_note note = {.action = "user.first-admin",
                              .entity_type = "user",
                              .entity_id = ret->id,
                              .entity_name = ret->email,
                              .fields = &user_fields,
                              .after = ret};
    who.user_id = ret->id;
    who.email = ret->email;
    if (c)
        audit_with(app, &who, &note, a);
    else
        audit_system(app, "CLI", &note, a);
    if (app->store->ops->user_insert_first_admin(app->store, ret, &why))
        return true;
    if (why.code == ERR_CONFLICT)
        return ERR(err, ERR_CONFLICT, "an administrator exists already, or the e-mail address is taken; sign in");
    *err = why;
    return false;
}

bool app_setup_admin(struct app *app, struct str email, struct str password, struct arena *a, struct err *err)
{
    struct user u;
    struct faults faults;
    faults_init(&faults, a);
    bool open;
    if (!app_setup_open(app, &open, err))
        return false;
    if (!open)
        return ERR(err, ERR_CONFLICT, "an administrator exists already");
    if (first_admin(app, NULL, email, password, &u, &faults, a, err))
        return true;
    if (faults_any(&faults))
        (void)ERR(err, ERR_CONFIG, "first administrator: %.*s %.*s", STR_ARG(faults.v[0].pointer),
                  STR_ARG(faults.v[0].detail));
    return false;
}

// One try of this minute. Two threads may both see a new minute; the worst is a few tries more, of a 256-bit secret.
static bool take_try(struct app *app, struct duration *ret_wait)
{
    enum { MINUTE_S = 60 };
    int64_t now_s = clock_now(app->clock).us / US_PER_S, minute = now_s / MINUTE_S;
    int64_t seen = atomic_load(&app->setup_minute);
    if (seen != minute && atomic_compare_exchange_strong(&app->setup_minute, &seen, minute))
        atomic_store(&app->setup_tries, 0);
    if (atomic_fetch_add(&app->setup_tries, 1) < SETUP_TRIES_PER_MINUTE)
        return true;
    *ret_wait = duration_s(MINUTE_S - now_s % MINUTE_S);
    return false;
}

static bool token_matches(struct app *app, struct str token, struct arena *a, struct err *err)
{
    struct str stored, hex;
    int64_t expires;
    struct err why = {0};
    if (!app->store->ops->setting_get(app->store, setup_key, &stored, a, &why) && why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    bool found = why.code == ERR_NONE && str_to_i64(str_split(stored, ' ', &hex), &expires) && hex.p;
    struct str given = hash_hex(token, a);
    if (found && given.p && str_eq_secret(given, hex) && expires > clock_now(app->clock).us)
        return true;
    return ERR(err, ERR_UNAUTHENTICATED,
               "the set-up token is wrong or older than one hour; restart the server to get a new link");
}

static void wrong_token_told(struct app *app, const struct caller *c, const struct err *why, struct arena *a)
{
    struct audit_note note = {.action = "setup.finish",
                              .entity_type = "setup",
                              .entity_name = STR("link"),
                              .outcome = AUDIT_REFUSED,
                              .detail = str_of(why->text)};
    if (why->code == ERR_UNAUTHENTICATED)
        audit_alone(app, c, &note, a);
}

bool app_setup_finish(struct app *app, const struct caller *c, const struct setup_request *r,
                      struct session_answer *ret, struct faults *faults, struct duration *ret_wait, struct arena *a,
                      struct err *err)
{
    bool open;
    struct user u;
    if (!app_setup_open(app, &open, err))
        return false;
    if (!open)
        return ERR(err, ERR_CONFLICT, "set-up is done: an administrator exists; sign in instead");
    if (!take_try(app, ret_wait))
        return ERR(err, ERR_THROTTLED, "too many tries; wait %lld s", (long long)(ret_wait->us / US_PER_S));
    if (!token_matches(app, r->token, a, err)) {
        wrong_token_told(app, c, err, a);
        return false;
    }
    if (!first_admin(app, c, r->email, r->password, &u, faults, a, err))
        return false;
    struct err ignored = {0};
    // The token is worthless once an administrator exists; the next start removes it if this does not.
    (void)app->store->ops->setting_put(app->store, setup_key, STR_NONE, &ignored);
    return session_open(app, &u, ret, a, err);
}
