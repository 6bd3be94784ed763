// SPDX-License-Identifier: Apache-2.0
// MESSAGE_QUEUE on Redis streams: a message is an entry with the field "body" and a field for each header.
//
// What a consumer read and did not acknowledge stays with it; after visibilityTimeoutSeconds the next run
// takes it over (XAUTOCLAIM). A run that fails gives back what is not safe by making it look as old as that.
#include "jobs/mq.h"
#include "net/redis_data.h"

#include "jobs/template.h"

enum {
    CHUNK = 16, // entries of one answer
    VISIBILITY_S = 300,
    FIELDS_MAX = 2 * (MQ_HEADERS_MAX * 2 + 10),
    WORDS_MAX = FIELDS_MAX + 16,
    ID_MAX = 64,
    MS = 1000,
    MOVE_CHUNK = 50,
};

struct stream {
    struct mq *m;
    struct redis_data *r;
    struct str key, group, consumer;
    char (*ids)[ID_MAX]; // of what the server gave us, whether taken yet or not
    int64_t given;
};

static bool fail(struct stream *s)
{
    struct mq *m = s->m;
    switch (m->err.code) {
    case ERR_CONFLICT:
        return mq_fail(m, "BROKER_ERROR", redis_data_code(s->r));
    case ERR_DENIED:
        return mq_fail(m, "EGRESS_DENIED", NULL);
    case ERR_TIMEOUT:
        return mq_fail(m, "TIMEOUT", NULL);
    case ERR_UNAVAILABLE:
        return mq_fail(m, "CONNECTION_ERROR", NULL);
    default:
        return mq_fail(m, "BROKER_ERROR", err_code_name(m->err.code));
    }
}

static struct str number(struct mq *m, int64_t n) { return arena_fmt(&m->a->arena, "%lld", (long long)n); }

static bool one(struct stream *s, const char *what, struct redis_value **ret)
{
    return redis_data_one(s->r, what, ret, &s->m->scratch, &s->m->err) || fail(s);
}

// ---- PRODUCE ----

// Adds an entry unless its deduplication key is taken; both or neither. The trim is two words, or none.
static const char add_script[] =
    "if ARGV[1] ~= '0' and not redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[1]) then return false end\n"
    "local words = {'XADD', KEYS[1]}\n"
    "if ARGV[2] ~= '' then words[3] = ARGV[2]; words[4] = '~'; words[5] = ARGV[3] end\n"
    "words[#words + 1] = '*'\n"
    "for i = 4, #ARGV do words[#words + 1] = ARGV[i] end\n"
    "local id = redis.pcall(unpack(words))\n"
    "if type(id) == 'table' and id.err and ARGV[1] ~= '0' then redis.call('DEL', KEYS[2]) end\n"
    "return id";

struct words {
    struct str v[WORDS_MAX];
    size_t n;
};

static void word(struct words *w, struct str s)
{
    must(w->n < WORDS_MAX);
    w->v[w->n++] = s.p ? s : STR("");
}

static void trim_words(struct mq *m, struct words *w)
{
    int64_t now_ms = clock_now(m->a->clock).us / US_PER_MS;
    bool by_time = m->p->ttl_s != FIELD_ABSENT, by_length = m->c.max_length > 0;
    word(w, by_time ? STR("MINID") : by_length ? STR("MAXLEN") : STR(""));
    word(w, number(m, by_time ? now_ms - m->p->ttl_s * MS : m->c.max_length));
}

static bool add(struct stream *s, struct str body, const struct str_map *headers, bool *ret_added)
{
    struct mq *m = s->m;
    struct words w = {.n = 0};
    struct redis_value *v;
    bool once = m->p->deduplication.p != NULL;
    word(&w, STR("EVAL"));
    word(&w, str_of(add_script));
    word(&w, STR("2"));
    word(&w, s->key);
    word(&w, arena_fmt(&m->a->arena, "%.*s:dedup:%.*s", STR_ARG(s->key), STR_ARG(m->p->deduplication)));
    word(&w, number(m, once ? m->c.deduplication_s : 0));
    trim_words(m, &w);
    word(&w, STR("body"));
    word(&w, body);
    if (m->p->group.p) {
        word(&w, STR("messageGroupId"));
        word(&w, m->p->group);
    }
    if (once) {
        word(&w, STR("messageDeduplicationId"));
        word(&w, m->p->deduplication);
    }
    for (size_t i = 0; i < headers->n; i++) {
        word(&w, headers->v[i].key);
        word(&w, headers->v[i].value);
    }
    redis_data_put(s->r, w.v, w.n);
    if (!one(s, "add to the stream", &v))
        return false;
    *ret_added = v->kind == REDIS_VALUE_TEXT;
    return true;
}

static bool produce(struct stream *s)
{
    struct mq *m = s->m;
    struct str_map headers;
    size_t n = mq_body_count(m->p), added = 0;
    if (!mq_headers(m, &headers))
        return ERR(&m->err, ERR_TOO_LARGE, "no memory for the headers") ||
               mq_fail(m, "DEFINITION_ERROR", NULL);
    for (size_t i = 0; i < n; i++) {
        bool new_one = false;
        arena_reset(&m->scratch);
        if (!add(s, mq_body(m->p, i), &headers, &new_one))
            return false;
        added += new_one;
    }
    if (added < n)
        mq_say(
            m,
            "a message with messageDeduplicationId \"%.*s\" is in stream \"%.*s\" already; nothing was added",
            STR_ARG(m->p->deduplication), STR_ARG(s->key));
    else
        mq_say(m, "%zu message%s added to stream \"%.*s\"", n, n == 1 ? "" : "s", STR_ARG(s->key));
    return true;
}

// ---- CONSUME ----

// The stream must be there, and the group is made when it is not.
static bool make_group(struct stream *s)
{
    struct mq *m = s->m;
    struct redis_value **v;
    size_t n;
    struct str from = STR("0");
    if (m->c.create_queue)
        REDIS_DATA_PUT(s->r, STR("XGROUP"), STR("CREATE"), s->key, s->group, from, STR("MKSTREAM"));
    else
        REDIS_DATA_PUT(s->r, STR("XGROUP"), STR("CREATE"), s->key, s->group, from);
    if (!redis_data_run(s->r, (struct duration){0}, &v, &n, &m->scratch, &m->err))
        return fail(s);
    if (v[0]->kind != REDIS_VALUE_ERROR || str_starts(v[0]->text, STR("BUSYGROUP")))
        return true;
    bool missing = str_contains(v[0]->text, STR("requires the key to exist"));
    if (!missing)
        return redis_data_fail(s->r, v[0], "make the group", &m->err) || fail(s);
    return ERR(&m->err, ERR_NOT_FOUND,
               "redis: stream \"%.*s\" does not exist; produce to it first, or set queueConfig.createQueue",
               STR_ARG(s->key)) ||
           mq_fail(m, "BROKER_ERROR", "NOT_FOUND");
}

// An entry is [id, [field, value, …]]; one that was deleted meanwhile has no fields.
static bool take_entry(struct stream *s, const struct redis_value *entry)
{
    struct mq *m = s->m;
    bool whole = entry->kind == REDIS_VALUE_LIST && entry->n == 2 && entry->v[0]->kind == REDIS_VALUE_TEXT;
    if (!whole || m->taken >= m->p->batch_size)
        return ERR(&m->err, ERR_CONFLICT, "redis: the answer is none of a stream") ||
               mq_fail(m, "BROKER_ERROR", "BAD_ANSWER");
    const struct redis_value *fields = entry->v[1];
    struct str id = entry->v[0]->text;
    struct mq_message msg = {.id = id,
                             .place = arena_fmt(&m->scratch, "%.*s %.*s", STR_ARG(s->key), STR_ARG(id))};
    size_t n = fields->kind == REDIS_VALUE_LIST ? fields->n / 2 : 0;
    msg.headers.v = arena_new_array(&m->scratch, struct str_pair, n);
    for (size_t i = 0; msg.headers.v && i < n; i++) {
        struct str name = fields->v[2 * i]->text, value = fields->v[2 * i + 1]->text;
        if (str_is(name, "body"))
            msg.body = value;
        else
            msg.headers.v[msg.headers.n++] = (struct str_pair){name, value};
        if (str_is(name, "messageGroupId"))
            msg.key = value;
    }
    return mq_take(m, &msg);
}

static bool take_entries(struct stream *s, const struct redis_value *list, size_t *ret_n)
{
    *ret_n = list->kind == REDIS_VALUE_LIST ? list->n : 0;
    for (size_t i = 0; i < *ret_n && s->given < s->m->p->batch_size; i++) {
        const struct redis_value *entry = list->v[i];
        struct str id = entry->kind == REDIS_VALUE_LIST && entry->n > 0 ? entry->v[0]->text : STR_NONE;
        (void)snprintf(s->ids[s->given++], ID_MAX, "%.*s", STR_ARG(id));
    }
    for (size_t i = 0; i < *ret_n; i++)
        if (!take_entry(s, list->v[i]))
            return false;
    return true;
}

static int64_t room(const struct stream *s)
{
    int64_t left = s->m->p->batch_size - s->m->taken;
    return left < CHUNK ? left : CHUNK;
}

static int64_t visibility_ms(const struct mq *m)
{
    return (m->p->visibility_s == FIELD_ABSENT ? VISIBILITY_S : m->p->visibility_s) * MS;
}

// Takes over what others, or earlier runs, have read and not acknowledged for long.
static bool read_abandoned(struct stream *s)
{
    struct mq *m = s->m;
    struct str from = STR("0-0");
    while (room(s) > 0 && !mq_stopping(m)) {
        struct redis_value *v;
        size_t n;
        arena_reset(&m->scratch);
        REDIS_DATA_PUT(s->r, STR("XAUTOCLAIM"), s->key, s->group, s->consumer, number(m, visibility_ms(m)),
                       from, STR("COUNT"), number(m, room(s)));
        if (!one(s, "take over old messages", &v))
            return false;
        if (v->kind != REDIS_VALUE_LIST || v->n < 2)
            return true;
        from = arena_str(&m->a->arena, v->v[0]->text);
        if (!take_entries(s, v->v[1], &n))
            return false;
        if (str_is(from, "0-0"))
            return true;
    }
    return true;
}

// [[key, [entry, …]]], or nothing when the time passed.
static bool read_new(struct stream *s)
{
    struct mq *m = s->m;
    struct mono until = mono_add(clock_mono(m->a->clock), duration_s(m->c.wait_s));
    for (bool more = true; more && room(s) > 0 && !mq_stopping(m);) {
        struct redis_value **v;
        size_t n, entries = 0;
        int64_t left_ms = mono_since(until, clock_mono(m->a->clock)).us / US_PER_MS;
        more = left_ms > 0;
        left_ms = more ? left_ms : 1; // 0 would mean: for ever
        arena_reset(&m->scratch);
        REDIS_DATA_PUT(s->r, STR("XREADGROUP"), STR("GROUP"), s->group, s->consumer, STR("COUNT"),
                       number(m, room(s)), STR("BLOCK"), number(m, left_ms), STR("STREAMS"), s->key,
                       STR(">"));
        if (!redis_data_run(s->r, duration_ms(left_ms), &v, &n, &m->scratch, &m->err))
            return fail(s);
        if (v[0]->kind == REDIS_VALUE_ERROR)
            return redis_data_fail(s->r, v[0], "read the stream", &m->err) || fail(s);
        bool some = v[0]->kind == REDIS_VALUE_LIST && v[0]->n == 1 && v[0]->v[0]->n == 2;
        if (some && !take_entries(s, v[0]->v[0]->v[1], &entries))
            return false;
        more = more || entries > 0; // without a wait: as long as there are any
    }
    return true;
}

static bool acknowledge(struct stream *s, struct err *err)
{
    struct mq *m = s->m;
    struct redis_value **v;
    size_t n;
    arena_reset(&m->scratch);
    for (int64_t i = 0; i < m->safe; i++) {
        REDIS_DATA_PUT(s->r, STR("XACK"), s->key, s->group, str_of(s->ids[i]));
        if (m->c.delete_acknowledged)
            REDIS_DATA_PUT(s->r, STR("XDEL"), s->key, str_of(s->ids[i]));
    }
    if (m->safe > 0 && !redis_data_run(s->r, (struct duration){0}, &v, &n, &m->scratch, err))
        return false;
    for (size_t i = 0; m->safe > 0 && i < n; i++)
        if (v[i]->kind == REDIS_VALUE_ERROR)
            return redis_data_fail(s->r, v[i], "acknowledge", err);
    return true;
}

// So that the next run need not wait for them to grow old.
static void give_back(struct stream *s)
{
    struct mq *m = s->m;
    struct redis_value **unused;
    struct err ignored;
    size_t n;
    struct str old = number(m, visibility_ms(m));
    if (m->safe == s->given)
        return;
    arena_reset(&m->scratch);
    for (int64_t i = m->safe; i < s->given; i++)
        REDIS_DATA_PUT(s->r, STR("XCLAIM"), s->key, s->group, s->consumer, STR("0"), str_of(s->ids[i]),
                       STR("IDLE"), old, STR("JUSTID"));
    if (!redis_data_run(s->r, (struct duration){0}, &unused, &n, &m->scratch, &ignored))
        mq_say(m, "the messages that were not handled come again after visibilityTimeoutSeconds");
}

static bool consume(struct stream *s)
{
    struct mq *m = s->m;
    struct redis_value *left;
    struct err unused;
    char id[ULID_TEXT_MAX];
    struct str mine = arena_fmt(&m->a->arena, "chronos-%s", ulid_format(m->a->job_id, id));
    s->group = m->c.group.p ? m->c.group : mine;
    s->consumer = mine;
    s->ids = arena_alloc(&m->a->arena, (size_t)m->p->batch_size * ID_MAX);
    if (!s->ids)
        return ERR(&m->err, ERR_TOO_LARGE, "no memory for the batch") || mq_fail(m, "DEFINITION_ERROR", NULL);
    if (!make_group(s))
        return false;
    bool ok = read_abandoned(s) && read_new(s) && mq_take_end(m);
    if (!acknowledge(s, ok ? &m->err : &unused))
        return ok ? fail(s) : false;
    if (!ok) {
        give_back(s);
        return false;
    }
    REDIS_DATA_PUT(s->r, STR("XLEN"), s->key);
    if (!one(s, "ask for its length", &left))
        return false;
    mq_say(m, "%lld message%s consumed; the stream has %lld entries", (long long)m->safe,
           m->safe == 1 ? "" : "s", (long long)left->number);
    return true;
}

// ---- MOVE_DLQ ----

static const char move_script[] =
    "local entries = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[1])\n"
    "for _, entry in ipairs(entries) do\n"
    "  redis.call('XADD', KEYS[2], '*', unpack(entry[2]))\n"
    "  redis.call('XDEL', KEYS[1], entry[1])\n"
    "end\n"
    "return #entries";

static bool there(struct stream *s, struct str key)
{
    struct mq *m = s->m;
    struct redis_value *v;
    arena_reset(&m->scratch);
    REDIS_DATA_PUT(s->r, STR("EXISTS"), key);
    if (!one(s, "look for the stream", &v))
        return false;
    return v->number > 0 ||
           ERR(&m->err, ERR_NOT_FOUND, "redis: stream \"%.*s\" does not exist", STR_ARG(key)) ||
           mq_fail(m, "BROKER_ERROR", "NOT_FOUND");
}

static bool move(struct stream *s)
{
    struct mq *m = s->m;
    struct redis_value *v;
    if (!there(s, m->c.dead_letter_queue))
        return false;
    while (m->taken < m->p->batch_size && !mq_stopping(m)) {
        int64_t most = m->p->batch_size - m->taken;
        most = most < MOVE_CHUNK ? most : MOVE_CHUNK;
        arena_reset(&m->scratch);
        REDIS_DATA_PUT(s->r, STR("EVAL"), str_of(move_script), STR("2"), m->c.dead_letter_queue, s->key,
                       number(m, most));
        if (!one(s, "move", &v))
            return false;
        m->taken += v->number;
        if (v->number < most)
            break;
    }
    mq_say(m, "%lld message%s moved from \"%.*s\" to \"%.*s\"", (long long)m->taken, m->taken == 1 ? "" : "s",
           STR_ARG(m->c.dead_letter_queue), STR_ARG(s->key));
    return true;
}

// ---- PURGE ----

static bool purge(struct stream *s)
{
    struct redis_value *v;
    if (!there(s, s->key))
        return false;
    REDIS_DATA_PUT(s->r, STR("XTRIM"), s->key, STR("MAXLEN"), STR("0"));
    if (!one(s, "purge", &v))
        return false;
    mq_say(s->m, "%lld messages removed from stream \"%.*s\"", (long long)v->number, STR_ARG(s->key));
    return true;
}

// ---- all ----

static void interrupt(void *ctx) { redis_data_interrupt(ctx); }

bool mq_redis(struct mq *m)
{
    static bool (*const operations[])(struct stream *) = {
        [MQ_PRODUCE] = produce, [MQ_CONSUME] = consume, [MQ_MOVE_DLQ] = move, [MQ_PURGE] = purge};
    const struct mq_config *c = &m->c;
    struct redis_data_options o = {
        .clock = m->a->clock,
        .egress = m->a->env->egress,
        .host = c->host,
        .port = c->port != FIELD_ABSENT ? (int)c->port : MQ_PORT_REDIS,
        .username = c->username,
        .password = c->password,
        .database = (int)c->database,
        .at_most = mq_timeout(m),
    };
    struct stream s = {.m = m, .r = redis_data_new(&o), .key = m->p->queue};
    attempt_interruptible(m->a, interrupt, s.r);
    bool ok = redis_data_connect(s.r, &m->err) ? operations[m->p->operation](&s) : fail(&s);
    if (!ok && m->error_code) { // it lies in the connection
        struct str kept = arena_str(&m->a->arena, str_of(m->error_code));
        m->error_code = kept.p;
    }
    attempt_uninterruptible(m->a);
    redis_data_free(s.r);
    return ok;
}

void mq_redis_check(const struct mq_payload *p, const struct mq_config *c, struct str base, struct faults *f)
{
    if (!c->host.p)
        mq_fault(f, base, "queueConfig/host", "is required for REDIS");
    if (c->tls)
        mq_fault(f, base, "queueConfig/tls",
                 "is not possible for REDIS; reach it through a tunnel or a private network");
    if (p->ttl_s != FIELD_ABSENT && c->max_length > 0)
        mq_fault(f, base, "timeToLiveSeconds",
                 "cannot be given together with queueConfig.maxLength for REDIS");
    for (size_t i = 0; i < p->headers.n + p->attributes.n; i++) {
        const struct str_pair *h = i < p->headers.n ? &p->headers.v[i] : &p->attributes.v[i - p->headers.n];
        if (str_is(h->key, "body"))
            mq_fault(f, base, i < p->headers.n ? "headers/body" : "messageAttributes/body",
                     "is the name of the message itself in a Redis stream; choose another");
    }
}
