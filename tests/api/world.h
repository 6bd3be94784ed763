// SPDX-License-Identifier: Apache-2.0
// A server without sockets: the real dispatcher over the memory store, a virtual clock and no engine (a test moves
// runs itself, as the engine would). Five users: "admin", "operator", "ada", "bob" (both USER), "viewer".
#ifndef TESTS_API_WORLD_H
#define TESTS_API_WORLD_H

#include "api/api.h"
#include "app/app.h"
#include "base/json.h"
#include "store/memory/store_memory.h"

enum { WORLD_USERS = 5 };
#define WORLD_PASSWORD "correct horse battery"
#define WORLD_START INT64_C(1798761600) // 2027-01-01T00:00:00Z

struct world {
    struct clock_virtual clock;
    struct store *store;
    struct token_key *key;
    struct vault *vault;
    struct zones *zones;
    struct app app;
    struct breakers *breakers;
    struct api *api;
    struct httpd_handlers handlers;
    struct arena arena; // tokens
    struct str tokens[WORLD_USERS];
    struct ulid users[WORLD_USERS];
    bool moving; // a run is being moved by the test: no fault is wanted now
};
void world_open(struct world *w);
void world_close(struct world *w);
// Bearer token of a user by name; absent for NULL, a bad one for an unknown name.
struct str world_token(struct world *w, const char *who);

// One request and its answer. Release the arena when done.
struct exchange {
    struct arena arena;
    struct httpd_request req;
    struct httpd_response resp;
    json_t *json; // of the answer; NULL when it is none
};
struct request {
    const char *method, *target; // path and query
    const char *who;             // NULL: no token
    struct str body;
    const struct str_map *headers; // further ones, or NULL
};
void world_send(struct world *w, const struct request *r, struct exchange *ret);
void exchange_release(struct exchange *x);
struct str exchange_header(const struct exchange *x, const char *name);

// What the engine would do: starts a QUEUED run; ends a RUNNING one, with a log line before it.
void world_start_run(struct world *w, struct ulid id);
void world_end_run(struct world *w, struct ulid id, int status, const char *error_class);

// Opens the circuit breaker of a target, as failing runs would.
void world_break(struct world *w, const char *target);

#endif
