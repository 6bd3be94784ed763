// SPDX-License-Identifier: Apache-2.0
// What the rules remember as text: marks of the store, and the bodies of messages.
#include "app/notice_rules.h"

#include "base/json.h"
#include "base/sbuf.h"

enum { TEXT_MAX = DELIVERY_BODY_MAX, NAME_MAX_CHARS = 200, CLASS_MAX = 64, FLIP_TEXT_MAX = 2048 };

// ---- of a job ----------------------------------------------------------------------------------

struct job_text {
    struct job_memory m;
    struct str flips; // microseconds, newest first, separated by ','
};

#define T struct job_text
#define NUMBER .min = INT64_MIN, .max = INT64_MAX
static const struct field job_rows[] = {
    FIELD_BOOL(T, m.down, "down", FIELD_DEFAULT(false)),
    FIELD_BOOL(T, m.open, "open", FIELD_DEFAULT(false)),
    FIELD_BOOL(T, m.flapping, "flapping", FIELD_DEFAULT(false)),
    FIELD_I64(T, m.streak, "streak", NUMBER, FIELD_DEFAULT(0)),
    FIELD_I64(T, m.history, "history", NUMBER, FIELD_DEFAULT(0)),
    FIELD_I64(T, m.signature, "signature", NUMBER, FIELD_DEFAULT(0)),
    FIELD_ID(T, m.incident, "incident"),
    FIELD_ID(T, m.bad_run, "badRun"),
    FIELD_STR(T, m.bad_class, "badClass", .max = CLASS_MAX),
    FIELD_STR(T, m.bad_message, "badMessage", .max = ITEM_MESSAGE_MAX),
    FIELD_INSTANT(T, m.told_at, "toldAt"),
    FIELD_INSTANT(T, m.missed_at, "missedAt"),
    FIELD_INSTANT(T, m.slow_at, "slowAt"),
    FIELD_INSTANT(T, m.overdue_at, "overdueAt"),
    FIELD_STR(T, flips, "flips", .max = FLIP_TEXT_MAX),
};
#undef T
static const struct fields job_text_fields = FIELDS("NoticeMemory", struct job_text, job_rows);

// True when the text is such an object.
static bool decode(const struct fields *t, const json_t *v, void *obj, struct arena *a)
{
    struct faults *faults = arena_new(a, struct faults);
    if (!faults || !json_is_object(v))
        return false;
    faults_init(faults, a);
    return field_decode(t, v, FIELD_DECODE_STORED, STR(""), obj, a, faults);
}

struct str job_memory_write(const struct job_memory *m, struct arena *a)
{
    struct job_text t = {.m = *m};
    struct sbuf flips, out;
    sbuf_init(&flips, a, FLIP_TEXT_MAX);
    for (size_t i = 0; i < m->n_flips; i++)
        sbuf_fmt(&flips, "%s%lld", i > 0 ? "," : "", (long long)m->flips[i]);
    t.flips = m->n_flips > 0 ? sbuf_str(&flips) : STR_NONE;
    sbuf_init(&out, a, TEXT_MAX);
    field_encode(&job_text_fields, &t, FIELD_ENCODE_STORED, &out);
    return sbuf_ok(&flips) && sbuf_ok(&out) ? sbuf_str(&out) : STR_NONE;
}

void job_memory_read(struct str text, struct job_memory *ret, struct arena *a)
{
    json_t *v CLEANUP_JSON = NULL;
    struct err ignored;
    struct job_text t;
    job_memory_init(ret);
    if (!text.p || !json_parse(text, &v, &ignored) || !decode(&job_text_fields, v, &t, a))
        return;
    t.m.n_flips = 0;
    for (struct str rest = t.flips, one; rest.p && t.m.n_flips < FLIPS_KEPT;) {
        one = str_split(rest, ',', &rest);
        if (str_to_i64(one, &t.m.flips[t.m.n_flips]))
            t.m.n_flips++;
    }
    *ret = t.m;
}

// ---- of a subscription -------------------------------------------------------------------------

#define T struct notice_item
static const struct field item_rows[] = {
    FIELD_ENUM(T, event, "event", notice_event_names, .flags = FIELD_REQUIRED),
    FIELD_INSTANT(T, at, "at"),
    FIELD_ID(T, job_id, "jobId"),
    FIELD_ID(T, run_id, "runId"),
    FIELD_ID(T, incident, "incident"),
    FIELD_STR(T, job_name, "jobName", .max = NAME_MAX_CHARS),
    FIELD_STR(T, error_class, "errorClass", .max = CLASS_MAX),
    FIELD_STR(T, message, "message", .max = ITEM_MESSAGE_MAX),
    FIELD_I64(T, streak, "streak", NUMBER, FIELD_DEFAULT(0)),
};
#undef T
static const struct fields item_fields = FIELDS("NoticeItem", struct notice_item, item_rows);

struct group_text {
    struct instant until;
    int64_t more;
    struct str items;
};
#define T struct group_text
static const struct field group_rows[] = {
    FIELD_INSTANT(T, until, "until"),
    FIELD_I64(T, more, "more", NUMBER, FIELD_DEFAULT(0)),
    FIELD_JSON(T, items, "items", .max = TEXT_MAX),
};
#undef T
static const struct fields group_text_fields = FIELDS("NoticeGroup", struct group_text, group_rows);

struct str told_memory_write(const struct told_memory *g, struct arena *a)
{
    struct group_text t = {.until = g->until, .more = g->more};
    struct sbuf items, out;
    sbuf_init(&items, a, TEXT_MAX);
    sbuf_putc(&items, '[');
    for (size_t i = 0; i < g->n; i++) {
        if (i > 0)
            sbuf_putc(&items, ',');
        field_encode(&item_fields, &g->items[i], FIELD_ENCODE_STORED, &items);
    }
    sbuf_putc(&items, ']');
    t.items = g->n > 0 ? sbuf_str(&items) : STR_NONE;
    sbuf_init(&out, a, 2 * TEXT_MAX);
    field_encode(&group_text_fields, &t, FIELD_ENCODE_STORED, &out);
    return sbuf_ok(&items) && sbuf_ok(&out) ? sbuf_str(&out) : STR_NONE;
}

void told_memory_read(struct str text, struct told_memory *ret, struct arena *a)
{
    json_t *v CLEANUP_JSON = NULL;
    struct err ignored;
    struct group_text t;
    told_memory_init(ret);
    if (!text.p || !json_parse(text, &v, &ignored) || !decode(&group_text_fields, v, &t, a))
        return;
    ret->until = t.until;
    ret->more = t.more;
    const json_t *items = json_object_get(v, "items");
    for (size_t i = 0; i < json_array_size(items) && ret->n < TOLD_ITEMS_MAX; i++)
        if (decode(&item_fields, json_array_get(items, i), &ret->items[ret->n], a))
            ret->n++;
}
