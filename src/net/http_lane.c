// SPDX-License-Identifier: Apache-2.0
// Transfers of one loop: waiting, in a shard, ended.
//
// Callers are told only when libcurl is not on the stack, because what they do then may start, cancel or
// close. A handle returns to the pool reset but warm: making one costs more than a request.
#include "net/http_lane.h"

#include "base/mem.h"
#include "base/rng.h"

enum { BODY_KEPT_IDLE = 4096 }; // body buffers larger than this are not kept with an idle handle

// ---- lists and handles ----

static void list_push(struct transfers *q, struct http_transfer *t)
{
    t->next = NULL;
    if (q->last)
        q->last->next = t;
    else
        q->first = t;
    q->last = t;
    q->n++;
}

static struct http_transfer *list_pop(struct transfers *q)
{
    struct http_transfer *t = q->first;
    if (!t)
        return NULL;
    q->first = t->next;
    if (!q->first)
        q->last = NULL;
    q->n--;
    return t;
}

static bool list_remove(struct transfers *q, struct http_transfer *t)
{
    for (struct http_transfer **at = &q->first, *before = NULL; *at; before = *at, at = &(*at)->next) {
        if (*at != t)
            continue;
        *at = t->next;
        if (q->last == t)
            q->last = before;
        q->n--;
        return true;
    }
    return false;
}

static void handle_free(struct http_handle *h)
{
    curl_easy_cleanup(h->easy);
    sbuf_release(&h->body);
    mem_free(h);
}

static struct http_handle *handle_take(struct http_lane *l)
{
    struct http_handle *h = l->idle;
    if (h) {
        l->idle = h->next;
        l->idle_n--;
        return h;
    }
    h = mem_new(struct http_handle);
    sbuf_init(&h->body, NULL, HTTP_BODY_KEPT_DEFAULT);
    h->easy = curl_easy_init();
    if (!h->easy || curl_easy_setopt(h->easy, CURLOPT_SHARE, l->share) != CURLE_OK) {
        handle_free(h);
        return NULL;
    }
    return h;
}

static void handle_give(struct http_lane *l, struct http_handle *h)
{
    if (l->idle_n >= EASY_POOL_MAX || l->closing) {
        handle_free(h);
        return;
    }
    curl_easy_reset(h->easy); // keeps the share
    sbuf_clear(&h->body);
    if (h->body.cap > BODY_KEPT_IDLE) {
        sbuf_release(&h->body);
        sbuf_init(&h->body, NULL, HTTP_BODY_KEPT_DEFAULT);
    }
    h->next = l->idle;
    l->idle = h;
    l->idle_n++;
}

// ---- shards ----

static struct ulid id_key(uint64_t id)
{
    struct ulid key = ULID_ZERO;
    memcpy(key.b, &id, sizeof id);
    return key;
}

static bool shard_open(struct http_lane *l, struct http_shard *s)
{
    if (s->multi)
        return true;
    s->lane = l;
    s->multi = curl_multi_init();
    if (!s->multi)
        return false;
    if (shard_attach(s))
        return true;
    (void)curl_multi_cleanup(s->multi);
    s->multi = NULL;
    return false;
}

static struct http_shard *shard_pick(struct http_lane *l, struct str host)
{
    static const uint8_t key[16] = "host-to-a-shard"; // no secret: it only spreads
    size_t first = hash_bytes(key, host.p, host.n) % l->shard_count;
    for (size_t i = 0; i < l->shard_count; i++) {
        struct http_shard *s = &l->shards[(first + i) % l->shard_count];
        if (s->active < SHARD_CONNECTIONS_MAX)
            return shard_open(l, s) ? s : NULL;
    }
    return NULL;
}

// ---- ends ----

// Tells the caller and frees.
static void transfer_end(struct http_lane *l, struct http_transfer *t)
{
    (void)map_remove(&l->transfers, id_key(t->id));
    t->done(t->ctx, &t->x.response);
    http_exchange_release(&t->x);
    if (t->handle)
        handle_give(l, t->handle);
    mem_free(t);
}

// Takes it out of its multi; libcurl must not be on the stack.
static void transfer_detach(struct http_lane *l, struct http_transfer *t)
{
    if (!t->shard)
        return;
    must(curl_multi_remove_handle(t->shard->multi, t->handle->easy) == CURLM_OK);
    t->shard->active--;
    t->shard = NULL;
    l->active--;
    l->resolving -= t->resolving;
    t->resolving = false;
}

static void transfer_abort(struct http_lane *l, struct http_transfer *t)
{
    transfer_detach(l, t);
    struct str host = http_url_host(t->request.url);
    http_exchange_refuse(&t->x, HTTP_CANCELLED, "the request to \"%.*s\" was cancelled", STR_ARG(host));
    transfer_end(l, t);
}

// ---- starts ----

static bool host_is_name(struct str host)
{
    for (size_t i = 0; i < host.n; i++)
        if ((host.p[i] < '0' || host.p[i] > '9') && host.p[i] != '.')
            return host.p[0] != '[';
    return false;
}

static bool transfer_add(struct http_lane *l, struct http_transfer *t)
{
    struct http_shard *s = shard_pick(l, http_url_host(t->request.url));
    if (!s || !lane_watch_sockets(l, t) ||
        curl_easy_setopt(t->handle->easy, CURLOPT_PRIVATE, (char *)t) != CURLE_OK ||
        (l->user_agent && curl_easy_setopt(t->handle->easy, CURLOPT_USERAGENT, l->user_agent) != CURLE_OK) ||
        curl_multi_add_handle(s->multi, t->handle->easy) != CURLM_OK) {
        http_exchange_refuse(&t->x, HTTP_CLIENT_ERROR, "libcurl has no memory for the request");
        return false;
    }
    t->shard = s;
    s->active++;
    l->active++;
    t->resolving = t->named;
    l->resolving += t->resolving;
    return true;
}

static void transfer_start(struct http_lane *l, struct http_transfer *t)
{
    t->handle = handle_take(l);
    if (!t->handle)
        http_exchange_refuse(&t->x, HTTP_CLIENT_ERROR, "libcurl has no memory for the request");
    else if (http_exchange_begin(&t->x, &t->request, l->egress, t->handle->easy, &t->handle->body) &&
             transfer_add(l, t))
        return;
    transfer_end(l, t);
}

static void look_later(struct http_lane *l)
{
    l->looked = loop_now(l->loop);
    l->idle_then = loop_idle(l->loop);
    loop_timer_set(l->loop, &l->look, mono_add(l->looked, duration_ms(WINDOW_LOOK_MS)));
}

static void lane_pump(struct http_lane *l)
{
    while (l->active < l->window) {
        struct http_transfer *t = l->resolving < RESOLVING_MAX ? list_pop(&l->waiting_named) : NULL;
        if (!t)
            t = list_pop(&l->waiting);
        if (!t)
            return;
        if (t->named && l->resolving >= RESOLVING_MAX)
            list_push(&l->waiting_named, t);
        else
            transfer_start(l, t);
    }
}

static void window_set(struct http_lane *l, size_t window)
{
    if (window < WINDOW_FIRST)
        window = WINDOW_FIRST;
    l->window = window < l->in_flight_max ? window : l->in_flight_max;
}

// While transfers wait. Once none does, the window keeps room for as many again as are active.
static void on_look(void *ctx)
{
    struct http_lane *l = ctx;
    int64_t waited = loop_idle(l->loop).us - l->idle_then.us;
    int64_t passed = mono_since(loop_now(l->loop), l->looked).us;
    if (l->waiting.n == 0) {
        window_set(l, 2 * l->active);
        return;
    }
    if (waited > passed / 2)
        window_set(l, 2 * l->window);
    else if (waited < passed / 8)
        window_set(l, l->window / 2);
    lane_pump(l);
    look_later(l);
}

void lane_start(struct http_lane *l, struct http_transfer *t)
{
    t->lane = l;
    t->x.response = (struct http_response){.reason = STR(""), .body = STR("")};
    t->named = host_is_name(http_url_host(t->request.url));
    (void)map_put(&l->transfers, id_key(t->id), t);
    if (l->closing) {
        transfer_abort(l, t);
        return;
    }
    list_push(&l->waiting, t);
    lane_pump(l);
    if (l->waiting.n > 0 && !loop_timer_armed(&l->look))
        look_later(l);
}

void lane_cancel(struct http_lane *l, uint64_t id)
{
    struct http_transfer *t = map_get(&l->transfers, id_key(id));
    if (!t)
        return;
    if (!t->shard && !list_remove(&l->waiting, t))
        must(list_remove(&l->waiting_named, t));
    transfer_abort(l, t);
    lane_pump(l);
}

void shard_finish(struct http_shard *s)
{
    struct http_lane *l = s->lane;
    struct transfers ended = {.n = 0};
    CURLMsg *m;
    for (int left; (m = curl_multi_info_read(s->multi, &left));) {
        char *private;
        if (m->msg != CURLMSG_DONE)
            continue;
        must(curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &private) == CURLE_OK);
        struct http_transfer *t = (void *)private;
        http_exchange_end(&t->x, m->data.result, clock_now(l->clock));
        transfer_detach(l, t); // *m is gone after this
        list_push(&ended, t);
    }
    for (struct http_transfer *t; (t = list_pop(&ended));)
        transfer_end(l, t);
    lane_pump(l);
}

// ---- life ----

void lane_init(struct http_lane *l, struct loop *loop, const struct http_options *o, const char *user_agent)
{
    *l = (struct http_lane){.loop = loop, .clock = o->clock, .egress = o->egress, .user_agent = user_agent};
    l->in_flight_max = o->in_flight_max ? o->in_flight_max : HTTP_IN_FLIGHT_DEFAULT;
    window_set(l, WINDOW_FIRST);
    loop_timer_init(&l->look, on_look, l);
    l->shard_count = (l->in_flight_max + SHARD_CONNECTIONS_MAX - 1) / SHARD_CONNECTIONS_MAX;
    l->shards = mem_array(l->shard_count, sizeof l->shards[0]);
    l->share = curl_share_init();
    must(l->share);
    must(curl_share_setopt(l->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) == CURLSHE_OK);
    must(curl_share_setopt(l->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK);
    map_init(&l->transfers);
}

void lane_close(struct http_lane *l)
{
    l->closing = true;
    loop_timer_stop(l->loop, &l->look);
    void *value;
    while (map_next(&l->transfers, 0, &value)) { // each is removed by its end
        struct http_transfer *t = value;
        if (!t->shard && !list_remove(&l->waiting, t))
            must(list_remove(&l->waiting_named, t));
        transfer_abort(l, t);
    }
    for (struct http_handle *h; (h = l->idle);) {
        l->idle = h->next;
        handle_free(h);
    }
    for (size_t i = 0; i < l->shard_count; i++) {
        struct http_shard *s = &l->shards[i];
        if (!s->multi)
            continue;
        must(curl_multi_cleanup(s->multi) == CURLM_OK); // closes the connections
        loop_timer_stop(l->loop, &s->timer);
    }
    lane_polls_close(l);
    must(curl_share_cleanup(l->share) == CURLSHE_OK);
}

void lane_release(struct http_lane *l)
{
    map_release(&l->transfers);
    mem_free(l->shards);
    mem_free(l->polls);
}
