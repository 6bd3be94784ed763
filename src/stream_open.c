// SPDX-License-Identifier: Apache-2.0
// From settings to streams.
#include "stream_open.h"

enum { BROKERS_TEXT_MAX = 4096 };

static const struct str mechanisms[] = {
    [KAFKA_PLAIN] = STR_INIT("PLAIN"),
    [KAFKA_SCRAM_256] = STR_INIT("SCRAM-SHA-256"),
    [KAFKA_SCRAM_512] = STR_INIT("SCRAM-SHA-512"),
};

void stream_events_enable(const struct config *c, struct store *store)
{
    store->ops->events_enable(store, c->kafka.brokers.n > 0 && c->kafka.events_topic.n > 0);
}

static int64_t token_of(void *cluster)
{
    struct cluster_status status;
    cluster_status(cluster, &status);
    return status.token;
}

static struct str brokers_text(const struct strs *v, struct arena *a)
{
    struct sbuf out;
    sbuf_init(&out, a, BROKERS_TEXT_MAX);
    for (size_t i = 0; i < v->n; i++)
        sbuf_fmt(&out, "%s%.*s", i ? "," : "", STR_ARG(v->v[i]));
    return sbuf_str(&out);
}

bool stream_open_from(const struct config *c, struct app *app, struct cluster *cluster, struct stream **ret,
                      struct arena *a, struct err *err)
{
    const struct config_kafka *k = &c->kafka;
    if (k->brokers.n == 0)
        return true;
    // Every node of a cluster must name the same source, whoever publishes just now.
    struct str installation = app->store->exclusive ? c->node_name : STR("cluster");
    struct stream_config s = {
        .kafka = {.brokers = brokers_text(&k->brokers, a),
                  .security = k->protocol,
                  .mechanism = mechanisms[k->mechanism],
                  .username = k->username,
                  .password = k->password,
                  .ca_file = k->ca},
        .node_name = c->node_name,
        .source = k->source.n > 0 ? k->source : arena_fmt(a, "/chronos/%.*s", STR_ARG(installation)),
        .events_topic = k->events_topic,
        .requests_topic = k->requests_topic,
        .dead_letter_topic = k->dead_letter_topic,
        .group = k->group,
        .requests_user = k->requests_user,
        .node_token = cluster ? token_of : NULL,
        .token_ctx = cluster,
    };
    struct stream *opened = stream_open(&s, app, err);
    if (!opened)
        return false;
    *ret = opened;
    return true;
}
