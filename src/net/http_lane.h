// SPDX-License-Identifier: Apache-2.0
// The part of an HTTP client that lives on one loop. Internal to net/http*; everything here runs on that
// loop's thread, except lane_new and lane_free.
//
//     lane ─┬─ window: how many transfers may be active now
//           ├─ shard 0: one curl multi, ≤ SHARD_CONNECTIONS_MAX transfers and connections
//           ├─ shard 1 …
//           ├─ waiting: transfers beyond in_flight_max, or beyond RESOLVING_MAX name look-ups, in order
//           └─ polls: one libuv handle per socket, for as long as the socket is open
//
// Windowed, because libcurl's work per transfer grows with the transfers in flight: 64 get a fast target's
// full speed, 5,000 less than half of it. The window opens when the loop mostly waits (the targets are slow,
// so more in flight is what helps) and closes when the loop has no time left. Sharded, because libcurl 7.88
// searches all connections of a host for each transfer: 10,000 in one multi fall to 1,000 requests/s. A
// transfer takes the first shard from hash(host) on that has room, so that a host with few requests always
// meets its warm connections.
#ifndef NET_HTTP_LANE_H
#define NET_HTTP_LANE_H

#include "base/heap.h"
#include "base/map.h"
#include "net/http_exchange.h"
#include "net/loop.h"

enum {
    SHARD_CONNECTIONS_MAX = 256,
    RESOLVING_MAX = 64,  // libcurl resolves each name in a thread of its own
    EASY_POOL_MAX = 512, // idle handles kept, with their body buffers
    WINDOW_FIRST = 64,   // transfers active at once while the targets answer as fast as we ask
    WINDOW_LOOK_MS = 10, // how often the window is judged while transfers wait
};

struct http_lane;

struct http_handle { // pooled
    CURL *easy;
    struct sbuf body;
    struct http_handle *next;
};

struct http_shard {
    struct http_lane *lane;
    CURLM *multi;
    struct loop_timer timer;
    size_t active; // transfers
};

struct http_transfer {
    struct http_exchange x;
    struct http_request request;
    uint64_t id;
    http_done done;
    void *ctx;
    struct http_lane *lane;
    struct http_shard *shard;   // NULL while waiting
    struct http_handle *handle; // NULL while waiting
    bool named;                 // the host is a name: a look-up may be needed
    bool resolving;             // counted in lane->resolving
    struct http_transfer *next; // in a list of waiting or of ended transfers
};

struct transfers { // first in, first out
    struct http_transfer *first, *last;
    size_t n;
};

struct http_poll; // http_socket.c

struct http_lane {
    struct loop *loop;
    const struct clock *clock;
    const struct egress *egress;
    const char *user_agent;
    size_t in_flight_max;
    CURLSH *share; // names and TLS sessions; used by this thread alone, so without locks
    struct http_shard *shards;
    size_t shard_count;
    struct http_handle *idle;
    size_t idle_n;
    struct map transfers; // by id, waiting ones included
    struct transfers waiting;
    struct transfers waiting_named; // waiting for room among the look-ups
    size_t active, resolving;
    size_t window; // WINDOW_FIRST … in_flight_max
    struct loop_timer look;
    struct mono looked;
    struct duration idle_then; // loop_idle at that time
    struct http_poll **polls;  // by fd
    size_t poll_cap, connections;
    bool closing;
};

void lane_init(struct http_lane *l, struct loop *loop, const struct http_options *o, const char *user_agent);
// Both on the loop's thread:
void lane_start(struct http_lane *l, struct http_transfer *t); // takes it over
void lane_cancel(struct http_lane *l, uint64_t id);
void lane_close(struct http_lane *l);   // ends every transfer, closes every handle
void lane_release(struct http_lane *l); // memory; after the loop has let go

// ---- http_socket.c: sockets of multis on libuv ----

// Sets the socket, timer and close functions of a shard's multi.
bool shard_attach(struct http_shard *s);
// Sets the functions through which an exchange opens and closes its sockets.
bool lane_watch_sockets(struct http_lane *l, struct http_transfer *t);
// Stops and frees every poll handle that is left.
void lane_polls_close(struct http_lane *l);
// Called by http_socket.c after libcurl has worked: collects ended transfers, starts waiting ones.
void shard_finish(struct http_shard *s);

#endif
