// SPDX-License-Identifier: Apache-2.0
// An HTTP server for tests that does what it is told by the path, right or wrong. One thread, loopback, a free port.
//
//     /status/503          that status, Retry-After: 7, body "status 503\n"
//     /echo                the request as it came, head and body, as the answer's body
//     /bytes/N             N bytes of 'x';  /headers/N: N header lines;  /header/N: one header of N bytes
//     /to?URL              302 to URL (as it stands);  /loop: 302 to itself
//     /hold                no answer until target_release
//     /close               closes without a byte;  /garbage: what is not HTTP;  /cut: less body than announced
//     /drip                a head, then a byte now and then, without end;  /events: three chunks, then the end
//     /binary              bytes that are not text
#ifndef TESTS_NET_HTTP_TARGET_H
#define TESTS_NET_HTTP_TARGET_H

#include <stddef.h>

struct target;

struct target *target_new(void);
void target_free(struct target *t);
int target_port(const struct target *t);
void target_release(struct target *t); // answers all held requests with 204
// So far: connections accepted, requests read, requests held now.
size_t target_accepted(const struct target *t);
size_t target_requests(const struct target *t);
size_t target_held(const struct target *t);
// Waits a bounded time until that many are held; false when they are not.
int target_await_held(const struct target *t, size_t n);

#endif
