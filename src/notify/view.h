// SPDX-License-Identifier: Apache-2.0
// What a notification says, as templates and receivers of webhooks see it: the one place where its parts get their
// names. All texts are clean (notify/text.h) and cut.
#ifndef NOTIFY_VIEW_H
#define NOTIFY_VIEW_H

#include "notify/channel.h"

struct view_job {
    struct ulid id;
    struct str name, type, owner;
    struct strs tags;
};
struct view_run {
    struct ulid id;
    struct str key, status, error, error_class, log, node;
    struct instant scheduled, started, ended;
    int64_t attempt, exit_code, duration_ms, start_delay_ms;
};
struct view_schedule {
    struct str timezone;
    struct instant next_fire;
};
struct view {
    struct str id, event, title, sentence;
    struct instant at;
    struct str source, cluster, url, incident, node, digest;
    int64_t streak;
    struct view_job job;
    struct view_run run;
    struct view_schedule schedule;
    struct str subject, text;
};
extern const struct fields view_fields;

enum { VIEW_ROOM = 2500 }; // UTF-16 units of the longest texts

// room: most units of each of log, digest and text. False only when the arena is exhausted.
bool view_make(const struct notification *n, size_t room, struct view *ret, struct arena *a, struct err *err);

// Writes a message, with ever less of the long texts, until it has at most `bytes`.
typedef void view_writer(void *ctx, const struct view *v, struct sbuf *out, struct arena *a);
bool view_write(const struct notification *n, size_t bytes, view_writer *write, void *ctx, struct sbuf *out,
                struct arena *a, struct err *err);

// How bad it is, for colours and severities.
enum view_mood { MOOD_BAD, MOOD_GOOD, MOOD_WARNING, MOOD_NEUTRAL };
enum view_mood view_mood(int event);

// What the built-in messages list below their sentence, in this order. Values are plain text.
struct fact {
    const char *name; // "Scheduled"
    struct str value;
};
enum { FACTS_MAX = 12 };
size_t view_facts(const struct channel_env *env, const struct view *v, struct fact ret[static FACTS_MAX],
                  struct arena *a);

#endif
