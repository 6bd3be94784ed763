// SPDX-License-Identifier: Apache-2.0
// Records of the audit trail out of use cases. Texts are made safe for every store here: valid UTF-8, no NUL,
// within the size of their column; so no record can fail the write it goes with.
#include "app/audit.h"

#include "app/audit_diff.h"
#include "app/audit_trail.h"
#include "base/log.h"
#include "base/sync.h"

static const struct str replacement = STR_INIT("\xEF\xBF\xBD"); // U+FFFD

// Whether the request of this thread has a record that says why it ended.
static _Thread_local bool told;

static bool is_clean(struct str s) { return memchr(s.p, '\0', s.n) == NULL && str_utf8_valid(s); }

// The text as it may be stored. Absent when it is, or when the arena is full.
static struct str safe(struct str s, size_t max, struct arena *a)
{
    if (!s.p)
        return STR_NONE;
    if (s.n > max)
        s.n = str_utf8_valid(s) ? str_utf8_cut(s, max) : max;
    if (s.n == 0)
        return STR("");
    if (is_clean(s))
        return s;
    struct sbuf out;
    sbuf_init(&out, a, max + 1);
    for (size_t i = 0; i < s.n;) {
        size_t step = str_utf8_step((struct str){s.p + i, s.n - i});
        bool good = step > 0 && s.p[i] != '\0';
        struct str one = good ? (struct str){s.p + i, step} : replacement;
        if (out.n + one.n > max)
            break;
        sbuf_put(&out, one);
        i += good ? step : 1;
    }
    return sbuf_ok(&out) ? sbuf_str(&out) : STR_NONE;
}

static struct str or_empty(struct str s) { return s.p ? s : STR(""); }

static struct str way_of(const struct caller *c)
{
    static const struct str words[] = {[WAY_TOKEN] = STR_INIT("TOKEN"),
                                       [WAY_COOKIE] = STR_INIT("COOKIE"),
                                       [WAY_API_KEY] = STR_INIT("API_KEY")};
    return c && c->way > WAY_NONE && c->way <= WAY_API_KEY ? words[c->way] : STR_NONE;
}

static struct str entity_id(const struct audit_note *n, struct arena *a)
{
    char text[ULID_TEXT_MAX];
    if (ulid_is_zero(n->entity_id))
        return safe(or_empty(n->entity_name), AUDIT_ID_MAX, a);
    return arena_str(a, str_of(ulid_format(n->entity_id, text)));
}

// changes: room for the text, released by the caller after the record was used.
static void record_make(struct app *app, const struct caller *c, const struct audit_note *n,
                        struct sbuf *changes, struct audit_record *ret, struct arena *a)
{
    bool known = c && c->email.p && c->email.n > 0;
    *ret = (struct audit_record){
        .id = app_id(app),
        .at = clock_now(app->clock),
        .actor_id = c ? c->user_id : ULID_ZERO,
        .actor = !c      ? STR("system")
                 : known ? safe(c->email, AUDIT_ACTOR_MAX, a)
                         : STR("anonymous"),
        .way = way_of(c),
        .address = c ? safe(c->remote, AUDIT_WORD_MAX, a) : STR_NONE,
        .request_id = c ? safe(c->request_id, AUDIT_WORD_MAX, a) : STR_NONE,
        .node = or_empty(safe(app->cluster.node_name, AUDIT_WORD_MAX, a)),
        .action = str_of(n->action),
        .entity_type = str_of(n->entity_type),
        .entity_id = or_empty(entity_id(n, a)),
        .entity_name = safe(n->entity_name, AUDIT_NAME_MAX, a),
        .outcome = n->outcome,
        .detail = safe(n->detail, AUDIT_DETAIL_MAX, a),
    };
    ret->actor = or_empty(ret->actor);
    if (n->fields && (n->before || n->after) && audit_diff(n->fields, n->before, n->after, a, changes) &&
        sbuf_ok(changes))
        ret->changes = safe(sbuf_str(changes), AUDIT_CHANGES_MAX, a);
}

static void sign(struct app *app, struct audit_record *r)
{
    audit_record_mac(audit_trail_key(app->audit), r, r->mac);
}

enum { CHANGES_ROOM = 2 * AUDIT_CHANGES_MAX };

void audit_with(struct app *app, const struct caller *c, const struct audit_note *note, struct arena *a)
{
    struct audit_record r;
    if (!app->audit)
        return;
    struct sbuf changes CLEANUP(sbuf_release);
    sbuf_init(&changes, NULL, CHANGES_ROOM);
    record_make(app, c, note, &changes, &r, a);
    sign(app, &r);
    app->store->ops->audit_take(app->store, &r, 1);
}

void audit_system(struct app *app, const char *way, const struct audit_note *note, struct arena *a)
{
    struct audit_record r;
    if (!app->audit)
        return;
    struct sbuf changes CLEANUP(sbuf_release);
    sbuf_init(&changes, NULL, CHANGES_ROOM);
    record_make(app, NULL, note, &changes, &r, a);
    r.way = str_of(way);
    sign(app, &r);
    app->store->ops->audit_take(app->store, &r, 1);
}

void audit_drop(struct app *app)
{
    if (app->audit)
        app->store->ops->audit_drop(app->store);
}

void audit_begin(struct app *app)
{
    told = false;
    audit_drop(app);
}

void audit_alone(struct app *app, const struct caller *c, const struct audit_note *note, struct arena *a)
{
    struct audit_record r;
    struct err err = {0};
    if (!app->audit)
        return;
    struct sbuf changes CLEANUP(sbuf_release);
    sbuf_init(&changes, NULL, CHANGES_ROOM);
    record_make(app, c, note, &changes, &r, a);
    sign(app, &r);
    told = true;
    if (!app->store->ops->audit_append(app->store, &r, 1, &err))
        LOG_ERROR("an audit record is lost", LOG_STR("action", r.action), LOG_STR("actor", r.actor),
                  LOG_STR("entity", r.entity_id), LOG_ERROR_FIELD(&err));
}

void audit_soon(struct app *app, const struct caller *c, const struct audit_note *note, struct arena *a)
{
    struct audit_record r;
    if (!app->audit)
        return;
    struct sbuf changes CLEANUP(sbuf_release);
    sbuf_init(&changes, NULL, CHANGES_ROOM);
    record_make(app, c, note, &changes, &r, a);
    sign(app, &r);
    (void)audit_trail_later(app->audit, &r);
}

void audit_refusal(struct app *app, const struct caller *c, struct str what, struct str why, struct arena *a)
{
    struct audit_record r;
    struct audit_note note = {.action = "request.refuse",
                              .entity_type = "route",
                              .entity_name = what,
                              .outcome = AUDIT_REFUSED,
                              .detail = why};
    if (!app->audit || told)
        return;
    struct sbuf unused CLEANUP(sbuf_release);
    sbuf_init(&unused, NULL, CHANGES_ROOM);
    record_make(app, c, &note, &unused, &r, a);
    r.entity_name = STR_NONE;
    audit_trail_refusal(app->audit, &r);
}
