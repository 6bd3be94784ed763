// SPDX-License-Identifier: Apache-2.0
// One request on its way through a handler, and the table row that describes a route. A handler reads the call, asks
// one use case of app/ and writes the answer; on failure it returns false with *err (and more faults in c->faults)
// and dispatch.c writes the problem document. No handler sets a status of failure itself.
#ifndef API_CALL_H
#define API_CALL_H

#include "app/app.h"
#include "base/field.h"
#include "httpd/httpd.h"

struct api;
struct route;

enum {
    ROUTE_PARAMS_MAX = 2,
    TRACE_ID_MAX = 65,
    PAGE_SIZE_DEFAULT = 20,
    PAGE_NUMBER_MAX = 1000000,
};

struct call {
    struct api *api;
    struct app *app;
    const struct httpd_request *req;
    struct httpd_response *resp;
    struct arena *a;
    const struct route *route;
    struct str param[ROUTE_PARAMS_MAX]; // of the path, in order
    struct caller caller;
    char trace_id[TRACE_ID_MAX];
    struct faults faults;
    struct duration retry_after; // for ERR_THROTTLED
    const char *back;            // a failure is a page for people, with a link to this; NULL: a problem document
};

enum query_kind { QUERY_STR, QUERY_I64, QUERY_BOOL, QUERY_INSTANT, QUERY_ID, QUERY_ENUM };
struct query_param {
    const char *name;
    enum query_kind kind;
    const char *doc;
    const char *const *names; // words of an enum
    int64_t min, max;         // of a number; max not above min: no upper bound
};

enum answer { ANSWER_NONE, ANSWER_ONE, ANSWER_LIST, ANSWER_STREAM, ANSWER_OTHER };
enum {
    ACTION_PUBLIC = -1,     // instead of an enum action: no sign-in needed
    ROUTE_ROOT = 1 << 0,    // outside the base path
    ROUTE_CALLER = 1 << 1,  // public, but a token that is sent must be good
    ROUTE_IF_MATCH = 1 << 2, // honours If-Match
    ROUTE_BODY_OPTIONAL = 1 << 3,
    ROUTE_QUERY_ANY = 1 << 11, // parameters it does not know are none of its business
    ROUTE_BODY_ANY = 1 << 10, // its body need not be JSON
    ROUTE_IDEMPOTENT = 1 << 8, // takes an Idempotency-Key
    ROUTE_SHOWN_ONCE = 1 << 9, // its answer is not kept: it holds what is shown once only
};

struct route {
    const char *method, *path; // "/jobs/{id}:pause"
    int action;                // enum action or ACTION_PUBLIC
    int status;                // of success
    bool (*handle)(struct call *c, struct err *err);
    enum answer answer;
    const struct fields *request, *response; // NULL: none, or not described by a table
    const char *in, *out;      // shapes of bodies that a table does not describe alone (api/openapi.h)
    const struct query_param *query;         // ends with name NULL; NULL: none are allowed
    unsigned flags;
    const char *doc;
};
extern const struct route routes[];
extern const size_t routes_n;
enum { ROUTES_MAX = 192 };

// -- reading the request --
// Path parameter as an identifier; ERR_NOT_FOUND when it is not one, as for an absent object.
bool call_id(const struct call *c, size_t i, struct ulid *ret, struct err *err) __attribute__((warn_unused_result));
// The body as a JSON object; *ret NULL when there is none and the route allows that. The caller owns *ret.
bool call_json(struct call *c, json_t **ret, struct err *err) __attribute__((warn_unused_result));
// The body decoded by the route's request table. Without a body: defaults, if the route allows that.
bool call_decode(struct call *c, void *obj, struct err *err) __attribute__((warn_unused_result));
// If-Match as a version: 0 = none given or "*", −1 = can match no version.
int64_t call_if_match(const struct call *c);
bool call_faulty(struct call *c, struct err *err); // false with ERR_INVALID when faults were found; else true

// Query parameters. Values that do not fit their kind add a fault and give what an absent one gives.
struct str query_str(struct call *c, const char *name);                       // absent: {NULL,0}
int64_t query_i64(struct call *c, const char *name, int64_t min, int64_t max, int64_t otherwise);
bool query_bool(struct call *c, const char *name, bool otherwise);
struct instant query_instant(struct call *c, const char *name);               // absent: INSTANT_NEVER
struct ulid query_id(struct call *c, const char *name);                       // absent: zero
int query_enum(struct call *c, const char *name, const char *const *names);   // absent: −1
void query_fault(struct call *c, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
// page, size, cursor, sort; fields of the table that are FIELD_INDEXED may be sorted by.
void query_page(struct call *c, const struct fields *t, struct page *ret);
// Adds a fault for each parameter the route does not know or that is given twice.
void query_check(struct call *c);
#define QUERY_PAGE                                                                                             \
    {"page", QUERY_I64, "Number of the page, from 0.", NULL, 0, PAGE_NUMBER_MAX},                              \
        {"size", QUERY_I64, "Rows per page, 1–200.", NULL, 1, PAGE_SIZE_MAX},                                  \
        {"cursor", QUERY_STR, "nextCursor of the page before; instead of page.", NULL},                        \
    {"sort", QUERY_STR, "Field and direction: \"name,asc\" or \"name,desc\".", NULL}

// -- writing the answer --
struct sbuf *call_out(struct call *c);
void call_header(struct call *c, const char *name, struct str value);
void call_etag(struct call *c, int64_t version);
void call_one(struct call *c, const struct fields *t, const void *obj);
// {"content":[ … then list_end writes the page's figures. Rows are the caller's, separated by list_next.
void list_begin(struct call *c);
void list_next(struct call *c, size_t i);
void list_end(struct call *c, const struct page *p, const struct page_result *r);

#endif
