// SPDX-License-Identifier: Apache-2.0
// A wire to a server that a test can cut: passes bytes on until told otherwise. One connection after the
// other.
#ifndef TESTS_DB_PROXY_H
#define TESTS_DB_PROXY_H

#include <stdint.h>

enum proxy_mode {
    PROXY_PASS,
    PROXY_SILENT,  // nothing goes through any more, in either direction
    PROXY_ONE_WAY, // what the client says next reaches the server; then both ends are closed without an
                   // answer
};
struct proxy;

struct proxy *proxy_new(const char *host, int64_t port); // on 127.0.0.1, its own thread
int64_t proxy_port(const struct proxy *p);
void proxy_set(struct proxy *p, enum proxy_mode mode); // effective at once
void proxy_free(struct proxy *p);

#endif
