// SPDX-License-Identifier: Apache-2.0
// The single checks of `doctor` on this machine.
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/sync.h"
#include "cli/doctor.h"
#include "cli/session.h"
#include "net/sandbox_offer.h"
#include "sched/zones.h"

enum {
    PROBE_TIMEOUT_S = 3,
    SKEW_WARN_S = 5,  // semantics.md §5
    SKEW_FAIL_S = 60,
    DISK_WARN_MB = 1024,
    DISK_FAIL_MB = 64,
    BYTES_PER_MB = 1 << 20,
    FILES_RESERVE = 256, // database, logs, pipes
    OTHERS_MODE = 077,
    OTHERS_WRITE = 022,
    CLOCK_YEAR_MIN = 2026,
    ZONE_DATA_AGE_YEARS = 2,
};

#define PASS(d, name, ...) (d)->check((d), CLI_CHECK_PASS, (name), arena_fmt(&(d)->cli->arena, __VA_ARGS__), STR_NONE)

static void find(struct checkup *d, enum cli_check_state state, const char *name, struct str detail, struct str fix)
{
    d->check(d, state, name, detail, fix);
}

// ---- server ----

static void check_skew(struct checkup *d, struct str date)
{
    struct arena *a = &d->cli->arena;
    struct instant now = clock_now(d->cli->clock);
    // Retry-After reads the same date forms; a date in the past gives 0, so it is measured from far enough back.
    struct instant base = instant_add(now, (struct duration){-S_PER_DAY * US_PER_S});
    struct duration after = http_retry_after(date, base);
    if (date.n == 0 || after.us == 0)
        return;
    int64_t skew = (after.us - S_PER_DAY * US_PER_S) / US_PER_S, size = skew < 0 ? -skew : skew;
    struct str text = arena_fmt(a, "the server's clock is %lld s %s ours", (long long)size,
                                skew < 0 ? "behind" : "ahead of");
    if (size <= SKEW_WARN_S)
        PASS(d, "clock of the server", "within %d s of ours", SKEW_WARN_S);
    else
        find(d, size > SKEW_FAIL_S ? CLI_CHECK_FAIL : CLI_CHECK_WARN, "clock of the server", text,
             STR("let chrony or systemd-timesyncd keep both clocks: timedatectl set-ntp true"));
}

// True when the address of http.listen can be bound.
static bool port_free(const struct config *c, int *ret_errno)
{
    char port[16];
    struct addrinfo *list = NULL, hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    snprintf(port, sizeof port, "%lld", (long long)c->http_port);
    *ret_errno = EADDRNOTAVAIL;
    char host[NI_MAXHOST];
    snprintf(host, sizeof host, "%.*s", STR_ARG(c->http_host));
    if (getaddrinfo(host[0] ? host : NULL, port, &hints, &list) != 0)
        return false;
    CLEANUP(cleanup_fd) int fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bool ok = fd >= 0 && bind(fd, list->ai_addr, list->ai_addrlen) == 0;
    *ret_errno = ok ? 0 : errno;
    freeaddrinfo(list);
    return ok;
}

static void check_port(struct checkup *d)
{
    struct arena *a = &d->cli->arena;
    struct str listen = d->config.http_listen;
    int error;
    if (port_free(&d->config, &error))
        PASS(d, "port", "%.*s is free; no server runs", STR_ARG(listen));
    else if (error == EADDRINUSE)
        find(d, CLI_CHECK_FAIL, "port", arena_fmt(a, "%.*s is held by another program", STR_ARG(listen)),
             arena_fmt(a, "find it with: ss -ltnp 'sport = :%lld', or set http.listen to another port",
                       (long long)d->config.http_port));
    else if (error == EACCES)
        find(d, CLI_CHECK_FAIL, "port", arena_fmt(a, "this user may not listen on %.*s", STR_ARG(listen)),
             STR("use a port of 1024 or above, with a proxy in front"));
    else
        find(d, CLI_CHECK_FAIL, "port", arena_fmt(a, "%.*s: %s", STR_ARG(listen), strerror(error)),
             STR("set http.listen to an address of this machine"));
}

static void check_exposure(struct checkup *d)
{
    struct str host = d->config.http_host;
    if (str_starts(host, STR("127.")) || str_is(host, "::1") || str_is(host, "localhost"))
        PASS(d, "exposure", "only this machine can reach the server");
    else
        find(d, CLI_CHECK_WARN, "exposure",
             arena_fmt(&d->cli->arena, "http.listen %.*s is reachable from other machines, without TLS",
                       STR_ARG(d->config.http_listen)),
             STR("listen on 127.0.0.1 and put a TLS proxy (nginx, Caddy) in front"));
}

void doctor_server(struct checkup *d)
{
    struct client cl;
    struct err err;
    struct http_response answer;
    if (!client_open(d->cli, &cl, &err)) {
        find(d, CLI_CHECK_FAIL, "client", str_of(err.text), STR("correct --url, CHRONOS_URL or CHRONOS_TOKEN"));
        return;
    }
    const struct http_request probe = {.url = arena_fmt(&d->cli->arena, "%.*s/readyz", STR_ARG(cl.url)),
                                       .timeout = duration_s(PROBE_TIMEOUT_S)};
    bool asked = http_call(&probe, &answer, &d->cli->arena, &err);
    if (asked && answer.status == 200)
        PASS(d, "server", "%.*s is ready", STR_ARG(cl.url));
    else if (asked && answer.status > 0)
        find(d, CLI_CHECK_WARN, "server",
             arena_fmt(&d->cli->arena, "%.*s answers %d to /readyz", STR_ARG(cl.url), answer.status),
             STR("look into its log; if another program answers there, correct CHRONOS_URL"));
    if (asked && answer.status > 0)
        check_skew(d, http_header(&answer, "Date"));
    else
        check_port(d);
    check_exposure(d);
}

// ---- machine ----

// The folder itself, or the nearest parent that exists.
static struct str existing(struct str path, struct arena *a)
{
    struct stat st;
    while (path.n > 1 && stat(arena_cstr(a, path), &st) != 0) {
        while (path.n > 0 && path.p[path.n - 1] != '/')
            path.n--;
        while (path.n > 1 && path.p[path.n - 1] == '/')
            path.n--;
        if (path.n == 0)
            path = STR(".");
    }
    return path;
}

static void check_folder(struct checkup *d)
{
    struct arena *a = &d->cli->arena;
    struct str dir = d->config.data_dir, there = existing(dir, a);
    struct stat st;
    bool writable = access(arena_cstr(a, there), W_OK | X_OK) == 0;
    bool known = stat(arena_cstr(a, there), &st) == 0;
    if (!writable || !known || !S_ISDIR(st.st_mode))
        find(d, CLI_CHECK_FAIL, "data folder",
             arena_fmt(a, "this user (%u) may not write to %.*s", (unsigned)geteuid(), STR_ARG(there)),
             arena_fmt(a, "sudo install -d -m 0750 -o $(id -un) %.*s, or set data.dir", STR_ARG(dir)));
    else if (!str_eq(dir, there))
        PASS(d, "data folder", "%.*s will be created", STR_ARG(dir));
    else if (st.st_mode & OTHERS_WRITE)
        find(d, CLI_CHECK_WARN, "data folder", arena_fmt(a, "others may write to %.*s", STR_ARG(dir)),
             arena_fmt(a, "chmod go-w %.*s", STR_ARG(dir)));
    else
        PASS(d, "data folder", "%.*s is writable", STR_ARG(dir));
}

static void check_disk(struct checkup *d)
{
    struct arena *a = &d->cli->arena;
    struct statvfs fs;
    if (statvfs(arena_cstr(a, existing(d->config.data_dir, a)), &fs) != 0)
        return;
    long long free_mb = (long long)(fs.f_bavail * fs.f_frsize / BYTES_PER_MB);
    if (free_mb >= DISK_WARN_MB)
        PASS(d, "disk", "%lld MiB are free", free_mb);
    else
        find(d, free_mb < DISK_FAIL_MB ? CLI_CHECK_FAIL : CLI_CHECK_WARN, "disk",
             arena_fmt(a, "only %lld MiB are free", free_mb), STR("make room, or move data.dir to a larger disk"));
}

// Files with secrets that others may read: keys, and the database with password hashes.
static void check_modes(struct checkup *d)
{
    struct arena *a = &d->cli->arena;
    size_t checked = 0, bad = 0;
    struct stat folder;
    // A folder that is closed to others closes all that is in it.
    bool closed = stat(d->config.data_dir.p, &folder) == 0 && !(folder.st_mode & OTHERS_MODE);
    DIR *dir = opendir(d->config.data_dir.p);
    struct dirent *e;
    while (dir && (e = readdir(dir))) {
        struct str name = str_of(e->d_name), path;
        struct stat st;
        bool secret = str_ends(name, STR(".key")) || str_contains(name, STR("secret")) || str_ends(name, STR(".db"));
        path = arena_fmt(a, "%.*s/%s", STR_ARG(d->config.data_dir), e->d_name);
        if (!secret || stat(path.p, &st) != 0)
            continue;
        checked++;
        if (closed || !(st.st_mode & OTHERS_MODE))
            continue;
        bad++;
        find(d, str_ends(name, STR(".db")) ? CLI_CHECK_WARN : CLI_CHECK_FAIL, "file rights",
             arena_fmt(a, "others may open %.*s (mode %03o)", STR_ARG(path), (unsigned)(st.st_mode & 0777)),
             arena_fmt(a, "chmod 600 %.*s", STR_ARG(path)));
    }
    if (dir)
        closedir(dir);
    const char *login;
    struct err ignored;
    struct stat st;
    if (session_path(d->cli, &login, a, &ignored) && stat(login, &st) == 0 && (st.st_mode & OTHERS_MODE)) {
        bad++;
        find(d, CLI_CHECK_FAIL, "file rights", arena_fmt(a, "others may read your sign-ins in %s", login),
             arena_fmt(a, "chmod 600 %s", login));
    }
    if (bad == 0)
        PASS(d, "file rights", "%zu secret files, none open to others", checked);
}

static void check_files(struct checkup *d)
{
    struct rlimit limit;
    int64_t want = d->config.engine_running_max + d->config.http_connections_max + FILES_RESERVE;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    if (limit.rlim_max == RLIM_INFINITY || (int64_t)limit.rlim_max >= want)
        PASS(d, "open files", "the limit allows %lld", (long long)want);
    else
        find(d, CLI_CHECK_WARN, "open files",
             arena_fmt(&d->cli->arena, "%lld at most, but engine.runningMax and http.connectionsMax may need %lld",
                       (long long)limit.rlim_max, (long long)want),
             arena_fmt(&d->cli->arena, "LimitNOFILE=%lld in the unit, or ulimit -Hn; or lower the two settings",
                       (long long)want));
}

static void check_zones(struct checkup *d)
{
    struct str dir = cli_env(d->cli, "TZDIR");
    struct zones *zones = zones_new(dir.p);
    struct zone *zone = NULL;
    struct err err;
    char version[ZONES_VERSION_MAX];
    zones_version(zones, version);
    int64_t year = 0, now_year = civil_from_s(clock_now(d->cli->clock).us / US_PER_S).year;
    bool dated = str_to_i64((struct str){version, version[0] ? strlen(version) - 1 : 0}, &year);
    if (!zones_get(zones, STR("Europe/Berlin"), &zone, &err))
        find(d, CLI_CHECK_FAIL, "time zones", str_of(err.text), STR("apt install tzdata"));
    else if (dated && year + ZONE_DATA_AGE_YEARS <= now_year)
        find(d, CLI_CHECK_WARN, "time zones", arena_fmt(&d->cli->arena, "version %s is old", version),
             STR("apt install --only-upgrade tzdata; a running server takes the new data over by itself"));
    else
        PASS(d, "time zones", "version %s", version[0] ? version : "unknown");
    zone_unref(zone);
    zones_free(zones);
}

static void check_clock(struct checkup *d)
{
    char text[INSTANT_TEXT_MAX];
    struct instant now = clock_now(d->cli->clock);
    instant_format(now, text);
    if (civil_from_s(now.us / US_PER_S).year < CLOCK_YEAR_MIN)
        find(d, CLI_CHECK_FAIL, "clock", arena_fmt(&d->cli->arena, "it says %s, which is past", text),
             STR("timedatectl set-ntp true"));
    else
        PASS(d, "clock", "it says %s", text);
}

// ---- scripts ----

static void check_sandbox(struct checkup *d)
{
    struct arena *a = &d->cli->arena;
    struct sandbox_offer o;
    sandbox_look(&o);
    bool walls = o.landlock > 0 && o.seccomp, wanted = d->config.script_enabled && d->config.script_sandbox > 0;
    struct str landlock = o.landlock > 0 ? arena_fmt(a, "landlock version %d", o.landlock) : STR("no landlock");
    struct str groups = o.cgroup > 0 ? arena_fmt(a, "control groups version %d for%s%s", o.cgroup,
                                                 o.processes ? " processes" : "", o.memory ? " memory" : "")
                                     : STR("no control groups (limits.processes then counts all of our user's)");
    struct str text = arena_fmt(a, "%.*s, %s, %s, %.*s", STR_ARG(landlock), o.seccomp ? "seccomp" : "no seccomp",
                                o.openat2 ? "openat2" : "no openat2", STR_ARG(groups));
    if (walls)
        PASS(d, "sandbox of scripts", "%.*s", STR_ARG(text));
    else
        find(d, wanted ? CLI_CHECK_FAIL : CLI_CHECK_WARN, "sandbox of scripts", text,
             STR("levels RESTRICTED and STRICT need a kernel with landlock (5.13; lsm=landlock,… at boot) and seccomp; "
                 "or set script.sandbox to none"));
}

void doctor_machine(struct checkup *d)
{
    check_folder(d);
    check_disk(d);
    check_modes(d);
    check_files(d);
    check_zones(d);
    check_clock(d);
    check_sandbox(d);
}
