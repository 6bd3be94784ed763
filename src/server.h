// SPDX-License-Identifier: Apache-2.0
// The server: wiring only. Opens the parts in order, waits for a signal, closes them in reverse.
#ifndef SERVER_H
#define SERVER_H

#include "config.h"

// Runs until SIGTERM or SIGINT. Returns the exit code of the process: 0 after a clean end, 1 when a part could
// not start (one sentence with the remedy is printed).
int server_main(const struct config *c);

#endif
