// SPDX-License-Identifier: Apache-2.0
// Event streams (WHATWG HTML §9.2). The connection sleeps (suspended) while the source has nothing; whoever
// makes news wakes it.
//
// The race that must not be lost: the source says "nothing", another thread wakes, then we suspend. So
// "woken" is cleared before the source is asked, and whether to suspend is decided under httpd.lock, which
// a waker takes too. A suspended connection does not notice that its peer has gone, therefore a comment is
// sent every PING_S.
#include "httpd/impl.h"

#include "base/clock.h"
#include "base/mem.h"

enum { PING_S = 15, OUT_KEPT_MAX = 4096 };

static const char PING[] = ": ping\n\n";

struct httpd_stream *stream_new(struct httpd *h, const struct httpd_source *source,
                                struct MHD_Connection *mhd)
{
    struct httpd_stream *s = mem_new(struct httpd_stream);
    *s = (struct httpd_stream){
        .h = h, .mhd = mhd, .source = *source, .woken = true, .last_sent = clock_mono(clock_real())};
    sbuf_init(&s->out, NULL, HTTPD_STREAM_CHUNK_MAX);
    WITH_LOCK(&h->lock);
    if (h->streams_n >= h->config.streams_max || h->stopping) {
        mem_free(s);
        return NULL;
    }
    h->streams_n++;
    s->next = h->streams;
    if (s->next)
        s->next->prev = s;
    h->streams = s;
    return s;
}

void stream_free(struct httpd_stream *s)
{
    struct httpd *h = s->h;
    mutex_lock(&h->lock);
    if (s->prev)
        s->prev->next = s->next;
    else
        h->streams = s->next;
    if (s->next)
        s->next->prev = s->prev;
    h->streams_n--;
    s->suspended = false; // a late wake must not touch the connection
    mutex_unlock(&h->lock);
    s->source.closed(s->source.ctx); // from here on nobody wakes
    sbuf_release(&s->out);
    mem_free(s);
}

// With httpd.lock held.
static void wake_locked(struct httpd_stream *s)
{
    s->woken = true;
    if (s->suspended) {
        s->suspended = false;
        connection_resume(s->mhd);
    }
}

void httpd_stream_wake(struct httpd_stream *s)
{
    WITH_LOCK(&s->h->lock);
    wake_locked(s);
}

void streams_wake_all(struct httpd *h)
{
    WITH_LOCK(&h->lock);
    for (struct httpd_stream *s = h->streams; s; s = s->next)
        wake_locked(s);
}

void streams_watch(struct httpd *h, struct mono now)
{
    WITH_LOCK(&h->lock);
    for (struct httpd_stream *s = h->streams; s; s = s->next)
        if (s->suspended && mono_since(now, s->last_sent).us >= PING_S * US_PER_S) {
            s->ping = true;
            wake_locked(s);
        }
}

// True when the connection was put to sleep. Else *ret_ping says whether a comment is due, and news may be
// there.
static bool sleep_or_ping(struct httpd_stream *s, bool *ret_ping)
{
    WITH_LOCK(&s->h->lock);
    *ret_ping = s->ping;
    s->ping = false;
    if (*ret_ping || s->woken || s->h->stopping)
        return false;
    s->suspended = true;
    connection_suspend(s->mhd);
    return true;
}

// Asks the source. True when out holds something or the stream has ended.
static bool ask(struct httpd_stream *s)
{
    mutex_lock(&s->h->lock);
    bool stopping = s->h->stopping;
    s->woken = false;
    mutex_unlock(&s->h->lock);
    if (stopping || !s->source.next(s->source.ctx, &s->out) || !sbuf_ok(&s->out))
        s->ended = true;
    return s->out.n > 0 || s->ended;
}

static ssize_t send_out(struct httpd_stream *s, char *buf, size_t max)
{
    size_t n = s->out.n - s->sent < max ? s->out.n - s->sent : max;
    memcpy(buf, s->out.p + s->sent, n);
    s->sent += n;
    if (s->sent == s->out.n) {
        s->sent = 0;
        if (s->out.cap > OUT_KEPT_MAX) {
            sbuf_release(&s->out);
            sbuf_init(&s->out, NULL, HTTPD_STREAM_CHUNK_MAX);
        } else {
            sbuf_clear(&s->out);
        }
    }
    WITH_LOCK(&s->h->lock);
    s->last_sent = clock_mono(clock_real());
    return (ssize_t)n;
}

ssize_t stream_read(struct httpd_stream *s, char *buf, size_t max)
{
    while (s->out.n == 0 && !s->ended) {
        bool ping = false;
        if (ask(s))
            break;
        if (sleep_or_ping(s, &ping))
            return STREAM_WAIT;
        if (ping)
            sbuf_puts(&s->out, PING);
    }
    // What an ended source still wrote is sent first; a text cut by the limit is not, events would be torn.
    if (s->out.n > 0 && sbuf_ok(&s->out))
        return send_out(s, buf, max);
    return STREAM_END;
}
