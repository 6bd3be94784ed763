// SPDX-License-Identifier: Apache-2.0
// Job definitions from flags and files. What the words mean is checked by the server, which owns the rules; here
// is refused only what could not be said in JSON.
#include "cli/job_flags.h"

#include "base/yaml.h"
#include "cli/format.h"
#include "model/job.h"

enum { SCRIPT_MAX = 256 << 10, RETRIES_MAX = RETRY_ATTEMPTS_MAX - 1 };

static const char *const kind_flags[] = {"http", "script", "dummy", NULL};
static const char *const when_flags[] = {"every", "cron", "rrule", "at", NULL};

bool job_flags_given(const struct cli *c)
{
    static const struct cli_flag flags[] = {JOB_FLAGS, {NULL, 0, NULL, NULL}};
    for (const struct cli_flag *f = flags; f->name; f++) {
        if (flag_on(c, f->name))
            return true;
    }
    return false;
}

static json_t *text_new(struct str s) { return json_stringn(s.p ? s.p : "", s.n); }

// Puts a text member; refuses what is not UTF-8.
static bool text_put(json_t *object, const char *key, struct str s, struct err *err)
{
    return json_object_set_new(object, key, text_new(s)) == 0 ||
        ERR(err, ERR_INVALID, "the text for \"%s\" is not UTF-8", key);
}

// Which one of the flags is given: NULL for none; several are refused.
static bool one_of(const struct cli *c, const char *const *names, const char **ret, struct err *err)
{
    const char *found = NULL;
    for (size_t i = 0; names[i]; i++) {
        if (!flag_on(c, names[i]))
            continue;
        if (found && !(strcmp(found, "rrule") == 0 && strcmp(names[i], "at") == 0))
            return ERR(err, ERR_INVALID, "--%s and --%s exclude each other", found, names[i]);
        found = found ? found : names[i];
    }
    *ret = found;
    return true;
}

static bool headers_put(struct cli *c, json_t *payload, struct err *err)
{
    struct str header;
    json_t *headers = NULL;
    for (size_t i = 0; flag_each(c, "header", &i, &header);) {
        struct str value = STR_NONE;
        struct str name = str_trim(str_split(header, ':', &value));
        if (!value.p || name.n == 0)
            return ERR(err, ERR_INVALID, "--header: \"%.*s\" is not NAME: VALUE", STR_ARG(name));
        if (!headers)
            json_object_set_new(payload, "httpHeaders", headers = json_object());
        if (!text_put(headers, arena_cstr(&c->arena, name), str_trim(value), err))
            return false;
    }
    return true;
}

static bool http_payload(struct cli *c, json_t *payload, struct err *err)
{
    struct str url = flag_str(c, "http"), method = flag_str(c, "method"), body = flag_str(c, "body");
    if (body.n > 0 && body.p[0] == '@' &&
        !cli_read(c, (struct str){body.p + 1, body.n - 1}, JOB_PAYLOAD_MAX, &body, err))
        return false;
    if (!method.p && body.p)
        method = STR("POST");
    return (!url.p || text_put(payload, "httpUrl", url, err)) &&
        (!method.p || text_put(payload, "httpMethod", method, err)) &&
        (!body.p || text_put(payload, "httpBody", body, err)) && headers_put(c, payload, err);
}

static bool payload_put(struct cli *c, json_t *job, struct err *err)
{
    const char *kind;
    if (!one_of(c, kind_flags, &kind, err))
        return false;
    bool http = (kind && strcmp(kind, "http") == 0) || (!kind && (flag_on(c, "method") || flag_on(c, "header") ||
                                                                 flag_on(c, "body")));
    if (kind && !http && (flag_on(c, "method") || flag_on(c, "header") || flag_on(c, "body")))
        return ERR(err, ERR_INVALID, "--method, --header and --body belong to --http");
    if (!kind && !http)
        return true;
    json_t *payload = json_object();
    json_object_set_new(job, "payload", payload);
    if (kind)
        json_object_set_new(job, "type", json_string(http ? "HTTP" : *kind == 's' ? "SCRIPT" : "DUMMY"));
    if (http)
        return http_payload(c, payload, err);
    struct str script = flag_str(c, "script");
    return !script.p ||
        (cli_read(c, script, SCRIPT_MAX, &script, err) && text_put(payload, "script", script, err));
}

static bool interval_put(struct cli *c, json_t *schedule, struct err *err)
{
    struct duration d;
    if (!duration_parse(flag_str(c, "every"), &d, err))
        return err_wrap(err, "--every");
    bool whole = d.us % US_PER_S == 0;
    json_object_set_new(schedule, "scheduleType", json_string("INTERVAL"));
    json_object_set_new(schedule, whole ? "intervalSeconds" : "intervalMs",
                        json_integer(d.us / (whole ? US_PER_S : US_PER_MS)));
    return true;
}

static bool instant_put(struct cli *c, json_t *schedule, const char *key, struct err *err)
{
    struct instant t;
    char buf[INSTANT_TEXT_MAX];
    if (!instant_parse_relative(flag_str(c, "at"), c->out.now, &t, err))
        return err_wrap(err, "--at");
    json_object_set_new(schedule, key, json_string(instant_format(t, buf)));
    return true;
}

static bool kind_put(struct cli *c, const char *when, json_t *schedule, struct err *err)
{
    bool rule = strcmp(when, "rrule") == 0;
    if (strcmp(when, "every") == 0)
        return interval_put(c, schedule, err);
    if (strcmp(when, "at") == 0) {
        json_object_set_new(schedule, "scheduleType", json_string("ONCE"));
        return instant_put(c, schedule, "runAt", err);
    }
    json_object_set_new(schedule, "scheduleType", json_string(rule ? "RRULE" : "CRON"));
    if (rule && flag_on(c, "at") && !instant_put(c, schedule, "dtstart", err))
        return false;
    return text_put(schedule, rule ? "rrule" : "cronExpression", flag_str(c, when), err);
}

static void others_remove(json_t *schedule, bool zoned)
{
    static const char *const members[] = {"runAt", "cronExpression", "rrule", "dtstart", "intervalSeconds",
                                          "intervalMs"};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        json_object_set_new(schedule, members[i], json_null());
    if (!zoned)
        json_object_set_new(schedule, "timezone", json_null());
}

static bool schedule_put(struct cli *c, bool whole, json_t *job, struct err *err)
{
    const char *when;
    struct str zone = flag_str(c, "tz"), misfire = flag_str(c, "misfire");
    if (!one_of(c, when_flags, &when, err))
        return false;
    bool zoned = when && (strcmp(when, "cron") == 0 || strcmp(when, "rrule") == 0);
    if (whole && zone.p && !zoned)
        return ERR(err, ERR_INVALID, "--tz belongs to --cron or --rrule");
    if (!when && !whole && !zone.p && !misfire.p)
        return true;
    json_t *schedule = json_object();
    json_object_set_new(job, "schedule", schedule);
    if (!when && whole)
        json_object_set_new(schedule, "scheduleType", json_string("MANUAL"));
    if (when && !whole) // a merge patch: what belongs to the former kind must go
        others_remove(schedule, zoned);
    return (!when || kind_put(c, when, schedule, err)) && (!zone.p || text_put(schedule, "timezone", zone, err)) &&
        (!misfire.p || text_put(schedule, "misfirePolicy", misfire, err));
}

// Whole seconds of a duration flag.
static bool seconds_put(struct cli *c, const char *flag, json_t *object, const char *key, struct err *err)
{
    struct str text = flag_str(c, flag);
    struct duration d;
    if (!text.p)
        return true;
    if (!duration_parse(text, &d, err))
        return err_wrap(err, "--%s", flag);
    if (d.us % US_PER_S != 0)
        return ERR(err, ERR_INVALID, "--%s: \"%.*s\" is not a number of whole seconds", flag, STR_ARG(text));
    json_object_set_new(object, key, json_integer(d.us / US_PER_S));
    return true;
}

static bool retry_put(struct cli *c, json_t *job, struct err *err)
{
    int64_t retries;
    if (!flag_i64(c, "retries", 0, RETRIES_MAX, 0, &retries, err))
        return false;
    if (!flag_on(c, "retries") && !flag_on(c, "backoff") && !flag_on(c, "exponential"))
        return true;
    json_t *policy = json_object();
    json_object_set_new(job, "retryPolicy", policy);
    if (flag_on(c, "retries"))
        json_object_set_new(policy, "maxAttempts", json_integer(retries + 1));
    if (flag_on(c, "exponential"))
        json_object_set_new(policy, "backoffStrategy", json_string("EXPONENTIAL"));
    return seconds_put(c, "backoff", policy, "backoffSeconds", err);
}

static bool tags_put(struct cli *c, json_t *job, struct err *err)
{
    struct str tag;
    json_t *tags = NULL;
    for (size_t i = 0; flag_each(c, "tag", &i, &tag);) {
        if (!tags)
            json_object_set_new(job, "tags", tags = json_array());
        if (json_array_append_new(tags, text_new(tag)) != 0)
            return ERR(err, ERR_INVALID, "--tag is not UTF-8");
    }
    return true;
}

bool job_from_flags(struct cli *c, bool whole, json_t **ret, struct err *err)
{
    CLEANUP_JSON json_t *job = json_object();
    struct str priority = flag_str(c, "priority"), policy = flag_str(c, "concurrency");
    struct str words = flag_str(c, "description");
    if (!payload_put(c, job, err) || !schedule_put(c, whole, job, err) || !retry_put(c, job, err) ||
        !tags_put(c, job, err) || !seconds_put(c, "timeout", job, "timeoutSeconds", err) ||
        (priority.p && !text_put(job, "priority", priority, err)) ||
        (policy.p && !text_put(job, "concurrencyPolicy", policy, err)) ||
        (words.p && !text_put(job, "description", words, err)))
        return false;
    if (whole && !json_object_get(job, "type"))
        return ERR(err, ERR_INVALID, "what shall it do? Give --http URL, --script FILE or --dummy, or a definition "
                   "with -f FILE");
    *ret = json_incref(job);
    return true;
}

bool jobs_from_text(struct str text, json_t **ret, struct err *err)
{
    struct str t = str_trim(text);
    CLEANUP_JSON json_t *docs = NULL;
    bool json = t.n > 0 && (t.p[0] == '{' || t.p[0] == '[');
    if (!(json ? json_parse(text, &docs, err) : yaml_parse_all(text, &docs, err)))
        return false;
    CLEANUP_JSON json_t *jobs = json_array();
    json_t *whole = json_is_array(docs) ? docs : NULL, *doc;
    for (size_t i = 0; i < (whole ? json_array_size(whole) : 1); i++) {
        doc = whole ? json_array_get(whole, i) : docs;
        json_t *inner = json_object_get(doc, "jobs");
        inner = inner ? inner : json_object_get(doc, "content");
        inner = json_is_array(doc) ? doc : inner;
        if (json_is_null(doc)) // an empty document between two "---"
            continue;
        if (json_is_array(inner))
            json_array_extend(jobs, inner);
        else if (json_is_object(doc))
            json_array_append(jobs, doc);
        else
            return ERR(err, ERR_INVALID, "document %zu is no job: give a mapping with \"name\", \"type\", …", i + 1);
    }
    if (json_array_size(jobs) == 0)
        return ERR(err, ERR_INVALID, "there is no job in it");
    *ret = json_incref(jobs);
    return true;
}

void job_strip(json_t *job)
{
    for (size_t i = 0; i < job_fields.n; i++) {
        if (job_fields.v[i].flags & FIELD_READ_ONLY)
            json_object_del(job, job_fields.v[i].name);
    }
    json_object_del(job, "warnings"); // said by the server about the definition, no part of it
}
