// SPDX-License-Identifier: Apache-2.0
// Names of users and teams → identifiers.
#include "cli/account.h"

#include "cli/list.h"

enum { QUERY_MAX = 4096, PAGES_MAX = 100 };

// One page: the id of the row whose member is exactly the name.
static struct str match(const json_t *list, const char *member, struct str name)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(list, "content"), i, row)
        if (str_eq_nocase(json_str(json_object_get(row, member)), name))
            return json_str(json_object_get(row, "id"));
    return STR_NONE;
}

static int resolve(struct client *cl, const char *noun, const char *member, const char *filter, struct str name,
                   struct str *ret_id)
{
    struct cli *c = cl->cli;
    struct ulid ignored;
    struct str cursor = STR_NONE;
    if (ulid_parse(name, &ignored)) {
        *ret_id = name;
        return CLI_OK;
    }
    for (int page = 0; page < PAGES_MAX; page++) {
        CLEANUP_REPLY struct reply r = {0};
        struct sbuf query;
        sbuf_init(&query, &c->arena, QUERY_MAX);
        query_add(&query, "size", STR("200"));
        if (filter)
            query_add(&query, filter, name);
        if (cursor.n)
            query_add(&query, "cursor", cursor);
        const struct call call = {.method = "GET",
                                  .path = arena_fmt(&c->arena, API_BASE "/%s?%.*s", noun, STR_ARG(sbuf_str(&query)))};
        int code = client_call(cl, &call, &r);
        if (code != CLI_OK)
            return code;
        struct str id = match(r.json, member, name);
        if (id.n > 0) {
            *ret_id = arena_str(&c->arena, id);
            return CLI_OK;
        }
        cursor = arena_str(&c->arena, json_str(json_object_get(r.json, "nextCursor")));
        if (cursor.n == 0)
            break;
    }
    fprintf(c->out.err, "chronos: \"%.*s\" is not among the %s\n", STR_ARG(text_printable(name, &c->arena)), noun);
    return CLI_NOT_FOUND;
}

int user_resolve(struct client *cl, struct str name, struct str *ret_id)
{
    return resolve(cl, "users", "email", "email", name, ret_id);
}

int team_resolve(struct client *cl, struct str name, struct str *ret_id)
{
    return resolve(cl, "teams", "name", NULL, name, ret_id);
}

bool words_put(const struct cli *c, json_t *object, const char *key, const char *flag)
{
    struct str v;
    json_t *list = NULL;
    bool ok = true;
    for (size_t i = 0; ok && flag_each(c, flag, &i, &v);) {
        if (!list)
            list = json_array();
        ok = json_array_append_new(list, json_stringn(v.p, v.n)) == 0;
    }
    if (list)
        (void)json_object_set_new(object, key, list);
    return ok;
}

struct str body_of(struct cli *c, const json_t *object)
{
    struct sbuf out;
    sbuf_init(&out, &c->arena, ACCOUNT_BODY_MAX);
    json_write(object, &out);
    return sbuf_str(&out);
}

int transfer_query(struct client *cl, struct str *ret)
{
    struct str name = flag_str(cl->cli, "transfer-to"), id, team = STR("team:");
    *ret = STR("");
    if (!name.p)
        return CLI_OK;
    bool to_team = str_starts(name, team);
    int code = to_team ? team_resolve(cl, (struct str){name.p + team.n, name.n - team.n}, &id)
                       : user_resolve(cl, name, &id);
    if (code == CLI_OK)
        *ret = arena_fmt(&cl->cli->arena, "?transferTo=%.*s", STR_ARG(id));
    return code;
}
