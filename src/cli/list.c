// SPDX-License-Identifier: Apache-2.0
// Lists: paging, forms, and the search for a job by its name.
#include "cli/list.h"

enum { LIMIT_DEFAULT = 20, LIMIT_MAX = 200, QUERY_MAX = 64 << 10, MATCHES_MAX = 20, PAGES_MAX = 100000 };

void query_add(struct sbuf *query, const char *name, struct str value)
{
    sbuf_fmt(query, "%s%s=", query->n ? "&" : "", name);
    sbuf_url(query, value);
}

void query_flag(const struct cli *c, struct sbuf *query, const char *name, const char *flag)
{
    struct str value = flag_str(c, flag);
    if (value.p)
        query_add(query, name, value);
}

static struct str page_path(struct cli *c, const struct list *l, int64_t limit, struct str cursor)
{
    struct sbuf query;
    sbuf_init(&query, &c->arena, QUERY_MAX);
    sbuf_put(&query, l->query);
    query_add(&query, "size", arena_fmt(&c->arena, "%lld", (long long)limit));
    query_flag(c, &query, "sort", "sort");
    if (cursor.n)
        query_add(&query, "cursor", cursor);
    return arena_fmt(&c->arena, "%.*s?%.*s", STR_ARG(l->path), STR_ARG(sbuf_str(&query)));
}

static void remainder_tell(const struct cli *c, const json_t *list)
{
    json_int_t total = json_integer_value(json_object_get(list, "totalElements"));
    size_t shown = json_array_size(json_object_get(list, "content"));
    bool more = json_is_string(json_object_get(list, "nextCursor"));
    if (c->out.form != OUTPUT_TABLE || !more)
        return;
    fprintf(c->out.err, "%zu of %lld%s shown; --all shows every one, --limit N more of them\n", shown,
            (long long)total, json_is_true(json_object_get(list, "totalIsEstimate")) ? " or more" : "");
}

// Every page into one list, so that a table is aligned as a whole.
static int all_show(struct client *cl, const struct list *l)
{
    struct cli *c = cl->cli;
    CLEANUP_JSON json_t *whole = json_pack("{s:[]}", "content");
    struct str cursor = STR_NONE;
    for (int page = 0; page < PAGES_MAX; page++) {
        CLEANUP_REPLY struct reply r = {0};
        const struct call call = {.method = "GET", .path = page_path(c, l, LIMIT_MAX, cursor)};
        int code = client_call(cl, &call, &r);
        if (code != CLI_OK)
            return code;
        json_array_extend(json_object_get(whole, "content"), json_object_get(r.json, "content"));
        cursor = arena_str(&c->arena, json_str(json_object_get(r.json, "nextCursor")));
        if (cursor.n == 0)
            break;
    }
    output_list(&c->out, l->columns, l->name_key, whole, STR_NONE, &c->arena);
    return CLI_OK;
}

int list_show(struct cli *c, const struct list *l)
{
    struct client cl;
    struct err err;
    int64_t limit;
    if (!flag_i64(c, "limit", 1, LIMIT_MAX, LIMIT_DEFAULT, &limit, &err) || !client_open(c, &cl, &err))
        return cli_fail(c, &err);
    if (flag_on(c, "all") && (c->out.form == OUTPUT_JSON || c->out.form == OUTPUT_YAML))
        return cli_usage(c, "--all goes with -o table, jsonl or name: the answers of several pages are no one answer");
    if (flag_on(c, "all"))
        return all_show(&cl, l);
    CLEANUP_REPLY struct reply r = {0};
    const struct call call = {.method = "GET", .path = page_path(c, l, limit, flag_str(c, "cursor"))};
    int code = client_call(&cl, &call, &r);
    if (code != CLI_OK)
        return code;
    output_list(&c->out, l->columns, l->name_key, r.json, r.body, &c->arena);
    remainder_tell(c, r.json);
    return CLI_OK;
}

// Adds the ids of exact matches on one page.
static size_t matches_take(struct cli *c, const json_t *list, struct str name, struct str *ids, size_t n)
{
    size_t i;
    json_t *job;
    json_array_foreach(json_object_get(list, "content"), i, job) {
        if (n < MATCHES_MAX && str_eq(json_str(json_object_get(job, "name")), name))
            ids[n++] = arena_str(&c->arena, json_str(json_object_get(job, "id")));
    }
    return n;
}

int job_resolve(struct client *cl, struct str name, struct str *ret_id)
{
    struct cli *c = cl->cli;
    struct ulid ignored;
    struct str ids[MATCHES_MAX], cursor = STR_NONE;
    size_t n = 0;
    if (ulid_parse(name, &ignored)) {
        *ret_id = name;
        return CLI_OK;
    }
    struct sbuf query;
    sbuf_init(&query, &c->arena, QUERY_MAX);
    query_add(&query, "name", name); // the server finds parts of names: the exact one is picked here
    struct str base = arena_fmt(&c->arena, API_BASE "/jobs?%.*s&size=%d", STR_ARG(sbuf_str(&query)), LIMIT_MAX);
    for (int page = 0; page < PAGES_MAX; page++) {
        CLEANUP_REPLY struct reply r = {0};
        sbuf_clear(&query);
        sbuf_put(&query, base);
        if (cursor.n)
            query_add(&query, "cursor", cursor);
        const struct call call = {.method = "GET", .path = arena_str(&c->arena, sbuf_str(&query))};
        int code = client_call(cl, &call, &r);
        if (code != CLI_OK)
            return code;
        n = matches_take(c, r.json, name, ids, n);
        cursor = arena_str(&c->arena, json_str(json_object_get(r.json, "nextCursor")));
        if (cursor.n == 0 || n == MATCHES_MAX)
            break;
    }
    struct str shown = text_printable(name, &c->arena);
    if (n == 0) {
        fprintf(c->out.err, "chronos: no job is called \"%.*s\"\n  → see: chronos job list\n", STR_ARG(shown));
        return CLI_NOT_FOUND;
    }
    if (n > 1) {
        fprintf(c->out.err, "chronos: %zu%s jobs are called \"%.*s\": give the id\n", n,
                n == MATCHES_MAX ? " or more" : "", STR_ARG(shown));
        for (size_t i = 0; i < n; i++)
            fprintf(c->out.err, "  %.*s\n", STR_ARG(text_printable(ids[i], &c->arena)));
        return CLI_CONFLICT;
    }
    *ret_id = ids[0];
    return CLI_OK;
}
