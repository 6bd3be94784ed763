// SPDX-License-Identifier: Apache-2.0
// Listening sockets from texts such as "127.0.0.1:8080", "[::1]:8080", "localhost:0".
#ifndef HTTPD_LISTEN_H
#define HTTPD_LISTEN_H

#include "base/err.h"

// Opens a listening TCP socket (non-blocking, close-on-exec). Port 0 takes a free one. ERR_CONFIG says what
// to change. Owner of *ret_fd: caller.
bool listen_open(struct str address, int *ret_fd, int *ret_port, struct err *err)
    __attribute__((warn_unused_result));

#endif
