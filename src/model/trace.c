// SPDX-License-Identifier: Apache-2.0
// Strict reading of the two headers, and where runs keep them.
#include "model/trace.h"

#include "base/json.h"
#include "base/rng.h"

#define PARENT_MEMBER "traceparent"
#define STATE_MEMBER  "tracestate"
#define CAUSE_MEMBER  "cause"

enum {
    // 00-<32 digits>-<16 digits>-<2 digits>
    TRACE_AT = 3,
    SPAN_AT = TRACE_AT + 2 * TRACE_BYTES + 1,
    FLAGS_AT = SPAN_AT + 2 * SPAN_BYTES + 1,
    PARENT_LEN = FLAGS_AT + 2,
    FLAG_SAMPLED = 1,
    STATE_MEMBERS_MAX = 32,
    STATE_PART_MAX = 256,
    INPUTS_MAX = 128 * 1024,
};

// ---- the headers -------------------------------------------------------------------------------

static int digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

static bool read_hex(const char *p, size_t n, uint8_t *ret)
{
    for (size_t i = 0; i < n; i++) {
        int high = digit(p[2 * i]), low = digit(p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        ret[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool all_zero(const uint8_t *v, size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++)
        any |= v[i];
    return any == 0;
}

bool trace_parse(struct str header, struct trace *ret)
{
    enum { VERSION_INVALID = 0xff };
    uint8_t version, flags;
    struct trace t;
    if (header.n < PARENT_LEN || !read_hex(header.p, 1, &version) || version == VERSION_INVALID)
        return false;
    // Of later versions the beginning is known, and more may follow behind another dash.
    if (header.n > PARENT_LEN && (version == 0 || header.p[PARENT_LEN] != '-'))
        return false;
    if (header.p[TRACE_AT - 1] != '-' || header.p[SPAN_AT - 1] != '-' || header.p[FLAGS_AT - 1] != '-')
        return false;
    if (!read_hex(header.p + TRACE_AT, TRACE_BYTES, t.trace) ||
        !read_hex(header.p + SPAN_AT, SPAN_BYTES, t.span) || !read_hex(header.p + FLAGS_AT, 1, &flags))
        return false;
    if (all_zero(t.trace, TRACE_BYTES) || all_zero(t.span, SPAN_BYTES))
        return false;
    t.sampled = flags & FLAG_SAMPLED;
    *ret = t;
    return true;
}

static bool key_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c != '\0' && strchr("_-*/@", c));
}

static bool state_member_ok(struct str member)
{
    size_t equals = str_find(member, '=');
    size_t value = member.n - equals;
    if (equals == 0 || equals > STATE_PART_MAX || value < 2 || value - 1 > STATE_PART_MAX)
        return false;
    for (size_t i = 0; i < equals; i++)
        if (!key_char(member.p[i]) || (i == 0 && strchr("_-*/@", member.p[i])))
            return false;
    for (size_t i = equals + 1; i < member.n; i++)
        if (member.p[i] < ' ' || member.p[i] > '~' || member.p[i] == ',' || member.p[i] == '=')
            return false;
    return true;
}

bool trace_state_ok(struct str header)
{
    size_t n = 0;
    if (header.n == 0 || header.n > TRACE_STATE_MAX)
        return false;
    while (header.p) {
        struct str member = str_trim(str_split(header, ',', &header));
        if (member.n > 0 && (++n > STATE_MEMBERS_MAX || !state_member_ok(member)))
            return false;
    }
    return n > 0;
}

void trace_hex(const uint8_t *bytes, size_t n, char *ret)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        *ret++ = digits[bytes[i] >> 4];
        *ret++ = digits[bytes[i] & 0xf];
    }
    *ret = '\0';
}

void trace_format(const struct trace *t, char buf[static TRACE_TEXT_MAX])
{
    memcpy(buf, "00-", TRACE_AT);
    trace_hex(t->trace, TRACE_BYTES, buf + TRACE_AT);
    buf[SPAN_AT - 1] = '-';
    trace_hex(t->span, SPAN_BYTES, buf + SPAN_AT);
    memcpy(buf + FLAGS_AT - 1, t->sampled ? "-01" : "-00", sizeof "-01");
}

// ---- runs --------------------------------------------------------------------------------------

static bool mentions(struct str inputs)
{
    return inputs.n > 0 && str_contains(inputs, STR("\"" PARENT_MEMBER "\""));
}

void trace_of_run(struct str inputs, struct ulid run_key, struct ulid run_id, struct run_trace *ret,
                  struct arena *a)
{
    // Constant: every node must give an attempt the same span.
    static const uint8_t key[16] = "span-of-attempt";
    uint64_t span = hash_bytes(key, run_id.b, sizeof run_id.b) | 1; // all zero is not allowed
    CLEANUP_JSON json_t *v = NULL;
    struct err ignored;
    struct trace parent;
    *ret = (struct run_trace){.own.sampled = true};
    memcpy(ret->own.trace, run_key.b, sizeof run_key.b);
    memcpy(ret->own.span, &span, sizeof span);
    if (!mentions(inputs) || !json_parse(inputs, &v, &ignored))
        return;
    struct str given = json_str(json_object_get(v, PARENT_MEMBER)),
               state = json_str(json_object_get(v, STATE_MEMBER));
    if (!given.p)
        given = json_str(json_object_get(json_object_get(v, CAUSE_MEMBER), PARENT_MEMBER));
    if (!trace_parse(given, &parent))
        return;
    memcpy(ret->own.trace, parent.trace, sizeof parent.trace);
    memcpy(ret->parent, parent.span, sizeof parent.span);
    ret->own.sampled = parent.sampled;
    ret->has_parent = true;
    if (trace_state_ok(state))
        ret->state = arena_str(a, state);
}

struct str trace_inputs(struct str inputs, struct str parent, struct str state, struct arena *a)
{
    CLEANUP_JSON json_t *v = NULL;
    struct err ignored;
    struct sbuf out;
    if (!parent.p && !mentions(inputs))
        return inputs;
    if (inputs.n == 0)
        v = json_object();
    else if (!json_parse(inputs, &v, &ignored) || !json_is_object(v))
        return inputs;
    (void)json_object_del(v, PARENT_MEMBER);
    (void)json_object_del(v, STATE_MEMBER);
    if (parent.p)
        (void)json_object_set_new(v, PARENT_MEMBER, json_stringn(parent.p, parent.n));
    if (parent.p && state.p)
        (void)json_object_set_new(v, STATE_MEMBER, json_stringn(state.p, state.n));
    if (json_object_size(v) == 0)
        return STR_NONE;
    sbuf_init(&out, a, INPUTS_MAX);
    json_write(v, &out);
    return sbuf_ok(&out) ? sbuf_str(&out) : inputs;
}
