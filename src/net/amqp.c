// SPDX-License-Identifier: Apache-2.0
// Publishing with confirms and consuming, frame by frame: so every wait has its limit, and a body is never
// larger than what we are ready to keep.
#include "net/amqp_impl.h"

enum { MODE_TRANSIENT = 1, MODE_PERSISTENT = 2, QUEUE_ARGUMENTS_MAX = 6 };
static const amqp_table_t no_table = {0, NULL};
static const char consumer_tag[] = "chronos";

static bool failed(struct amqp *q, const char *what, struct err *err)
{
    return amqp_fail_reply(q, amqp_lib.amqp_get_rpc_reply(q->state), what, err);
}

// ---- frames ----

static void note_blocked(struct amqp *q, const amqp_method_t *m)
{
    const amqp_connection_blocked_t *b = m->decoded;
    struct str why = amqp_str_of(b->reason);
    (void)snprintf(q->blocked, sizeof q->blocked, "%.*s", STR_ARG(why));
}

// The next frame of the channel; *ret_some is false when the time passed. What the broker says of the whole
// connection is dealt with here.
static bool next_frame(struct amqp *q, struct mono until, amqp_frame_t *ret, bool *ret_some, const char *what,
                       struct err *err)
{
    for (;;) {
        struct duration left = mono_since(until, clock_mono(q->options.clock));
        left.us = left.us > 0 ? left.us : 0;
        struct timeval tv = {.tv_sec = left.us / US_PER_S, .tv_usec = left.us % US_PER_S};
        int status = amqp_lib.amqp_simple_wait_frame_noblock(q->state, ret, &tv);
        if (status == AMQP_STATUS_TIMEOUT && !atomic_load(&q->interrupted)) {
            *ret_some = false;
            return true;
        }
        if (status != AMQP_STATUS_OK)
            return amqp_fail_status(q, status, what, err);
        if (ret->frame_type != AMQP_FRAME_METHOD) {
            *ret_some = true;
            return true;
        }
        const amqp_method_t *m = &ret->payload.method;
        if (m->id == AMQP_CHANNEL_CLOSE_METHOD || m->id == AMQP_CONNECTION_CLOSE_METHOD)
            return amqp_fail_close(m, what, err);
        if (m->id == AMQP_CONNECTION_BLOCKED_METHOD) {
            note_blocked(q, m);
        } else if (m->id == AMQP_CONNECTION_UNBLOCKED_METHOD) {
            q->blocked[0] = '\0';
        } else {
            *ret_some = true;
            return true;
        }
    }
}

static struct mono until_of(struct amqp *q)
{
    return mono_add(clock_mono(q->options.clock), q->options.at_most);
}

// A frame of a message that has begun: it must come, and be of this type.
static bool must_follow(struct amqp *q, int type, amqp_frame_t *ret, struct err *err)
{
    bool some = false;
    if (!next_frame(q, until_of(q), ret, &some, "read a message", err))
        return false;
    if (!some)
        return amqp_fail_status(q, AMQP_STATUS_TIMEOUT, "read a message", err);
    return ret->frame_type == type || ERR(err, ERR_UNAVAILABLE, "rabbitmq: read a message: unexpected frame");
}

// Reads header and body. With keep = false nothing of it is kept.
static bool read_content(struct amqp *q, bool keep, const amqp_basic_properties_t **ret_properties,
                         struct str *ret_body, bool *ret_too_large, struct arena *a, struct err *err)
{
    amqp_frame_t f;
    if (!must_follow(q, AMQP_FRAME_HEADER, &f, err))
        return false;
    uint64_t size = f.payload.properties.body_size, have = 0;
    *ret_properties = f.payload.properties.decoded;
    keep = keep && size <= AMQP_BODY_BYTES_MAX;
    char *body = keep ? arena_alloc(a, size + 1) : NULL;
    keep = body != NULL;
    while (have < size) {
        if (!must_follow(q, AMQP_FRAME_BODY, &f, err))
            return false;
        amqp_bytes_t part = f.payload.body_fragment;
        if (part.len > size - have)
            return ERR(err, ERR_UNAVAILABLE, "rabbitmq: read a message: the body is longer than announced");
        if (keep)
            memcpy(body + have, part.bytes, part.len);
        have += part.len;
    }
    *ret_too_large = !keep;
    *ret_body = keep ? str_of_n(body, size) : STR_NONE;
    return true;
}

// ---- queues ----

static void argument(amqp_table_t *t, const char *name, struct str text, int64_t number)
{
    amqp_table_entry_t *e = &t->entries[t->num_entries];
    if (!text.p && number == 0)
        return;
    *e = (amqp_table_entry_t){.key = amqp_bytes_of(str_of(name))};
    e->value.kind = text.p ? AMQP_FIELD_KIND_UTF8 : AMQP_FIELD_KIND_I64;
    if (text.p)
        e->value.value.bytes = amqp_bytes_of(text);
    else
        e->value.value.i64 = number;
    t->num_entries++;
}

bool amqp_declare(struct amqp *q, struct str queue, const struct amqp_queue *how, int64_t *ret_messages,
                  struct err *err)
{
    amqp_table_entry_t entries[QUEUE_ARGUMENTS_MAX];
    amqp_table_t arguments = {0, entries};
    if (how->make) {
        argument(&arguments, "x-max-length", STR_NONE, how->length_max);
        argument(&arguments, "x-max-priority", STR_NONE, how->priority_max);
        argument(&arguments, "x-overflow", how->refuse_overflow ? STR("reject-publish") : STR_NONE, 0);
        argument(&arguments, "x-dead-letter-exchange", how->dead_exchange, 0);
        argument(&arguments, "x-dead-letter-routing-key", how->dead_key, 0);
        argument(&arguments, "x-queue-type", how->type, 0);
    }
    const amqp_queue_declare_ok_t *ok = amqp_lib.amqp_queue_declare(
        q->state, AMQP_CHANNEL, amqp_bytes_of(queue), !how->make, 1, 0, 0, how->make ? arguments : no_table);
    if (!ok)
        return failed(q, "look for the queue", err);
    *ret_messages = ok->message_count;
    return true;
}

bool amqp_purge(struct amqp *q, struct str queue, int64_t *ret_n, struct err *err)
{
    const amqp_queue_purge_ok_t *ok = amqp_lib.amqp_queue_purge(q->state, AMQP_CHANNEL, amqp_bytes_of(queue));
    if (!ok)
        return failed(q, "purge", err);
    *ret_n = ok->message_count;
    return true;
}

// ---- publishing ----

static amqp_basic_properties_t properties_of(const struct amqp_mail *m, amqp_table_entry_t *entries)
{
    amqp_basic_properties_t p = {
        ._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_HEADERS_FLAG,
        .delivery_mode = m->persistent ? MODE_PERSISTENT : MODE_TRANSIENT,
        .priority = (uint8_t)(m->priority == AMQP_PRIORITY_NONE ? 0 : m->priority),
        .message_id = amqp_bytes_of(m->message_id),
        .content_type = amqp_bytes_of(m->content_type),
        .expiration = amqp_bytes_of(m->expiration_ms),
        .headers = {(int)m->headers.n, entries},
    };
    p._flags |= m->priority != AMQP_PRIORITY_NONE ? AMQP_BASIC_PRIORITY_FLAG : 0;
    p._flags |= m->message_id.p ? AMQP_BASIC_MESSAGE_ID_FLAG : 0;
    p._flags |= m->content_type.p ? AMQP_BASIC_CONTENT_TYPE_FLAG : 0;
    p._flags |= m->expiration_ms.p ? AMQP_BASIC_EXPIRATION_FLAG : 0;
    for (size_t i = 0; i < m->headers.n; i++)
        entries[i] = (amqp_table_entry_t){
            .key = amqp_bytes_of(m->headers.v[i].key),
            .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_bytes_of(m->headers.v[i].value)}};
    return p;
}

// Takes a returned message off the wire; fills *err with why it came back.
static bool take_return(struct amqp *q, const amqp_basic_return_t *r, const struct amqp_mail *m,
                        struct err *err)
{
    const amqp_basic_properties_t *unused_properties;
    struct str unused_body;
    bool unused;
    struct arena none;
    struct err lost;
    int code = r->reply_code;
    arena_init(&none, 0);
    if (!read_content(q, false, &unused_properties, &unused_body, &unused, &none, &lost)) {
        *err = lost;
        return false;
    }
    (void)ERR(err, ERR_UNAVAILABLE,
              "rabbitmq: no queue takes what exchange \"%.*s\" gets with routing key \"%.*s\"",
              STR_ARG(m->exchange), STR_ARG(m->routing_key));
    err->native = code;
    return true;
}

static bool await_confirm(struct amqp *q, const struct amqp_mail *m, struct err *err)
{
    struct mono until = until_of(q);
    struct err why_back;
    bool some = false, came_back = false;
    amqp_frame_t f;
    for (;;) {
        if (!next_frame(q, until, &f, &some, "publish", err))
            return false;
        if (!some)
            return amqp_fail_status(q, AMQP_STATUS_TIMEOUT, "publish", err);
        const amqp_method_t *method = &f.payload.method;
        if (f.frame_type != AMQP_FRAME_METHOD) {
            return ERR(err, ERR_UNAVAILABLE, "rabbitmq: publish: unexpected frame");
        } else if (method->id == AMQP_BASIC_RETURN_METHOD) {
            came_back = true; // the ack of a returned message follows
            if (!take_return(q, method->decoded, m, &why_back)) {
                *err = why_back;
                return false;
            }
        } else if (method->id == AMQP_BASIC_ACK_METHOD) {
            if (came_back)
                *err = why_back;
            return !came_back;
        } else if (method->id == AMQP_BASIC_NACK_METHOD) {
            (void)ERR(err, ERR_UNAVAILABLE,
                      "rabbitmq: a queue refused the message (it is full, or the broker had an error)");
            err->native = AMQP_NACK;
            return false;
        }
    }
}

bool amqp_publish(struct amqp *q, const struct amqp_mail *m, struct err *err)
{
    amqp_table_entry_t entries[AMQP_HEADER_COUNT_MAX];
    must(m->headers.n <= AMQP_HEADER_COUNT_MAX);
    if (!q->confirms && !amqp_lib.amqp_confirm_select(q->state, AMQP_CHANNEL))
        return failed(q, "ask for confirms", err);
    q->confirms = true;
    amqp_basic_properties_t p = properties_of(m, entries);
    if (m->properties) {
        p = *(const amqp_basic_properties_t *)m->properties;
        p._flags &= ~(amqp_flags_t)AMQP_BASIC_USER_ID_FLAG; // the broker takes only our own
    }
    int status = amqp_lib.amqp_basic_publish(q->state, AMQP_CHANNEL, amqp_bytes_of(m->exchange),
                                             amqp_bytes_of(m->routing_key), 1, 0, &p, amqp_bytes_of(m->body));
    if (status != AMQP_STATUS_OK)
        return amqp_fail_status(q, status, "publish", err);
    return await_confirm(q, m, err);
}

// ---- consuming ----

bool amqp_consume(struct amqp *q, struct str queue, int prefetch, struct err *err)
{
    must(prefetch > 0 && prefetch <= AMQP_PREFETCH_MAX);
    if (!amqp_lib.amqp_basic_qos(q->state, AMQP_CHANNEL, 0, (uint16_t)prefetch, 0))
        return failed(q, "set the prefetch", err);
    return amqp_lib.amqp_basic_consume(q->state, AMQP_CHANNEL, amqp_bytes_of(queue),
                                       amqp_bytes_of(str_of(consumer_tag)), 0, 0, 0, no_table) ||
           failed(q, "consume", err);
}

bool amqp_enough(struct amqp *q, struct err *err)
{
    return amqp_lib.amqp_basic_cancel(q->state, AMQP_CHANNEL, amqp_bytes_of(str_of(consumer_tag))) ||
           failed(q, "stop consuming", err);
}

static struct str number(struct arena *a, long long n) { return arena_fmt(a, "%lld", n); }

// Texts, numbers and truth; what is nested is left out.
static struct str value_text(const amqp_field_value_t *v, struct arena *a)
{
    switch (v->kind) {
    case AMQP_FIELD_KIND_UTF8:
    case AMQP_FIELD_KIND_BYTES:
        return arena_str(a, amqp_str_of(v->value.bytes));
    case AMQP_FIELD_KIND_BOOLEAN:
        return v->value.boolean ? STR("true") : STR("false");
    case AMQP_FIELD_KIND_I8:
        return number(a, v->value.i8);
    case AMQP_FIELD_KIND_U8:
        return number(a, v->value.u8);
    case AMQP_FIELD_KIND_I16:
        return number(a, v->value.i16);
    case AMQP_FIELD_KIND_U16:
        return number(a, v->value.u16);
    case AMQP_FIELD_KIND_I32:
        return number(a, v->value.i32);
    case AMQP_FIELD_KIND_U32:
        return number(a, v->value.u32);
    case AMQP_FIELD_KIND_I64:
    case AMQP_FIELD_KIND_TIMESTAMP:
        return number(a, v->value.i64);
    case AMQP_FIELD_KIND_F64:
        return arena_fmt(a, "%.17g", v->value.f64);
    default:
        return STR_NONE;
    }
}

static void take_properties(const amqp_basic_properties_t *p, struct amqp_mail *ret, struct arena *a)
{
    ret->priority = p->_flags & AMQP_BASIC_PRIORITY_FLAG ? p->priority : AMQP_PRIORITY_NONE;
    ret->persistent = p->_flags & AMQP_BASIC_DELIVERY_MODE_FLAG && p->delivery_mode == MODE_PERSISTENT;
    if (p->_flags & AMQP_BASIC_MESSAGE_ID_FLAG)
        ret->message_id = arena_str(a, amqp_str_of(p->message_id));
    if (p->_flags & AMQP_BASIC_CONTENT_TYPE_FLAG)
        ret->content_type = arena_str(a, amqp_str_of(p->content_type));
    if (!(p->_flags & AMQP_BASIC_HEADERS_FLAG))
        return;
    ret->headers.v = arena_new_array(a, struct str_pair, AMQP_HEADER_COUNT_MAX);
    for (int i = 0; ret->headers.v && i < p->headers.num_entries && ret->headers.n < AMQP_HEADER_COUNT_MAX;
         i++) {
        struct str value = value_text(&p->headers.entries[i].value, a);
        if (value.p)
            ret->headers.v[ret->headers.n++] =
                (struct str_pair){arena_str(a, amqp_str_of(p->headers.entries[i].key)), value};
    }
}

static bool take_delivery(struct amqp *q, const amqp_basic_deliver_t *d, struct amqp_mail *ret,
                          struct arena *a, struct err *err)
{
    const amqp_basic_properties_t *p;
    struct amqp_mail m = {
        .exchange = arena_str(a, amqp_str_of(d->exchange)),
        .routing_key = arena_str(a, amqp_str_of(d->routing_key)),
        .tag = d->delivery_tag,
        .redelivered = d->redelivered,
    };
    if (!read_content(q, true, &p, &m.body, &m.too_large, a, err))
        return false;
    take_properties(p, &m, a);
    if (a->exhausted)
        return ERR(err, ERR_TOO_LARGE, "rabbitmq: a message does not fit into memory");
    m.properties = p;
    *ret = m;
    return true;
}

bool amqp_next(struct amqp *q, struct duration at_most, struct amqp_mail *ret, bool *ret_some,
               struct arena *a, struct err *err)
{
    struct mono until = mono_add(clock_mono(q->options.clock), at_most);
    amqp_frame_t f;
    amqp_lib.amqp_maybe_release_buffers(q->state);
    for (;;) {
        if (!next_frame(q, until, &f, ret_some, "consume", err))
            return false;
        if (!*ret_some)
            return true;
        if (f.frame_type != AMQP_FRAME_METHOD)
            return ERR(err, ERR_UNAVAILABLE, "rabbitmq: consume: unexpected frame");
        if (f.payload.method.id == AMQP_BASIC_DELIVER_METHOD)
            return take_delivery(q, f.payload.method.decoded, ret, a, err);
        if (f.payload.method.id == AMQP_BASIC_CANCEL_METHOD) {
            (void)ERR(err, ERR_UNAVAILABLE, "rabbitmq: consume: the queue was deleted meanwhile");
            err->native = AMQP_NOT_FOUND;
            return false;
        }
    }
}

bool amqp_ack(struct amqp *q, uint64_t tag, bool all_before, struct err *err)
{
    int status = amqp_lib.amqp_basic_ack(q->state, AMQP_CHANNEL, tag, all_before);
    return status == AMQP_STATUS_OK || amqp_fail_status(q, status, "acknowledge", err);
}

bool amqp_give_back(struct amqp *q, uint64_t tag, struct err *err)
{
    int status = amqp_lib.amqp_basic_nack(q->state, AMQP_CHANNEL, tag, 0, 1);
    return status == AMQP_STATUS_OK || amqp_fail_status(q, status, "give back", err);
}
