// SPDX-License-Identifier: Apache-2.0
// What went wrong, for people and for the shell: problem details (RFC 9457) to sentences and exit codes.
#include "cli/client.h"

enum { STATUS_OK = 200, STATUS_END = 300 };

int problem_exit(int status)
{
    switch (status) {
    case 401:
    case 403:
        return CLI_DENIED;
    case 404:
    case 410:
        return CLI_NOT_FOUND;
    case 409:
    case 412:
        return CLI_CONFLICT;
    case 502:
    case 503:
    case 504:
        return CLI_UNREACHABLE;
    default:
        return status >= STATUS_OK && status < STATUS_END ? CLI_OK : CLI_FAILURE;
    }
}

int problem_exit_of(enum err_code code)
{
    switch (code) {
    case ERR_NONE:
        return CLI_OK;
    case ERR_INVALID:
    case ERR_CONFIG:
        return CLI_USAGE;
    case ERR_NOT_FOUND:
        return CLI_NOT_FOUND;
    case ERR_UNAUTHENTICATED:
    case ERR_DENIED:
        return CLI_DENIED;
    case ERR_CONFLICT:
    case ERR_STALE:
        return CLI_CONFLICT;
    case ERR_UNAVAILABLE:
    case ERR_TIMEOUT:
    case ERR_UPSTREAM:
        return CLI_UNREACHABLE;
    default:
        return CLI_FAILURE;
    }
}

static const char *next_step(int status)
{
    switch (status) {
    case 401:
        return "sign in with: chronos login";
    case 403:
        return "your role does not allow this; see: chronos whoami";
    case 409:
        return "look at its present state first";
    case 412:
        return "somebody changed it meanwhile: read it again and repeat";
    case 429:
        return "wait a little and repeat";
    case 503:
        return "the server cannot answer now; it recovers by itself, repeat later";
    default:
        return NULL;
    }
}

void problem_print(const struct cli *c, int status, struct str body)
{
    FILE *to = c->out.err;
    struct arena a; // own one: the last thing said must not fail for want of memory
    arena_init(&a, CLI_INPUT_MAX);
    CLEANUP_JSON json_t *v = NULL;
    struct err ignored;
    struct str detail = STR_NONE, code = STR_NONE, trace = STR_NONE;
    if (json_parse(body, &v, &ignored)) {
        detail = json_str(json_object_get(v, "detail"));
        detail = detail.n ? detail : json_str(json_object_get(v, "title"));
        code = json_str(json_object_get(v, "code"));
        trace = json_str(json_object_get(v, "traceId"));
    }
    if (!detail.n)
        detail = arena_fmt(&a, "the server answered %d %s", status, http_reason(status));
    detail = text_printable(detail, &a);
    fprintf(to, "chronos: %.*s", STR_ARG(detail));
    fprintf(to, " (%d%s%.*s)\n", status, code.n ? " " : "", STR_ARG(text_printable(code, &a)));
    size_t i;
    json_t *fault;
    json_array_foreach(json_object_get(v, "errors"), i, fault) {
        struct str at = text_printable(json_str(json_object_get(fault, "pointer")), &a);
        if (!at.p) // a query parameter is named instead
            at = text_printable(json_str(json_object_get(fault, "parameter")), &a);
        struct str why = text_printable(json_str(json_object_get(fault, "detail")), &a);
        fprintf(to, "  %.*s%s%.*s\n", STR_ARG(at), at.n ? ": " : "", STR_ARG(why));
    }
    if (next_step(status))
        fprintf(to, "  → %s\n", next_step(status));
    else if (status >= 500 && trace.n)
        fprintf(to, "  → the server's log says more under trace %.*s\n", STR_ARG(text_printable(trace, &a)));
    arena_release(&a);
}
