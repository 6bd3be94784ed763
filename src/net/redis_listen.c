// SPDX-License-Identifier: Apache-2.0
// The thread that hears other processes: a connection of its own on the channel, made again whenever it is
// lost. After every connect it reports once, because what was said meanwhile is lost.
#include "net/redis_link.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sync.h"

enum { PING_EVERY_MS = 5000, SILENCE_MAX_MS = 12000 };

struct redis_listener {
    struct redis_listener_options o;
    int stop_fd;
    pthread_t thread;
    bool told; // by the messages taken in one go
};

// Waits until the link has something (1), time has passed (0), or it is to end (−1).
static int wait_for(struct redis_listener *l, struct redis_link *link, struct duration at_most)
{
    struct pollfd fds[] = {{.fd = l->stop_fd, .events = POLLIN},
                           {.fd = link ? redis_link_fd(link) : -1, .events = POLLIN}};
    int ms = at_most.us > 0 ? (int)(at_most.us / US_PER_MS) + 1 : 0;
    int n = poll(fds, sizeof fds / sizeof fds[0], ms);
    if (n > 0 && fds[0].revents)
        return -1;
    return n > 0;
}

static void on_message(void *ctx, struct str text)
{
    struct redis_listener *l = ctx;
    l->told = l->told || !str_eq(text, l->o.own);
}

// Until the link is lost (true) or the listener is to end (false).
static bool follow(struct redis_listener *l, struct redis_link *link)
{
    struct mono heard_at = clock_mono(l->o.clock);
    l->o.heard(l->o.ctx);
    for (;;) {
        int what = wait_for(l, link, duration_ms(PING_EVERY_MS));
        struct mono now = clock_mono(l->o.clock);
        if (what < 0)
            return false;
        if (what > 0) {
            l->told = false;
            if (!redis_link_messages(link, on_message, l))
                return true;
            heard_at = now;
            if (l->told)
                l->o.heard(l->o.ctx);
        } else if (mono_since(now, heard_at).us > duration_ms(SILENCE_MAX_MS).us || !redis_link_ping(link)) {
            return true;
        }
    }
}

static void *listen_body(void *arg)
{
    struct redis_listener *l = arg;
    struct rng rng;
    rng_init_random(&rng);
    int failures = 0;
    bool on = true;
    while (on) {
        struct err err = {0};
        struct redis_link *link = redis_link_open(l->o.address, &err);
        if (link && redis_link_subscribe(link, l->o.channel, &err)) {
            failures = 0;
            on = follow(l, link);
        }
        redis_link_close(link);
        on = on && wait_for(l, NULL, redis_retry_after(failures++, &rng)) >= 0;
    }
    return NULL;
}

struct redis_listener *redis_listener_new(const struct redis_listener_options *o)
{
    struct redis_listener *l = mem_new(struct redis_listener);
    l->o = *o;
    l->stop_fd = eventfd(0, EFD_CLOEXEC);
    must(l->stop_fd >= 0);
    l->thread = thread_start("redis-listen", listen_body, l);
    return l;
}

void redis_listener_free(struct redis_listener *l)
{
    if (!l)
        return;
    must(eventfd_write(l->stop_fd, 1) == 0);
    pthread_join(l->thread, NULL);
    close(l->stop_fd);
    mem_free(l);
}
