// SPDX-License-Identifier: Apache-2.0
// One server as this program sees it: where it is, who we are to it, and calls that tell the user what went wrong.
//
// Address: --url, CHRONOS_URL, else the loopback port of CHRONOS_HTTP_LISTEN, else http://127.0.0.1:8080.
// Identity: CHRONOS_TOKEN or the file named by CHRONOS_TOKEN_FILE, else what `chronos login` stored (session.h). A
// stored access token that has expired is renewed with the refresh token before the call, or after a 401.
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "cli/command.h"
#include "cli/session.h"
#include "net/http.h"

#define API_BASE "/api/v1"

struct client {
    struct cli *cli;
    struct str url;         // without a slash at the end
    bool url_derived;       // from the server's own settings, on this machine
    struct str token;       // to be sent; absent = none
    struct session session; // of the login file; absent members when there is none
};

struct call {
    const char *method;
    struct str path;     // from the root: API_BASE "/jobs"
    struct str body;     // JSON; absent = none
    struct str if_match; // ETag or absent
    bool idempotent_key; // send a fresh Idempotency-Key
    bool anonymous;      // send no token
    bool own_server;     // nothing secret goes there: at an address that nobody named any certificate will do
    struct duration timeout; // default CLIENT_TIMEOUT_S
};
enum { CLIENT_TIMEOUT_S = 60 };

struct reply {
    int status;
    struct str body;
    json_t *json; // owned; NULL when the body is empty or no JSON
    struct str etag;
    struct str date;     // header Date
};
void reply_release(struct reply *r);
#define CLEANUP_REPLY __attribute__((cleanup(reply_release)))

// Works out address and identity. ERR_INVALID when they cannot be (bad URL, both token variables set).
bool client_open(struct cli *c, struct client *ret, struct err *err) __attribute__((warn_unused_result));
// Performs the call. CLI_OK for 2xx; else everything has been told on standard error and the exit code is returned.
int client_call(struct client *cl, const struct call *call, struct reply *ret);
// As client_call, but any answered status is CLI_OK and nothing is printed for it.
int client_try(struct client *cl, const struct call *call, struct reply *ret);
// client_open + client_call.
int client_once(struct cli *c, const struct call *call, struct reply *ret);
// Follows an event stream until on_chunk says stop, it ends, or the time is over (a far one means none). *ret_status:
// what was answered (0 = nothing). Tells nothing.
int client_stream(struct client *cl, struct str path, struct duration timeout, struct str last_event_id,
                  bool (*on_chunk)(void *ctx, int status, struct str chunk), void *ctx, int *ret_status);

// Path with the parts percent-encoded: client_path(a, "jobs", id, ":pause") is "/api/v1/jobs/<id>:pause".
struct str client_path(struct arena *a, const char *noun, struct str id, const char *tail);

// ---- problem.c ----
// Exit code of an HTTP status.
int problem_exit(int status);
// Exit code of an error code.
int problem_exit_of(enum err_code code);
// "chronos: detail", one line for each errors[] entry, and the next step, on standard error.
void problem_print(const struct cli *c, int status, struct str body);

#endif
