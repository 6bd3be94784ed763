// SPDX-License-Identifier: Apache-2.0
// Rules between the settings of Kafka.
#include "config_kafka.h"

#include "model/user.h"
#include "net/kafka.h"

static void check_topic(const char *setting, struct str topic, struct faults *faults)
{
    struct err err;
    if (topic.n > 0 && !kafka_topic_check(topic, &err))
        faults_add(faults, str_of(setting), "%s", err.text);
}

void config_kafka_check(struct config_kafka *k, struct faults *faults, struct arena *a)
{
    bool sasl = k->protocol == KAFKA_SASL_PLAINTEXT || k->protocol == KAFKA_SASL_SSL;
    if (k->requests_topic.n > 0 && k->dead_letter_topic.n == 0)
        k->dead_letter_topic = arena_fmt(a, "%.*s.dead", STR_ARG(k->requests_topic));
    if (k->brokers.n == 0) {
        if (k->requests_topic.n > 0)
            faults_add(faults, STR("kafka.brokers"), "it is missing, but kafka.requestsTopic is given: give host:port");
        return;
    }
    check_topic("kafka.eventsTopic", k->events_topic, faults);
    check_topic("kafka.requestsTopic", k->requests_topic, faults);
    check_topic("kafka.deadLetterTopic", k->dead_letter_topic, faults);
    if (k->requests_topic.n > 0 && str_eq(k->requests_topic, k->dead_letter_topic))
        faults_add(faults, STR("kafka.deadLetterTopic"), "it must not be the topic of requests itself");
    if (k->requests_topic.n > 0 && !email_valid(k->requests_user))
        faults_add(faults, STR("kafka.requestsUser"),
                   "give the e-mail address of the user on whose behalf requests act");
    if (sasl && (k->username.n == 0 || k->password.n == 0))
        faults_add(faults, STR("kafka.security.username"),
                   "this protocol signs in: give a user name, and the password in a file named by "
                   "CHRONOS_KAFKA_SECURITY_PASSWORD_FILE");
}
