// SPDX-License-Identifier: Apache-2.0
// Gauges are set when somebody scrapes; process_* as other programs name them, from /proc.
#include "app/figures.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/health.h"
#include "base/file.h"
#include "engine/cluster.h"
#include "notify/channel.h"

enum { CHANNELS_MAX = 16, OUTCOMES = FIGURE_FAILED + 1, LABELS_MAX = 64, STAT_BYTES = 4096 };

static struct metric dead_letters =
    METRIC_GAUGE_INIT("chronos_dead_letters", "", "Dead letters that nobody has resolved, at most 100,000.");
static struct metric outbox =
    METRIC_GAUGE_INIT("chronos_outbox_depth", "", "Events not passed on yet, at most 100,000.");
static struct metric unsealed =
    METRIC_GAUGE_INIT("chronos_audit_unsealed", "", "Audit records not in the chain yet, at most 100,000.");
static struct metric disk_free =
    METRIC_GAUGE_INIT("chronos_disk_free_bytes", "", "Room in the file system of the data folder.");
static struct metric disk_size =
    METRIC_GAUGE_INIT("chronos_disk_size_bytes", "", "Size of the file system of the data folder.");
static struct metric clock_offset =
    METRIC_SECONDS_INIT(METRIC_GAUGE, "chronos_clock_offset_seconds", "",
                        "This node's clock against the store's; positive: ahead.");
static struct metric node_leased =
    METRIC_GAUGE_INIT("chronos_node_leased", "", "Whether this node's lease in the cluster holds: 1 or 0.");
static struct metric node_slots =
    METRIC_GAUGE_INIT("chronos_node_slots", "", "Parts of 256 of all jobs that this node decides for.");

static struct metric cpu = METRIC_SECONDS_INIT(METRIC_COUNTER, "process_cpu_seconds_total", "",
                                               "User and system time of the process.");
static struct metric resident = METRIC_GAUGE_INIT("process_resident_memory_bytes", "", "Memory in RAM.");
static struct metric virtual_memory = METRIC_GAUGE_INIT("process_virtual_memory_bytes", "", "Address space.");
static struct metric open_fds = METRIC_GAUGE_INIT("process_open_fds", "", "Open file descriptors.");
static struct metric max_fds =
    METRIC_GAUGE_INIT("process_max_fds", "", "Most file descriptors that may be open.");
static struct metric start_time = METRIC_SECONDS_INIT(METRIC_GAUGE, "process_start_time_seconds", "",
                                                      "When the process started (Unix time).");

static struct metric notifications[CHANNELS_MAX][OUTCOMES];
static char notification_labels[CHANNELS_MAX][OUTCOMES][LABELS_MAX];

static void register_notifications(void)
{
    static const char *const words[OUTCOMES] = {"sent", "retried", "failed"};
    for (size_t i = 0; channels[i]; i++)
        for (int k = 0; k < OUTCOMES; k++) {
            must(i < CHANNELS_MAX);
            (void)snprintf(notification_labels[i][k], LABELS_MAX, "channel=\"%s\",outcome=\"%s\"",
                           channels[i]->name, words[k]);
            notifications[i][k] =
                (struct metric)METRIC_COUNTER_INIT("chronos_notifications_total", notification_labels[i][k],
                                                   "Tries to tell somebody, by what came of it.");
            metric_register(&notifications[i][k]);
        }
}

void figures_register(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct metric *all[] = {&dead_letters, &outbox,   &unsealed,       &disk_free, &disk_size, &clock_offset,
                            &cpu,          &resident, &virtual_memory, &open_fds,  &max_fds,   &start_time};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        metric_register(all[i]);
    (void)pthread_once(&once, register_notifications);
}

void figure_notification(struct str channel, enum figure_outcome outcome)
{
    figures_register();
    for (size_t i = 0; channels[i]; i++)
        if (str_is(channel, channels[i]->name))
            metric_add(&notifications[i][outcome], 1);
}

// ---- the process -------------------------------------------------------------------------------

static int64_t count_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    int64_t n = -1; // its own
    if (!d)
        return 0;
    for (const struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

// Fields of /proc/self/stat behind the name of the program, which may hold anything; the first is the state.
static struct str stat_field(struct str stat, int which)
{
    size_t end = stat.n;
    while (end > 0 && stat.p[end - 1] != ')')
        end--;
    struct str rest = {stat.p + end, stat.n - end}, field = STR_NONE;
    rest = str_trim(rest);
    for (int i = 0; i <= which; i++)
        field = str_split(rest, ' ', &rest);
    return field;
}

static int64_t number(struct str s)
{
    int64_t v = 0;
    return str_to_i64(s, &v) ? v : 0;
}

static void set_process(const struct app *app)
{
    enum { VSIZE = 20, RSS = 21 }; // behind the name
    struct rusage u;
    struct rlimit files;
    struct arena a CLEANUP(arena_release);
    struct str stat;
    struct err ignored;
    arena_init(&a, 4 * STAT_BYTES);
    if (getrusage(RUSAGE_SELF, &u) == 0)
        metric_set(&cpu, (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * US_PER_S + u.ru_utime.tv_usec +
                             u.ru_stime.tv_usec);
    if (file_read("/proc/self/stat", STAT_BYTES, &stat, &a, &ignored)) {
        metric_set(&virtual_memory, number(stat_field(stat, VSIZE)));
        metric_set(&resident, number(stat_field(stat, RSS)) * sysconf(_SC_PAGESIZE));
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        metric_set(&max_fds, files.rlim_cur == RLIM_INFINITY ? -1 : (int64_t)files.rlim_cur);
    metric_set(&open_fds, count_fds());
    metric_set(&start_time, app->started.us);
}

// ---- the rest ----------------------------------------------------------------------------------

static void set_cluster(struct app *app)
{
    struct cluster_status s;
    if (!app->cluster.cluster)
        return;
    app->cluster.status(app->cluster.cluster, &s);
    metric_set(&clock_offset, s.offset.us);
    metric_set(&node_leased, s.leased);
    metric_set(&node_slots, s.slots);
}

void app_figures_write(struct app *app, struct sbuf *out, enum metrics_format f)
{
    struct probe_facts facts = {0};
    if (app->probe)
        probe_facts(app->probe, &facts);
    if (facts.backlog_known) {
        metric_set(&dead_letters, facts.backlog.dead_letters);
        metric_set(&outbox, facts.backlog.outbox);
        metric_set(&unsealed, facts.backlog.audit_unsealed);
    }
    if (facts.disk_size > 0) {
        metric_set(&disk_free, facts.disk_free);
        metric_set(&disk_size, facts.disk_size);
    }
    set_cluster(app);
    set_process(app);
    metrics_write(out, f);
    if (app->probe)
        probe_jobs_write(app->probe, out, f);
    metrics_end(out, f);
}
