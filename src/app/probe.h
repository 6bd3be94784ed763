// SPDX-License-Identifier: Apache-2.0
// A thread that asks whatever may be slow or hang (the store, the disk, brokers), so that whoever wants to know is
// answered from memory in bounded time: health, figures. It looks every PROBE_PERIOD_S, and at once when somebody asks
// and the last answer is older than PROBE_FRESH_MS.
#ifndef APP_PROBE_H
#define APP_PROBE_H

#include "app/app.h"
#include "base/metrics.h"

enum {
    PROBE_PERIOD_S = 15,
    PROBE_FRESH_MS = 2000,
    PROBE_PATIENCE_MS = 300, // how long an asker waits for a fresh answer; probes of others wait a second
    PROBE_HANGS_S = 5,       // a look that takes longer means that the store does not answer
    PROBE_PARTS_MAX = 8,
    PROBE_WHY_MAX = 200,
    PROBE_FIGURES_MAX = 4,
    PROBE_JOBS_MAX = 500, // metrics.jobs
};

enum probe_state { PROBE_UP, PROBE_DEGRADED, PROBE_DOWN };
// What one part says of itself.
struct probe_word {
    int state;               // enum probe_state
    char why[PROBE_WHY_MAX]; // "" when it is up
    struct {
        const char *key; // of a constant: "latencyMs"
        int64_t value;
    } figures[PROBE_FIGURES_MAX];
    size_t n;
};
void probe_figure(struct probe_word *w, const char *key, int64_t value);
void probe_says(struct probe_word *w, int state, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

// What the last look found.
struct probe_facts {
    bool asked;              // there was one
    struct mono at;          // when it ended
    struct duration hanging; // how long the one under way takes already; 0: none is
    struct probe_word store, disk, outbox, notifications, parts[PROBE_PARTS_MAX];
    const char *part_names[PROBE_PARTS_MAX];
    size_t n_parts;
    bool backlog_known;
    struct store_backlog backlog;
    int64_t disk_free, disk_size; // bytes; −1: not known
};

struct probe_options {
    struct str data_dir;  // its file system is watched; absent: none is
    int64_t job_series;   // how many jobs get series of their own
};
struct probe;
// The app must outlive it.
struct probe *probe_new(struct app *app, const struct probe_options *o);
// Before the start: a part that is asked at each look, on the probe's thread. It must be bounded in time.
void probe_add(struct probe *p, const char *name, void (*look)(void *ctx, struct probe_word *ret), void *ctx);
bool probe_start(struct probe *p); // true
void probe_stop(struct probe *p); // waits for a look under way; the last facts stay
void probe_free(struct probe *p); // NULL is fine
// Never waits longer than PROBE_PATIENCE_MS.
void probe_facts(struct probe *p, struct probe_facts *ret);
// Looks once on this thread: the thread's work, and what tests call instead of starting it.
void probe_look(struct probe *p);
// Series of single jobs, as of the last look.
void probe_jobs_write(struct probe *p, struct sbuf *out, enum metrics_format f);

#endif
