// SPDX-License-Identifier: Apache-2.0
// Joins the relay to a producer, and opens both directions as the settings ask.
#include "stream/stream.h"

#include "base/log.h"
#include "base/mem.h"
#include "stream/relay.h"
#include "stream/requests.h"

enum { SEND_S = 10, LAST_EVENTS_S = 3 };

struct stream {
    struct stream_config c;
    struct kafka_options kafka; // of the events
    struct kafka_producer *events;
    struct relay *relay;
    struct requests *requests;
    _Atomic bool stop;
};

static bool send_events(void *ctx, struct kafka_message *v, size_t n, struct err *err)
{
    struct stream *s = ctx;
    return kafka_produce(s->events, v, n, duration_s(SEND_S), err);
}

static bool open_events(struct stream *s, struct app *app, struct err *err)
{
    if (s->c.events_topic.n == 0)
        return true;
    if (!kafka_topic_check(s->c.events_topic, err) || !(s->events = kafka_producer_new(&s->kafka, err)))
        return err_wrap(err, "kafka.eventsTopic");
    struct relay_config c = {.store = app->store,
                             .clock = app->clock,
                             .topic = s->c.events_topic,
                             .source = s->c.source,
                             .send = send_events,
                             .send_ctx = s,
                             .node_token = s->c.node_token,
                             .token_ctx = s->c.token_ctx};
    s->relay = relay_new(&c);
    relay_start(s->relay);
    LOG_INFO("events are published", LOG_STR("topic", s->c.events_topic));
    return true;
}

static bool open_requests(struct stream *s, struct app *app, struct err *err)
{
    struct requests_config c = {.app = app,
                                .kafka = &s->kafka,
                                .topic = s->c.requests_topic,
                                .dead_letter_topic = s->c.dead_letter_topic,
                                .group = s->c.group,
                                .user = s->c.requests_user};
    if (c.topic.n == 0)
        return true;
    if (!kafka_topic_check(c.dead_letter_topic, err) || !(s->requests = requests_new(&c, err)))
        return err_wrap(err, "kafka.requestsTopic");
    requests_start(s->requests);
    LOG_INFO("requests are read", LOG_STR("topic", c.topic), LOG_STR("group", c.group));
    return true;
}

struct stream *stream_open(const struct stream_config *c, struct app *app, struct err *err)
{
    struct stream *s = mem_new(struct stream);
    s->c = *c;
    s->kafka = c->kafka;
    s->kafka.clock = app->clock;
    s->kafka.client_id = c->node_name;
    s->kafka.stop = &s->stop;
    if (open_events(s, app, err) && open_requests(s, app, err))
        return s;
    stream_close(s);
    return NULL;
}

bool stream_works(struct stream *s, char why[static STREAM_WHY_MAX])
{
    return !s->relay || relay_works(s->relay, why);
}

void stream_close(struct stream *s)
{
    if (!s)
        return;
    requests_free(s->requests);
    if (s->relay && !relay_stop(s->relay, duration_s(LAST_EVENTS_S)))
        atomic_store(&s->stop, true); // the brokers do not answer
    relay_free(s->relay);
    kafka_producer_free(s->events);
    mem_free(s);
}
