// SPDX-License-Identifier: Apache-2.0
// The sql store's metrics. All are known before they are used, so that no name from outside makes a series.
#include "store/sql/meters.h"

#include "base/metrics.h"
#include "store/sql/sql.h"

enum { DUTIES_MAX = 8, DUTY_LABEL_MAX = 64 };

#define COMMIT(op)                                                                                           \
    METRIC_HISTOGRAM_INIT("chronos_db_query_duration_seconds", "op=\"" op "\"",                              \
                          "Time of transactions, by lane, and of reads.")
static struct metric lanes[LANES] = {
    [LANE_ENGINE] = COMMIT("commit_engine"), [LANE_ENDS] = COMMIT("commit_ends"),
    [LANE_LEASE] = COMMIT("commit_lease"),   [LANE_WRITES] = COMMIT("commit_writes"),
    [LANE_WRITES2] = {.name = NULL}, // counted with the other one
};
static struct metric reads = COMMIT("read");

// The words that the program itself uses; a ninth would share no series with others and is left out.
static struct metric duties[DUTIES_MAX];
static char duty_labels[DUTIES_MAX][DUTY_LABEL_MAX];
static size_t duties_n;
static struct mutex duties_lock = {PTHREAD_MUTEX_INITIALIZER, LOCK_METRICS};

struct metric *meter_of_lane(size_t lane, bool only_one)
{
    struct metric *m = only_one || lane == LANE_WRITES2 ? &lanes[LANE_WRITES] : &lanes[lane];
    metric_register(m);
    metric_register(&reads);
    return m;
}

struct mono meter_now(void) { return clock_mono(clock_real()); }

void meter_read(struct mono begun) { metric_observe(&reads, mono_since(meter_now(), begun)); }

static struct metric *duty_of(struct str name)
{
    char label[DUTY_LABEL_MAX];
    (void)snprintf(label, sizeof label, "duty=\"%.*s\"", STR_ARG(name));
    WITH_LOCK(&duties_lock);
    for (size_t i = 0; i < duties_n; i++)
        if (strcmp(duty_labels[i], label) == 0)
            return &duties[i];
    if (duties_n == DUTIES_MAX)
        return NULL;
    struct metric *m = &duties[duties_n];
    memcpy(duty_labels[duties_n], label, sizeof label);
    *m =
        (struct metric)METRIC_GAUGE_INIT("chronos_leader", duty_labels[duties_n],
                                         "Whether this node has a duty that only one node may have: 1 or 0.");
    duties_n++;
    return m;
}

void meter_duty(struct str name, bool held)
{
    struct metric *m = duty_of(name);
    if (m)
        metric_set(m, held);
}
