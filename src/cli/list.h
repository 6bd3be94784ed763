// SPDX-License-Identifier: Apache-2.0
// Lists of the API with the flags that all of them take, and names where ids are expected.
#ifndef CLI_LIST_H
#define CLI_LIST_H

#include "cli/client.h"

#define LIST_FLAGS                                                                                \
    {"limit", 'n', "N", "Rows at most, 1 to 200 (default 20)"},                                    \
    {"cursor", 0, "CURSOR", "Go on after an earlier answer's nextCursor"},                         \
    {"all", 0, NULL, "Every row, page after page (not with -o json and yaml)"},                    \
    {"sort", 0, "FIELD[,asc|desc]", "Order"}

struct list {
    struct str path;            // API_BASE "/jobs"
    struct str query;           // "status=FAILED&tag=x", already encoded, or ""
    const struct column *columns;
    const char *name_key;       // member for -o name
};
// Fetches and shows a list.
int list_show(struct cli *c, const struct list *l);
// Appends "&name=value" (encoded) when the flag is given.
void query_flag(const struct cli *c, struct sbuf *query, const char *name, const char *flag);
void query_add(struct sbuf *query, const char *name, struct str value);

// Id of the job of that exact name, or the text itself when it is an id already. Several jobs of one name: their
// ids are told. CLI_OK or the exit code.
int job_resolve(struct client *cl, struct str name, struct str *ret_id);

#endif
