// SPDX-License-Identifier: Apache-2.0
// Fuzzes templates of notifications: any bytes either give an error with a line and a column, or a bounded
// text that is valid in the language it was escaped for. What passes the check at save can be filled in.
#include "base/json.h"
#include "notify/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_MAX = 8 * 1024 * 1024, ESCAPES = ESCAPE_URL + 1 };

// A value with everything that means something somewhere.
static struct str evil(void) { return STR("\"</script>{{event}}\\ ``` *_ \n\r\x01\xff \xf0\x9f\x98\x80"); }

static void fill(const struct channel_env *env, struct str text, enum escape escape, bool checked)
{
    struct arena a;
    struct notification n;
    struct str got;
    struct err err = {0};
    arena_init(&a, ARENA_MAX);
    notification_sample(NOTICE_FAILED, &n);
    n.error_message = n.log_tail = n.job_name = evil();
    bool ok = notify_template_fill(env, text, escape, &n, &got, &a, &err);
    must(ok || err.code == ERR_TOO_LARGE ||
         (err.code == ERR_INVALID && str_starts(str_of(err.text), STR("line "))));
    must(ok || !checked || err.code == ERR_TOO_LARGE);
    must(!ok || (got.n <= NOTIFY_TEXT_MAX && (!checked || str_utf8_valid(got))));
    must(!ok || notify_subject_fill(env, text, &n, &got, &a, &err));
    must(!ok || !got.p || str_find(got, '\n') == got.n);
    arena_release(&a);
}

// One place alone, in a JSON string: whatever its filters, the document stays one.
static void in_json(const struct channel_env *env, struct str text)
{
    struct arena a;
    struct notification n;
    struct str got;
    struct err err = {0};
    json_t *v CLEANUP_JSON = NULL;
    arena_init(&a, ARENA_MAX);
    notification_sample(NOTICE_FAILED, &n);
    n.error_message = evil();
    text = arena_fmt(&a, "[\"%.*s\"]", STR_ARG(text));
    if (notify_template_check(env, text, &err) &&
        notify_template_fill(env, text, ESCAPE_JSON, &n, &got, &a, &err))
        must(json_parse(got, &v, &err));
    arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct channel_env env;
    struct err err = {0};
    if (size == 0)
        return 0;
    if (!env.zones)
        env.zones = zones_new(NULL);
    struct str text = {(const char *)data + 1, size - 1};
    bool checked = notify_template_check(&env, text, &err);
    fill(&env, text, (enum escape)(data[0] % ESCAPES), checked);
    // Neither quotes of the template's own nor the filter that brings some.
    bool bare = size > 4 && text.p[0] == '{' && text.p[1] == '{' && !memmem(text.p, text.n, "json", 4);
    for (size_t i = 0; i < text.n; i++)
        bare = bare && text.p[i] >= ' ' && text.p[i] != '"' && text.p[i] != '\\';
    if (bare)
        in_json(&env, text);
    return 0;
}
