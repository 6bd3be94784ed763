// SPDX-License-Identifier: Apache-2.0
// A way to tell people: one file for each channel, registered by one word in meson.build. A channel turns a
// notification into the message of its target and hands it over; when to tell whom, how often and again after a
// failure is decided by the layers above (app/notifier.c), the same for all.
//
// send is called on threads that may wait, several at a time. It must be bounded in time (CHANNEL_TIMEOUT_S) and
// give no secret away in its sentence.
#ifndef NOTIFY_CHANNEL_H
#define NOTIFY_CHANNEL_H

#include "base/clock.h"
#include "base/escape.h"
#include "model/notice.h"
#include "net/egress.h"
#include "net/mail.h"
#include "sched/zones.h"

enum { CHANNEL_TIMEOUT_S = 15, CHANNEL_SENTENCE_MAX = 320, CHANNEL_LOG_TAIL_LINES = 20 };

// One message to be told. All texts are absent when there is nothing to say.
struct notification {
    struct str id;          // of this delivery, the same at every try: receivers drop what they have seen
    int event;              // enum notice_event
    struct instant at;      // when it happened
    struct str source;      // "/chronos/<cluster>": who tells
    struct str url;         // page of the run or job; absent: no public address is set
    struct ulid job_id, run_id;
    struct str job_name, job_type, owner; // owner: e-mail address
    struct strs tags;
    struct instant scheduled, started, ended, next_fire; // INSTANT_NEVER: none
    struct str timezone;    // of the schedule
    int64_t attempt, exit_code; // FIELD_ABSENT: none
    struct str status, error_class, error_message, run_key;
    struct str log_tail;    // last lines of the run's log, masked
    int64_t streak;         // failures in a row, this one included
    struct str incident;    // the same for a failure, what follows it and its recovery: threads, dedup keys
    struct str node;        // for node_down, and the worker of a run
    struct str digest;      // for a digest: one line for each thing that happened
    // Templates of the subscription filled in (notify/template.h); absent: the channel's own words. The subject is
    // plain text, the text is escaped for the channel.
    struct str subject, text;
};

// What a channel works with. Constant while notifications are sent.
struct channel_env {
    const struct egress *egress;
    const struct mail_server *mail; // NULL: mail cannot be sent
    struct str mail_from;
    const struct clock *clock;
    struct zones *zones; // for times as people read them; NULL: UTC
};

enum channel_verdict {
    CHANNEL_SENT,
    CHANNEL_AGAIN,   // may work later: refused, timed out, 5xx, 429
    CHANNEL_REFUSED, // will not work however often: 4xx, a redirect, a bad configuration
    CHANNEL_GONE,    // 410: the subscription is to be turned off
};
struct channel_result {
    int verdict;                 // enum channel_verdict
    int64_t code;                // HTTP status or SMTP reply; FIELD_ABSENT
    struct duration retry_after; // as the target asked; 0: it did not
    char sentence[CHANNEL_SENTENCE_MAX];
};

struct channel {
    const char *name, *doc; // "WEBHOOK"
    const struct fields *config; // of `config` in a subscription; secret members have FIELD_SECRET
    size_t config_size;
    enum escape escape; // how values are written into a text of this channel
    // At save: what the table cannot say. base: pointer of the configuration.
    void (*check)(const void *config, struct str base, struct faults *faults, struct arena *scratch);
    void (*send)(const struct channel_env *env, const void *config, const struct notification *n,
                 struct channel_result *ret, struct arena *a);
    // The message as it would be sent, without sending it: for previews and tests. ERR_TOO_LARGE.
    bool (*render)(const struct channel_env *env, const void *config, const struct notification *n, struct sbuf *out,
                   struct arena *a, struct err *err);
};
extern const struct channel *const channels[]; // NULL-terminated
const struct channel *channel_find(struct str name); // NULL: there is none

#endif
