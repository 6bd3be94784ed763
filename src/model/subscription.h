// SPDX-License-Identifier: Apache-2.0
// Who is told what, and how: a subscription of a job's events, of all jobs with a tag, or of all jobs; and what became
// of each message (delivery).
//
// Saved state: the settings are stored as the JSON text that subscription_fields encodes (store: subscriptions.body);
// old texts must still decode.
#ifndef MODEL_SUBSCRIPTION_H
#define MODEL_SUBSCRIPTION_H

#include "model/notice.h"

enum {
    SUBSCRIPTIONS_MAX = 10000,
    SUBSCRIPTION_CONFIG_MAX = 16 * 1024,
    SUBSCRIPTION_AFTER_MAX = 50,
    SUBSCRIPTION_OF_LAST_MAX = 64, // one bit each in the memory of a job
    SUBSCRIPTION_REPEAT_H_MAX = 24 * 30,
    SUBSCRIPTION_GROUP_S_MAX = 3600,
    TEMPLATE_SUBJECT_MAX = 500,
    TEMPLATE_TEXT_MAX = 16 * 1024,
};

// Wall times "22:00"; from > to goes over midnight. Absent from: none.
struct quiet_hours {
    struct str from, to, timezone;
};
struct notice_templates {
    struct str subject, text; // absent: the channel's own words
};

struct subscription {
    struct ulid id, owner_id;
    struct ulid job_id; // zero: of a tag, or of all
    struct str tag;     // absent: of the job, or of all
    bool all;
    struct str channel; // "WEBHOOK"
    struct str config;  // JSON as it may be shown
    struct str sealed;  // the whole of it
    struct strs events;
    int64_t after;        // failures before it tells
    int64_t of_last;      // among so many outcomes; FIELD_ABSENT: in a row
    int64_t repeat_hours; // the same failure again after so long
    int64_t group_seconds;
    int64_t flaps_per_hour; // changes of state that make one digest; 0: never
    struct quiet_hours quiet_hours;
    struct notice_templates templates;
    bool enabled;
    struct str off_reason; // why it was turned off by itself; absent: it was not
    int64_t version;
    struct instant created_at, updated_at;
};
extern const struct fields subscription_fields;

// Words to be looked at before they are saved.
struct message_draft {
    struct str channel, config; // without a configuration the message of the channel is left out
    int event;                  // of enum notice_event
    struct ulid run_id;         // the run to tell of; zero: a made-up one
    struct notice_templates templates;
};
extern const struct fields message_draft_fields;

// Rules that one subscription alone can break, configuration and zone apart. Adds to *faults.
void subscription_check(const struct subscription *s, struct faults *faults);
// Its events; none while it is turned off.
uint32_t subscription_events(const struct subscription *s);
// What the engine has to write for it: its events, and the outcomes its rules count.
uint32_t subscription_interest(const struct subscription *s);
// As it is stored, and back. ERR_TOO_LARGE, ERR_CORRUPT.
bool subscription_text_write(const struct subscription *s, struct str *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
bool subscription_text_read(struct str text, struct subscription *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// "22:00" as seconds from midnight; −1 when it is no wall time.
int64_t wall_time_s(struct str text);

// ---- messages ----------------------------------------------------------------------------------

enum delivery_state {
    DELIVERY_PENDING,
    DELIVERY_SENT,
    DELIVERY_REFUSED,  // the target will never take it
    DELIVERY_GIVEN_UP, // tried for as long as the schedule goes
    DELIVERY_DROPPED,  // its subscription was deleted or turned off
};
extern const char *const delivery_state_names[];

enum { DELIVERY_BODY_MAX = 64 * 1024 };

struct delivery {
    struct ulid id; // the receiver's key to drop repetitions: the same at every try
    struct ulid subscription_id;
    struct ulid job_id, run_id; // zero: none, or several
    struct ulid owner_id;       // of the subscription
    int event;                  // enum notice_event
    struct str channel;
    int state; // enum delivery_state
    struct instant created_at;
    struct instant due; // next try; INSTANT_NEVER when there is none
    int64_t tries;
    int64_t code; // of the last answer; FIELD_ABSENT
    struct str sentence;
    struct instant ended_at;
    struct str body; // what it tells (app/notice_rules.h), JSON
};
extern const struct fields delivery_fields;

// What the rules remember of a subscription and a job, or of the subscription alone (job zero).
struct notice_mark {
    struct ulid subscription_id, job_id;
    struct instant due; // looked at by itself then; INSTANT_NEVER: not
    struct str body;    // absent: forget it
};

#endif
