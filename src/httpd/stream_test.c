// SPDX-License-Identifier: Apache-2.0
// Event streams: nothing is lost between "nothing to send" and a wake, and a source is closed exactly once
// whoever ends the stream.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "httpd/test_client.h"

#include "base/clock.h"
#include "httpd/impl.h"

enum { EVENTS = 3000, STREAMS_MAX = 3, EVENT_TEXT = 64 };

// A topic as the app has one: numbers are published, the source writes those not written yet. One per
// connection.
struct topic {
    struct mutex lock;
    struct cond changed;
    struct httpd_stream *stream; // between opened and closed
    int published, written;
    bool ended;
    int opened, closed;
};

static struct topic topics[STREAMS_MAX + 1];
static atomic_int topics_used;

static bool topic_next(void *ctx, struct sbuf *out)
{
    struct topic *t = ctx;
    WITH_LOCK(&t->lock);
    for (; t->written < t->published; t->written++)
        sbuf_fmt(out, "data: %d\n\n", t->written);
    return !t->ended;
}

static void topic_closed(void *ctx)
{
    struct topic *t = ctx;
    WITH_LOCK(&t->lock);
    t->stream = NULL;
    t->closed++;
    cond_broadcast(&t->changed);
}

static void topic_opened(void *ctx, struct httpd_stream *s)
{
    struct topic *t = ctx;
    WITH_LOCK(&t->lock);
    t->stream = s;
    t->opened++;
    cond_broadcast(&t->changed);
}

static void topic_publish(struct topic *t, int n, bool end)
{
    WITH_LOCK(&t->lock);
    t->published += n;
    t->ended = end;
    if (t->stream)
        httpd_stream_wake(t->stream);
}

static void topic_await_open(struct topic *t)
{
    WITH_LOCK(&t->lock);
    while (t->opened == 0)
        cond_wait(&t->changed, &t->lock);
}

static void topic_await_closed(struct topic *t)
{
    WITH_LOCK(&t->lock);
    while (t->closed == 0)
        cond_wait(&t->changed, &t->lock);
}

static void handle(void *ctx, const struct httpd_request *q, struct httpd_response *p)
{
    (void)ctx;
    struct topic *t = &topics[atomic_fetch_add(&topics_used, 1)];
    struct httpd_source *s = arena_new(q->a, struct httpd_source);
    must(s);
    *s = (struct httpd_source){topic_next, topic_closed, topic_opened, t};
    p->source = s;
}

static void problem(void *ctx, const struct httpd_request *q, int status, const char *detail,
                    struct httpd_response *p)
{
    (void)ctx, (void)q;
    p->status = status;
    sbuf_puts(&p->body, detail);
}

static int server_new(void **state)
{
    struct httpd_config c = {.listen = STR("127.0.0.1:0"), .threads = 2, .workers = 2, .body_max = 1024,
                             .connections_max = 100, .streams_max = STREAMS_MAX,
                             .idle_timeout = duration_s(30), .request_timeout = duration_s(30)};
    const struct httpd_handlers handlers = {handle, problem, NULL};
    struct httpd *h;
    struct err err;
    atomic_store(&topics_used, 0);
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
        topics[i] = (struct topic){.opened = 0};
        mutex_init(&topics[i].lock, LOCK_TOPIC);
        cond_init(&topics[i].changed);
    }
    must(httpd_start(&c, &handlers, &h, &err));
    *state = h;
    return 0;
}

static int topics_free(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
        cond_release(&topics[i].changed);
        mutex_release(&topics[i].lock);
    }
    return 0;
}

static int server_free(void **state)
{
    httpd_stop(*state);
    return topics_free(state);
}

static struct reply reply;

static int stream_open(struct httpd *h, struct topic *t)
{
    int fd = client_connect(h);
    client_send(fd, STR("GET /events HTTP/1.1\r\nHost: h\r\n\r\n"));
    topic_await_open(t);
    return fd;
}

static void events_arrive_when_published(void **state)
{
    struct topic *t = &topics[0];
    int fd = stream_open(*state, t);
    topic_publish(t, 1, false);
    client_read(fd, "data: 0\n\n", &reply);
    assert_int_equal(reply_status(&reply), 200);
    assert_non_null(strstr(reply.text, "Content-Type: text/event-stream\r\n"));
    assert_non_null(strstr(reply.text, "Cache-Control: no-store\r\n"));
    topic_publish(t, 2, false);
    client_read(fd, "data: 2\n\n", &reply);
    topic_publish(t, 1, true);
    client_read(fd, "\r\n0\r\n\r\n", &reply); // the last chunk
    assert_non_null(strstr(reply.text, "data: 3\n\n"));
    topic_await_closed(t);
    assert_int_equal(t->closed, 1);
    (void)close(fd);
}

static void *publish_many(void *arg)
{
    for (int i = 0; i < EVENTS; i++)
        topic_publish(arg, 1, i + 1 == EVENTS);
    return NULL;
}

static void no_wake_is_lost_in_a_race(void **state)
{
    struct topic *t = &topics[0];
    int fd = stream_open(*state, t);
    pthread_t publisher = thread_start("publisher", publish_many, t);
    static char all[EVENTS * EVENT_TEXT];
    size_t n = 0;
    while (n + 1 < sizeof all && !(n > 5 && memcmp(all + n - 5, "0\r\n\r\n", 5) == 0)) {
        ssize_t got = recv(fd, all + n, sizeof all - 1 - n, 0);
        assert_true(got > 0); // a lost wake ends here, after PATIENCE_S
        n += (size_t)got;
    }
    assert_int_equal(pthread_join(publisher, NULL), 0);
    char last[EVENT_TEXT];
    (void)snprintf(last, sizeof last, "data: %d\n\n", EVENTS - 1);
    assert_non_null(strstr(all, last));
    topic_await_closed(t);
    (void)close(fd);
}

static void a_client_that_goes_away_closes_the_source_at_the_next_event(void **state)
{
    struct topic *t = &topics[0];
    int fd = stream_open(*state, t);
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0);
    (void)close(fd);
    topic_publish(t, 1, false);
    topic_publish(t, 1, false);
    topic_await_closed(t);
    assert_int_equal(t->closed, 1);
}

static void too_many_streams_are_refused_and_their_sources_closed(void **state)
{
    int fds[STREAMS_MAX];
    for (int i = 0; i < STREAMS_MAX; i++)
        fds[i] = stream_open(*state, &topics[i]);
    exchange(*state, STR("GET /events HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), &reply);
    assert_int_equal(reply_status(&reply), 503);
    assert_int_equal(topics[STREAMS_MAX].opened, 0);
    topic_await_closed(&topics[STREAMS_MAX]);
    for (int i = 0; i < STREAMS_MAX; i++)
        (void)close(fds[i]);
}

static void a_head_request_opens_and_closes_the_source(void **state)
{
    exchange(*state, STR("HEAD /events HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), &reply);
    assert_int_equal(reply_status(&reply), 200);
    topic_await_closed(&topics[0]);
    assert_int_equal(topics[0].opened, 1);
    assert_int_equal(topics[0].closed, 1);
}

static void quiet_streams_are_pinged(void **state)
{
    struct topic *t = &topics[0];
    int fd = stream_open(*state, t);
    // The watch passes over streams that do not sleep yet, so it is called until the comment is there.
    const struct mono later = mono_add(clock_mono(clock_real()), duration_s(3600));
    struct timeval brief = {.tv_usec = 20000};
    must(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &brief, sizeof brief) == 0);
    static char text[REPLY_MAX];
    size_t n = 0;
    for (int tries = 0; tries < PATIENCE_S * 50 && !strstr(text, ": ping\n\n"); tries++) {
        streams_watch(*state, later);
        ssize_t got = recv(fd, text + n, sizeof text - 1 - n, 0);
        n += got > 0 ? (size_t)got : 0;
    }
    assert_non_null(strstr(text, ": ping\n\n"));
    topic_publish(t, 1, true);
    topic_await_closed(t);
    (void)close(fd);
}

static void stopping_ends_open_streams(void **state)
{
    int a = stream_open(*state, &topics[0]), b = stream_open(*state, &topics[1]);
    topic_publish(&topics[0], 1, false);
    client_read(a, "data: 0\n\n", &reply);
    httpd_stop(*state);
    assert_int_equal(topics[0].closed, 1);
    assert_int_equal(topics[1].closed, 1);
    client_read(b, NULL, &reply);
    assert_true(reply.closed && reply_status(&reply) == 200);
    (void)close(a), (void)close(b);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, server_new, server_free)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(events_arrive_when_published),
        TEST(no_wake_is_lost_in_a_race),
        TEST(a_client_that_goes_away_closes_the_source_at_the_next_event),
        TEST(too_many_streams_are_refused_and_their_sources_closed),
        TEST(a_head_request_opens_and_closes_the_source),
        TEST(quiet_streams_are_pinged),
        cmocka_unit_test_setup_teardown(stopping_ends_open_streams, server_new, topics_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
