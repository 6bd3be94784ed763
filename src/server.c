// SPDX-License-Identifier: Apache-2.0
// Wiring of the server: config → open parts → start threads → wait → stop in reverse order.
//
// Each part is opened by one function that leaves struct server as it was when it fails; server_close
// closes whatever is open, so that a failed start and a clean stop are the same path.
#include "server.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "api/api.h"
#include "app/audit_keeper.h"
#include "app/breaker.h"
#include "app/cluster.h"
#include "app/feature.h"
#include "app/job_services.h"
#include "app/limits.h"
#include "app/ping.h"
#include "app/probe.h"
#include "app/report.h"
#include "app/setup.h"
#include "base/file.h"
#include "base/procid.h"
#include "engine/cluster.h"
#include "engine/retention.h"
#include "jobs/blocking.h"
#include "jobs/db_pool.h"
#include "jobs/monitors.h"
#include "jobs/services.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/process.h"
#include "net/redis.h"
#include "otel/exporter.h"
#include "redis_cache.h"
#include "server_notify.h"
#include "server_edge.h"
#include "server_health.h"
#include "server_key.h"
#include "server_oidc.h"
#include "server_vault.h"
#include "store/sql/copy.h"
#include "store_open.h"
#include "stream_open.h"

enum {
    START_ARENA_BUDGET = 4 * 1024 * 1024,
    DATA_DIR_MODE = 0700,
    HTTP_PORT_DEFAULT = 8080, // of the command line, too
    PRIVATE_UMASK = 0077,     // the store, its log and the keys are nobody else's
    LOOPS_MAX = 16,
    MALLOC_ARENAS = 4,   // heaps shared by the threads: bounds what fragmentation can cost
    WATCH_PERIOD_S = 30, // how often the zone data is looked at
    JOIN_RETRY_MS = 500, // while a former node of our name keeps its lease
    JOIN_EXTRA_S = 5,
};

struct server {
    const struct config *config;
    struct arena a;
    const struct clock *clock;
    struct processes *processes;
    struct zones *zones;
    struct store *store;
    struct token_key *key;
    struct vault *vault; // NULL: there can be no secrets
    struct oidc *oidc;   // NULL: no OpenID provider
    struct redis *redis; // NULL: redis.url is not set
    struct cache *cache; // NULL: there is nobody to share anything with
    struct app app;
    bool app_open;
    struct loop *loops[LOOPS_MAX];
    size_t n_loops;
    struct egress egress;
    struct http_client *http;
    struct blocking *blocking;
    struct db_pool *db_pool;
    struct job_settings job_settings;
    struct breaker_share breaker_share;
    struct breakers *breakers;
    struct monitors *monitors;
    struct job_services job_services;
    struct job_env env;
    struct runner *runner;
    struct engine *engine;
    pthread_t engine_thread;
    bool engine_runs;
    struct cluster *cluster; // NULL: nobody else can use the store
    struct retention *retention;
    struct audit_keeper *audit;
    struct notifier *notifier;
    sigset_t signals;        // that end the server
    struct api *api;
    struct httpd *httpd;
    struct stream *stream; // NULL: no Kafka
    struct server_parts parts;
    struct probe *probe;
    struct exporter *exporter; // NULL: nobody wants spans
    struct limits *limits;
    struct features *features;
};

static void raise_limits(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    mallopt(M_ARENA_MAX, MALLOC_ARENAS);
}

// A core would hold keys and secrets. The limit alone does not hold where cores are piped to a program: the filter
// leaves the memory out of those. (PR_SET_DUMPABLE would also take our own files below /proc from us.)
static void no_cores(void)
{
    const struct rlimit none = {0, 0};
    FILE *filter = fopen("/proc/self/coredump_filter", "we");
    if (filter) {
        fputs("0", filter);
        fclose(filter);
    }
    if (setrlimit(RLIMIT_CORE, &none) != 0)
        LOG_WARN("core dumps cannot be turned off", LOG_CSTR("why", strerror(errno)));
}

static bool open_loops(struct server *s, struct err *err)
{
    size_t n = (size_t)s->config->net_loops;
    must(n >= 1 && n <= LOOPS_MAX);
    for (; s->n_loops < n; s->n_loops++)
        if (!(s->loops[s->n_loops] = loop_new("loop", s->clock, err)))
            return false;
    return true;
}

// Scripts: the spawner is started first of all, while this process is small.
static bool open_processes(struct server *s, struct err *err)
{
    if (!s->config->script_enabled)
        return true;
    struct process_options o = {.loop = s->loops[0], .clock = s->clock, .dir = s->config->data_dir};
    return (s->processes = processes_new(&o, err)) != NULL;
}

static bool open_store(struct server *s, struct err *err)
{
    const char *dir = arena_cstr(&s->a, s->config->data_dir);
    must(dir);
    if (!dir_make(dir, DATA_DIR_MODE, err))
        return err_wrap(err, "data folder \"%s\" cannot be used, give this user permission or set data.dir",
                        dir);
    return store_open(s->config, s->clock, &s->store, &s->a, err) && store_whole(s->store, err) &&
           server_key_open(s->config, s->store, &s->key, &s->a, err) &&
           server_vault_open(s->config, s->store, &s->vault, &s->a, err);
}

// What nodes share besides the store. On a shared store without Redis, too: other nodes may have it.
static bool open_cache(struct server *s, struct err *err)
{
    const struct config *c = s->config;
    struct redis_options o = {.url = c->redis_url, .prefix = c->redis_prefix, .clock = s->clock};
    if (c->redis_url.p && !(s->redis = redis_new(&o, err)))
        return err_wrap(err, "redis.url");
    struct redis_cache_options k = {.redis = s->redis, .store = s->store, .key = s->key, .clock = s->clock};
    if (s->redis || !s->store->exclusive)
        s->cache = redis_cache_new(&k);
    return true;
}

static void open_app(struct server *s)
{
    struct app_parts parts = {.store = s->store, .clock = s->clock, .key = s->key, .vault = s->vault,
                              .cache = s->cache, .zones = s->zones = zones_new(NULL)};
    app_settings_init(&parts.settings);
    parts.settings.registration_open = s->config->auth_registration == REGISTRATION_OPEN;
    parts.settings.metrics_public = s->config->metrics_public;
    parts.settings.access_life = duration_s(s->config->auth_access_token_s);
    parts.settings.refresh_life = duration_s(s->config->auth_refresh_token_s);
    parts.settings.browser_idle = duration_s(s->config->auth_browser_idle_s);
    parts.settings.browser_max = duration_s(s->config->auth_browser_max_s);
    parts.settings.version = CHRONOS_VERSION;
    edge_app_settings(s->config, &parts.settings);
    app_init(&s->app, &parts);
    s->app.oidc = s->oidc;
    s->app.limits = s->limits = edge_limits(s->config);
    s->app_open = true;
}

// "host:port,host:port"; absent without Kafka.
static struct str brokers_text(const struct config_kafka *k, struct arena *a)
{
    struct str all = STR_NONE;
    for (size_t i = 0; i < k->brokers.n; i++)
        all = arena_fmt(a, "%.*s%s%.*s", STR_ARG(all), i > 0 ? "," : "", STR_ARG(k->brokers.v[i]));
    return all;
}

static bool open_jobs(struct server *s, struct err *err)
{
    struct http_options o = {
        .clock = s->clock, .user_agent = STR("chronos/" CHRONOS_VERSION), .egress = &s->egress};
    if (!egress_parse(s->config->egress_deny, s->config->egress_allow, &s->egress, &s->a, err) ||
        !(s->http = http_client_new(&o, s->loops, s->n_loops, err)))
        return false;
    s->blocking = blocking_new((size_t)s->config->runner_blocking_threads);
    s->db_pool = db_pool_new(s->clock);
    s->job_settings = (struct job_settings){.file_roots = s->config->files_roots,
                                            .mail_url = s->config->mail_url,
                                            .mail_user = s->config->mail_user,
                                            .mail_password = s->config->mail_password,
                                            .mail_from = s->config->mail_from,
                                            .data_dir = s->config->data_dir,
                                            .store_file = s->config->db_path,
                                            .kafka_brokers = brokers_text(&s->config->kafka, &s->a)};
    job_settings_at_save = &s->job_settings;
    s->breaker_share = app_breaker_share(s->store, s->config->node_name);
    s->breakers = breakers_new(s->clock, s->store->exclusive ? NULL : &s->breaker_share);
    app_set_breakers(&s->app, s->breakers);
    s->monitors = monitors_new();
    app_set_monitors(&s->app, s->monitors);
    app_job_services(&s->app, &s->job_services);
    s->job_services.report = app_report;
    s->env = (struct job_env){.loops = s->loops,
                              .loop_count = s->n_loops,
                              .http = s->http,
                              .processes = s->processes,
                              .scripts_enabled = s->config->script_enabled,
                              .script_sandbox = s->config->script_sandbox,
                              .blocking = s->blocking,
                              .db_pool = s->db_pool,
                              .egress = &s->egress,
                              .services = &s->job_services,
                              .settings = &s->job_settings,
                              .breakers = s->breakers,
                              .monitors = s->monitors};
    app_set_job_env(&s->app, &s->env);
    if (!server_spans_open(s->config, &s->env, s->clock, s->store->ops->name, &s->exporter, err))
        return false;
    s->runner = runner_new(&s->env, (size_t)s->config->runner_threads);
    return true;
}

static void *engine_body(void *engine)
{
    engine_run(engine);
    return NULL;
}

// A node that was killed keeps its name until its lease has ended; false: told to stop meanwhile, or another error.
static bool join_cluster(struct server *s, struct err *err)
{
    const struct timespec pause = {.tv_nsec = JOIN_RETRY_MS * 1000000};
    struct duration patience = duration_s(s->config->cluster_lease_s + JOIN_EXTRA_S);
    struct mono until = mono_add(clock_mono(s->clock), patience);
    for (bool told = false; !cluster_join(s->cluster, err); told = true) {
        if (err->code != ERR_CONFLICT || clock_mono(s->clock).us > until.us ||
            sigtimedwait(&s->signals, NULL, &pause) > 0)
            return err_wrap(err, "join the cluster");
        if (!told)
            LOG_WARN("waiting for the lease of a former node of our name to end",
                     LOG_STR("node", s->config->node_name));
    }
    return true;
}

static void on_breaker_changed(void *breakers) { breakers_wake(breakers); }

static void on_pinged(void *monitors, struct ulid job_id) { monitors_wake(monitors, job_id); }

static bool open_cluster(struct server *s, struct err *err)
{
    const struct config *c = s->config;
    struct cluster_config k = {.name = c->node_name,
                               .address = c->node_address,
                               .version = STR(CHRONOS_VERSION),
                               .process = procid_self(&s->a),
                               .process_gone = procid_gone,
                              .breaker_changed = on_breaker_changed,
                              .breaker_arg = s->breakers,
                               .pinged = on_pinged,
                               .ping_arg = s->monitors,
                               .subscription_changed = server_subscription_changed,
                               .subscription_arg = &s->app,
                               .lease = duration_s(c->cluster_lease_s),
                               .heartbeat = duration_s(c->cluster_heartbeat_s)};
    struct app_cluster seen = {.node_name = c->node_name, .address = c->node_address};
    if (!s->store->exclusive) {
        s->cluster = cluster_new(&k, s->store, s->engine, s->clock);
        if (!join_cluster(s, err))
            return false;
        seen.cluster = s->cluster;
        seen.status = cluster_status;
    }
    app_set_cluster(&s->app, &seen);
    return true;
}

// Old history goes, by the hand of one node.
static void open_retention(struct server *s)
{
    if (s->config->history_keep_days == 0)
        return;
    struct retention_config c = {.keep_days = s->config->history_keep_days, .cluster = s->cluster};
    s->retention = retention_new(&c, s->store, s->clock);
    retention_start(s->retention);
}

static void open_audit(struct server *s)
{
    struct str file = arena_fmt(&s->a, "%.*s/" AUDIT_CHECKPOINTS_FILE, STR_ARG(s->config->data_dir));
    struct audit_keeper_config c = {
        .keep_days = s->config->audit_keep_days, .file = file.p, .cluster = s->cluster};
    if (!s->app.audit)
        return;
    s->audit = audit_keeper_new(&c, &s->app);
    audit_keeper_start(s->audit);
}

static void on_heard(void *cluster) { cluster_wake(cluster); }

static void on_scripts_held(void *env, bool held) { atomic_store(&((struct job_env *)env)->scripts_held, held); }

static bool open_engine(struct server *s, struct err *err)
{
    const struct feature_listener features = {.scripts_held = on_scripts_held, .ctx = &s->env};
    struct engine_config c = {.node_name = s->config->node_name,
                              .running_max = s->config->engine_running_max,
                              .flush_max = s->config->engine_flush_max,
                              .zones = s->zones,
                              .ends_apart = !s->store->exclusive};
    struct engine_listener listener = app_listener(&s->app);
    s->engine = engine_new(&c, s->store, runner_executor(s->runner), s->clock, &listener);
    if (!open_cluster(s, err))
        return false;
    if (!engine_recover(s->engine, err))
        return err_wrap(err, "recover");
    app_set_engine(&s->app, s->engine);
    if (!features_open(&s->app, &features, &s->features, err)) // before anything may start
        return false;
    if (!server_notifier_open(s->config, &s->app, &s->egress, s->cluster, &s->notifier, &s->a, err))
        return false;
    s->engine_thread = thread_start("engine", engine_body, s->engine);
    s->engine_runs = true;
    if (s->cluster)
        cluster_start(s->cluster);
    breakers_start(s->breakers);
    if (s->cluster && s->redis)
        redis_listen(s->redis, on_heard, s->cluster);
    open_retention(s);
    open_audit(s);
    return true;
}

static bool open_http(struct server *s, struct err *err)
{
    const struct config *c = s->config;
    s->parts = (struct server_parts){.config = c, .clock = s->clock, .redis = s->redis, .stream = &s->stream,
                                    .httpd = &s->httpd};
    s->probe = server_health_new(&s->parts, &s->app);
    s->api = api_new(&s->app);
    struct httpd_config h = {
        .listen = c->http_listen,
        .threads = c->http_threads,
        .workers = c->http_workers,
        .body_max = c->http_body_max,
        .connections_max = c->http_connections_max,
        .streams_max = c->http_streams_max,
        .idle_timeout = duration_s(c->http_idle_timeout_s),
        .request_timeout = duration_s(c->http_request_timeout_s),
    };
    edge_httpd_config(c, &h);
    struct httpd_handlers handlers = api_handlers(s->api);
    if (!httpd_start(&h, &handlers, &s->httpd, err))
        return false;
    edge_watch(s->httpd, clock_now(s->clock), false);
    return true;
}

// The first administrator comes from the environment, or makes himself by a one-time link.
static bool open_setup(struct server *s, struct str *ret_token, struct err *err)
{
    const struct config *c = s->config;
    bool open;
    if (!app_setup_open(&s->app, &open, err))
        return false;
    if (open && c->admin_email.p && c->admin_password.p)
        return app_setup_admin(&s->app, c->admin_email, c->admin_password, &s->a, err);
    return !open || app_setup_issue(&s->app, ret_token, &s->a, err);
}

static bool server_open(struct server *s, struct str *ret_token, struct err *err)
{
    if (!open_loops(s, err) || !open_processes(s, err) || !open_store(s, err))
        return false;
    stream_events_enable(s->config, s->store);
    if (!open_cache(s, err) || !server_oidc_open(s->config, &s->oidc, &s->a, err))
        return false;
    open_app(s);
    return open_setup(s, ret_token, err) && open_jobs(s, err) && open_engine(s, err) && open_http(s, err) &&
           stream_open_from(s->config, &s->app, s->cluster, &s->stream, &s->a, err) && probe_start(s->probe);
}

static void server_close(struct server *s)
{
    if (s->cluster && s->engine_runs)
        cluster_drain(s->cluster, true); // others take over while we finish what we have
    if (s->engine_runs) {
        engine_stop(s->engine, duration_s(s->config->engine_shutdown_grace_s));
        pthread_join(s->engine_thread, NULL);
    }
    if (s->probe)
        probe_stop(s->probe);
    stream_close(s->stream);
    retention_free(s->retention);
    notifier_stop(s->notifier);
    audit_keeper_free(s->audit); // while the lease lasts; what comes later is sealed at the next start
    if (s->cluster) { // the heartbeats stop last
        cluster_stop(s->cluster);
        cluster_leave(s->cluster);
    }
    if (s->httpd)
        httpd_stop(s->httpd);
    if (s->api)
        api_free(s->api);
    notifier_free(s->notifier);
    probe_free(s->probe);
    features_free(s->features);
    if (s->runner)
        runner_free(s->runner);
    exporter_close(s->exporter);
    breakers_free(s->breakers);
    monitors_free(s->monitors);
    blocking_free(s->blocking);
    db_pool_free(s->db_pool);
    if (s->http)
        http_client_free(s->http);
    if (s->processes)
        processes_free(s->processes);
    for (size_t i = 0; i < s->n_loops; i++)
        loop_free(s->loops[i]);
    if (s->app_open)
        app_release(&s->app);
    limits_free(s->limits);
    redis_cache_free(s->cache);
    redis_free(s->redis);
    cluster_free(s->cluster);
    if (s->engine)
        engine_free(s->engine);
    oidc_free(s->oidc);
    token_key_free(s->key);
    vault_free(s->vault);
    if (s->store)
        s->store->ops->free(s->store);
    if (s->zones)
        zones_free(s->zones);
    arena_release(&s->a);
}

// What to do next, on standard output; the log goes to standard error.
static void greet(const struct server *s, struct str token)
{
    struct str host = s->config->http_host;
    bool v6 = str_find(host, ':') < host.n;
    char url[128];
    snprintf(url, sizeof url, "http%s://%s%.*s%s:%d", s->config->edge.tls_certificate.n > 0 ? "s" : "",
             v6 ? "[" : "", STR_ARG(host.n ? host : STR("127.0.0.1")), v6 ? "]" : "", httpd_port(s->httpd));
    printf("Chronos %s · %.*s · %s\n", CHRONOS_VERSION, STR_ARG(s->config->db_shown), url);
    if (token.p)
        printf("First administrator: %s/setup#t=%.*s (once, for an hour)\n", url, STR_ARG(token));
    const char *us = program_invocation_name; // as the reader can type it
    bool usual = httpd_port(s->httpd) == HTTP_PORT_DEFAULT;
    printf("Sign in:  %s login --email YOU%s%s\n", us, usual ? "" : " --url ", usual ? "" : url);
    printf("Then try: %s job create hello --dummy --every 5s && %s run list --job hello\n", us, us);
    printf("Routes:   %s/openapi.json   Stop: Ctrl-C\n", url);
    fflush(stdout);
}

// Blocks the ending signals before any thread starts, so that only wait_for_end receives them.
static void block_signals(sigset_t *ret)
{
    sigemptyset(ret);
    sigaddset(ret, SIGTERM);
    sigaddset(ret, SIGINT);
    sigaddset(ret, SIGHUP);
    pthread_sigmask(SIG_BLOCK, ret, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void wait_for_end(struct server *s)
{
    const struct timespec period = {.tv_sec = WATCH_PERIOD_S};
    for (;;) {
        int received = sigtimedwait(&s->signals, NULL, &period);
        if (received == SIGTERM || received == SIGINT) {
            LOG_INFO("stopping", LOG_CSTR("signal", strsignal(received)));
            return;
        }
        edge_watch(s->httpd, clock_now(s->clock), received == SIGHUP);
        struct zones_report report = zones_reload(s->zones);
        if (report.changed > 0) {
            LOG_INFO("time zone data changed", LOG_INT("zones", report.changed));
            engine_zones_changed(s->engine);
        }
    }
}

int server_main(const struct config *c)
{
    log_configure((enum log_level)c->log_level, (enum log_format)c->log_format);
    raise_limits();
    if (!c->core_dumps)
        no_cores();
    umask(PRIVATE_UMASK);
    struct server s = {.config = c, .clock = clock_real()};
    block_signals(&s.signals);
    arena_init(&s.a, START_ARENA_BUDGET);
    struct err err = {0};
    struct str token = STR_NONE;
    bool ok = server_open(&s, &token, &err);
    if (ok) {
        greet(&s, token);
        LOG_INFO("ready", LOG_STR("listen", c->http_listen), LOG_STR("node", c->node_name));
        wait_for_end(&s);
    } else {
        fprintf(stderr, "chronos: %s\n", err.text);
    }
    server_close(&s);
    return ok ? 0 : 1;
}
