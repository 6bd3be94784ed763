// SPDX-License-Identifier: Apache-2.0
// Settings, errors and log of librdkafka. Its texts name settings and brokers; a password is in none of them,
// and a value it refuses is not repeated.
#include "net/kafka_conf.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/log.h"

const char *const kafka_security_words[] = {"plaintext", "ssl", "sasl_plaintext", "sasl_ssl", NULL};

enum {
    OPTION_TEXT_MAX = 4096,
    RK_TEXT_MAX = 256,
    SYSLOG_WARNING = 4, // librdkafka counts as syslog does; its header would take our names of levels
};

// Every wait inside librdkafka that it would measure in minutes is measured in seconds here.
static const struct kafka_pair common[] = {
    {"socket.timeout.ms", "10000"},
    {"socket.keepalive.enable", "true"},
    {"socket.connection.setup.timeout.ms", "10000"},
    {"reconnect.backoff.max.ms", "2000"},
    {"topic.metadata.refresh.interval.ms", "10000"}, // so that a topic made later is seen soon
};

bool kafka_topic_check(struct str topic, struct err *err)
{
    bool ok = topic.n >= 1 && topic.n <= KAFKA_TOPIC_MAX && !str_is(topic, ".") && !str_is(topic, "..");
    for (size_t i = 0; ok && i < topic.n; i++) {
        char c = topic.p[i];
        ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
             c == '_' || c == '-';
    }
    return ok ||
           ERR(err, ERR_CONFIG,
               "\"%.*s\" is no name of a topic: give 1 to %d letters, digits, dots, underscores and hyphens",
               STR_ARG(topic), KAFKA_TOPIC_MAX);
}

// What the connections of jobs have to say may hold their secrets: it is for the run's log, where those are masked.
static bool of_job(const struct kafka_base *b) { return b && b->egress; }

// Called on threads of librdkafka. Its warnings are about connections that it repairs itself; whether they
// matter is decided by who called, so all of them are for debugging.
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    if (of_job(rd_kafka_opaque(rk)))
        return;
    LOG_DEBUG("kafka", LOG_CSTR("facility", facility), LOG_CSTR("text", text),
              LOG_FLAG("warning", level <= SYSLOG_WARNING));
}

// On the owner's thread, inside its poll. Trouble with one broker is librdkafka's own business.
static void on_error(rd_kafka_t *rk, int code, const char *text, void *opaque)
{
    struct kafka_base *b = opaque;
    (void)rk;
    if (!of_job(b))
        LOG_DEBUG("kafka error", LOG_CSTR("code", rd_kafka_err2name((rd_kafka_resp_err_t)code)),
                  LOG_CSTR("text", text));
    bool all = code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
    b->denied |= code == RD_KAFKA_RESP_ERR__AUTHENTICATION;
    b->down |= all || b->denied || code == RD_KAFKA_RESP_ERR__FATAL;
    if (all && b->reason[0])
        return; // the reason itself was told before
    snprintf(b->reason, sizeof b->reason, "%s", text);
    b->code = (rd_kafka_resp_err_t)code;
}

// On threads of librdkafka, for every connection.
static int on_connect(int fd, const struct sockaddr *address, int n, const char *broker, void *opaque)
{
    struct kafka_base *b = opaque;
    (void)broker;
    if (b->egress && !egress_permits(b->egress, address)) {
        atomic_store(&b->refused, true);
        return EACCES;
    }
    return connect(fd, address, (socklen_t)n) == 0 || errno == EINPROGRESS ? 0 : errno;
}

static bool set(rd_kafka_conf_t *conf, const char *name, const char *value, struct err *err)
{
    char text[RK_TEXT_MAX];
    return rd_kafka_conf_set(conf, name, value, text, sizeof text) == RD_KAFKA_CONF_OK ||
           ERR(err, ERR_CONFIG, "kafka: \"%s\" cannot have this value", name);
}

static bool set_str(rd_kafka_conf_t *conf, const char *name, struct str value, struct err *err)
{
    char text[OPTION_TEXT_MAX];
    if (value.n == 0)
        return true;
    if (value.n >= sizeof text || memchr(value.p, '\0', value.n))
        return ERR(err, ERR_CONFIG, "kafka: the value of \"%s\" is too long or holds a NUL", name);
    memcpy(text, value.p, value.n);
    text[value.n] = '\0';
    return set(conf, name, text, err);
}

static bool set_options(rd_kafka_conf_t *conf, const struct kafka_options *o, struct err *err)
{
    if (o->brokers.n == 0)
        return ERR(err, ERR_CONFIG, "kafka: no brokers are given");
    bool sasl = o->security == KAFKA_SASL_PLAINTEXT || o->security == KAFKA_SASL_SSL;
    return set_str(conf, "bootstrap.servers", o->brokers, err) &&
           set_str(conf, "client.id", o->client_id, err) &&
           set(conf, "security.protocol", kafka_security_words[o->security], err) &&
           set_str(conf, "ssl.ca.location", o->ca_file, err) &&
           (!sasl || (set_str(conf, "sasl.mechanism", o->mechanism, err) &&
                      set_str(conf, "sasl.username", o->username, err) &&
                      set_str(conf, "sasl.password", o->password, err)));
}

static bool set_pairs(rd_kafka_conf_t *conf, const struct kafka_pair *v, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++)
        if (!set(conf, v[i].name, v[i].value, err))
            return false;
    return true;
}

rd_kafka_conf_t *kafka_conf_new(const struct kafka_options *o, const struct kafka_pair *more, size_t n,
                                struct kafka_base *base, struct err *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    *base = (struct kafka_base){.clock = o->clock, .stop = o->stop, .egress = o->egress};
    rd_kafka_conf_set_opaque(conf, base);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_connect_cb(conf, on_connect);
    if (set_pairs(conf, common, sizeof common / sizeof common[0], err) && set_options(conf, o, err) &&
        set_pairs(conf, more, n, err))
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}

bool kafka_open(struct kafka_base *b, rd_kafka_type_t type, rd_kafka_conf_t *conf, struct err *err)
{
    char text[RK_TEXT_MAX];
    if ((b->rk = rd_kafka_new(type, conf, text, sizeof text)))
        return true;
    rd_kafka_conf_destroy(conf);
    return ERR(err, ERR_CONFIG, "kafka: %s", text);
}

static enum err_code code_of(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
        return ERR_TOO_LARGE;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        return ERR_DENIED;
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
        return ERR_INVALID;
    default:
        return ERR_UNAVAILABLE;
    }
}

bool kafka_fail(struct err *err, rd_kafka_resp_err_t code, const char *what)
{
    (void)ERR(err, code_of(code), "%s: kafka: %s", what, rd_kafka_err2str(code));
    err->native = (int)code;
    return false;
}

bool kafka_ok(rd_kafka_error_t *e, const char *what, struct err *err)
{
    if (!e)
        return true;
    (void)kafka_fail(err, rd_kafka_error_code(e), what);
    rd_kafka_error_destroy(e);
    return false;
}

bool kafka_trouble(struct kafka_base *b, struct err *err)
{
    bool refused = atomic_exchange(&b->refused, false);
    if (refused)
        (void)ERR(err, ERR_DENIED,
                  "kafka: the address of a broker is refused by the egress guard; an administrator "
                  "can open it with egress.allow");
    else
        (void)ERR(err, ERR_UNAVAILABLE, "kafka: %s", b->reason);
    err->native = (int)(refused ? RD_KAFKA_RESP_ERR__TRANSPORT : b->code);
    b->reason[0] = '\0';
    b->code = RD_KAFKA_RESP_ERR_NO_ERROR;
    b->down = b->denied = false;
    return false;
}

const char *kafka_error_name(const struct err *err)
{
    return rd_kafka_err2name((rd_kafka_resp_err_t)err->native);
}

bool kafka_error_unreachable(const struct err *err)
{
    return err->native == RD_KAFKA_RESP_ERR__TRANSPORT ||
           err->native == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || err->native == RD_KAFKA_RESP_ERR__RESOLVE ||
           err->native == RD_KAFKA_RESP_ERR__SSL;
}

int kafka_slice(const struct kafka_base *b, struct mono until)
{
    int64_t ms = (mono_since(until, clock_mono(b->clock)).us + US_PER_MS - 1) / US_PER_MS;
    return ms < 0 ? 0 : ms < KAFKA_SLICE_MS ? (int)ms : KAFKA_SLICE_MS;
}
