// SPDX-License-Identifier: Apache-2.0
// kafka_tool BROKERS consume TOPIC…: prints every message from the oldest on as a line of JSON, until it is ended.
// kafka_tool BROKERS produce TOPIC:  sends lines of standard input, "key TAB value"; ends when all are acknowledged.
// kafka_tool BROKERS create TOPIC name=value…: makes a topic of one partition with these settings.
//
// Written against librdkafka alone, so that a mistake of ours in src/net/kafka cannot hide itself.
#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1 << 20, POLL_MS = 200, FLUSH_MS = 60000 };

static volatile sig_atomic_t ended;
static int failed;

static void on_signal(int number)
{
    (void)number;
    ended = 1;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[256];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK) {
        fprintf(stderr, "%s\n", text);
        exit(2);
    }
}

static rd_kafka_t *open_handle(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
    char text[256];
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof text);
    if (!rk) {
        fprintf(stderr, "%s\n", text);
        exit(2);
    }
    return rk;
}

// A text, or the length of what is none.
static json_t *text_of(const void *p, size_t n)
{
    json_t *v = p ? json_stringn(p, n) : json_null();
    return v ? v : json_pack("{s:i}", "notUtf8", (int)n);
}

static void print_message(const rd_kafka_message_t *m)
{
    json_t *v = json_object(), *headers = json_object();
    rd_kafka_headers_t *h;
    const char *name;
    const void *value;
    size_t n;
    if (rd_kafka_message_headers(m, &h) == RD_KAFKA_RESP_ERR_NO_ERROR)
        for (size_t i = 0; rd_kafka_header_get_all(h, i, &name, &value, &n) == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
            json_object_set_new(headers, name, text_of(value, n));
    json_object_set_new(v, "topic", json_string(rd_kafka_topic_name(m->rkt)));
    json_object_set_new(v, "partition", json_integer(m->partition));
    json_object_set_new(v, "offset", json_integer(m->offset));
    json_object_set_new(v, "key", text_of(m->key, m->key_len));
    json_object_set_new(v, "value", text_of(m->payload, m->len));
    json_object_set_new(v, "headers", headers);
    json_dumpf(v, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(v);
}

static int consume(rd_kafka_conf_t *conf, int n, char **topics)
{
    char group[64];
    snprintf(group, sizeof group, "kafka-tool-%d", (int)getpid());
    set(conf, "group.id", group);
    set(conf, "auto.offset.reset", "earliest");
    set(conf, "enable.auto.commit", "false");
    set(conf, "topic.metadata.refresh.interval.ms", "500");
    rd_kafka_t *rk = open_handle(RD_KAFKA_CONSUMER, conf);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(n);
    for (int i = 0; i < n; i++)
        rd_kafka_topic_partition_list_add(list, topics[i], RD_KAFKA_PARTITION_UA);
    rd_kafka_poll_set_consumer(rk);
    rd_kafka_subscribe(rk, list);
    while (!ended) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, POLL_MS);
        if (m && m->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            print_message(m);
        if (m)
            rd_kafka_message_destroy(m);
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return 0;
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    (void)rk;
    (void)opaque;
    failed += m->err != RD_KAFKA_RESP_ERR_NO_ERROR;
}

static int produce(rd_kafka_conf_t *conf, const char *topic)
{
    static char line[LINE_MAX_BYTES];
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    set(conf, "enable.idempotence", "true");
    rd_kafka_t *rk = open_handle(RD_KAFKA_PRODUCER, conf);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        char *tab = strchr(line, '\t'), *value = tab ? tab + 1 : line;
        size_t key = tab ? (size_t)(tab - line) : 0;
        if (rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY(key ? line : NULL, key),
                              RD_KAFKA_V_VALUE(value, strlen(value)), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                              RD_KAFKA_V_END))
            failed++;
    }
    if (rd_kafka_flush(rk, FLUSH_MS))
        failed++;
    rd_kafka_destroy(rk);
    return failed ? 1 : 0;
}

static int create(rd_kafka_conf_t *conf, const char *topic, int n, char **settings)
{
    char text[256];
    rd_kafka_t *rk = open_handle(RD_KAFKA_PRODUCER, conf);
    rd_kafka_NewTopic_t *made = rd_kafka_NewTopic_new(topic, 1, 1, text, sizeof text);
    for (int i = 0; i < n; i++) {
        char *value = strchr(settings[i], '=');
        *value = '\0';
        rd_kafka_NewTopic_set_config(made, settings[i], value + 1);
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_CreateTopics(rk, &made, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, FLUSH_MS);
    size_t results = 0;
    const rd_kafka_topic_result_t **v =
        event ? rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &results) : NULL;
    failed = results != 1 || rd_kafka_topic_result_error(v[0]) != RD_KAFKA_RESP_ERR_NO_ERROR;
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(made);
    rd_kafka_destroy(rk);
    return failed;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: kafka_tool BROKERS consume|produce|create TOPIC\n");
        return 2;
    }
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", argv[1]);
    set(conf, "reconnect.backoff.max.ms", "500");
    if (strcmp(argv[2], "create") == 0)
        return create(conf, argv[3], argc - 4, argv + 4);
    return strcmp(argv[2], "consume") == 0 ? consume(conf, argc - 3, argv + 3) : produce(conf, argv[3]);
}
