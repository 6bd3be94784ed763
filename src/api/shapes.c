// SPDX-License-Identifier: Apache-2.0
// Bodies that no field table describes alone, as JSON Schemas, and examples of requests. tests/api/contract_test.c
// holds every answer to them.
#include "api/handlers.h"
#include "api/openapi.h"

#define OBJECT(required, properties) \
    "{\"type\":\"object\",\"required\":[" required "],\"properties\":{" properties "},\"additionalProperties\":false}"
#define LIST(items)  "{\"type\":\"array\",\"items\":" items "}"
#define REF(name)    "{\"$ref\":\"#/components/schemas/" name "\"}"
#define TEXT         "{\"type\":\"string\"}"
#define COUNT        "{\"type\":\"integer\",\"minimum\":0}"
#define FLAG         "{\"type\":\"boolean\"}"
#define TIME         "{\"type\":\"string\",\"format\":\"date-time\"}"
#define MAP(values)  "{\"type\":\"object\",\"additionalProperties\":" values "}"
#define ID           "{\"type\":\"string\",\"minLength\":26,\"maxLength\":26}"

static const char saved_more[] =
    "\"warnings\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"description\":\"What was accepted, but is "
    "probably not meant.\"},"
    "\"dryRun\":{\"type\":\"boolean\",\"description\":\"Nothing was stored.\"},"
    "\"nextFireTimes\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"format\":\"date-time\"},"
    "\"description\":\"Of a dry run: when it would fire.\"}";

const struct shape shapes[] = {
    {"SavedJob", NULL, &job_fields, saved_more},
    {"JobsBatchInput", NULL, NULL,
     OBJECT("\"jobs\"", "\"jobs\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":1000,\"items\":" REF("JobInput") "}"),
     .request = true},
    {"JobsBatch", NULL, NULL,
     "{\"oneOf\":[" OBJECT("\"content\"", "\"content\":" LIST(REF("SavedJob")) ",\"dryRun\":" FLAG) "," OBJECT(
         "\"results\"",
         "\"results\":" LIST("{\"oneOf\":[" OBJECT("\"id\"", "\"id\":" ID) "," OBJECT(
             "\"problem\"", "\"problem\":" REF("Problem")) "]}")) "]}"},
    {"LogPage", NULL, NULL,
     OBJECT("\"content\",\"size\",\"nextAfter\",\"more\"", "\"content\":" LIST(REF("LogLine")) ",\"size\":" COUNT
            ",\"nextAfter\":" COUNT ",\"more\":" FLAG)},
    {"Preview", NULL, NULL,
     OBJECT("\"next\",\"never\",\"warnings\"",
            "\"next\":" LIST(OBJECT("\"at\",\"utc\"", "\"at\":" TIME ",\"utc\":" TIME ",\"note\":" TEXT))
            ",\"never\":" FLAG ",\"warnings\":" LIST(TEXT))},
    {"MessagePreview", NULL, NULL,
     "{\"type\":\"object\",\"properties\":{\"subject\":" TEXT ",\"text\":" TEXT ",\"message\":" TEXT
     "},\"additionalProperties\":false}"},
    {"Explanation", NULL, NULL,
     OBJECT("\"at\",\"runs\",\"summary\",\"steps\"",
            "\"at\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"},\"runs\":" FLAG ",\"summary\":" TEXT
            ",\"steps\":" LIST(OBJECT("\"step\",\"verdict\",\"detail\"",
                                      "\"step\":" TEXT ",\"verdict\":{\"type\":\"string\",\"enum\":[\"YES\",\"NO\","
                                      "\"NOTE\"]},\"detail\":" TEXT ",\"remedy\":" TEXT)))},
    {"Health", NULL, NULL,
     OBJECT("\"status\"",
            "\"status\":{\"type\":\"string\",\"enum\":[\"UP\",\"DEGRADED\",\"DOWN\",\"OUT_OF_SERVICE\"]},"
            "\"ageMs\":" COUNT ",\"components\":" MAP(OBJECT(
                "\"status\"", "\"status\":{\"type\":\"string\",\"enum\":[\"UP\",\"DEGRADED\",\"DOWN\"]},"
                "\"details\":{\"type\":\"object\"}")))},
    {"ServerStats", NULL, NULL,
     OBJECT("\"scheduledJobs\",\"ready\",\"running\",\"queued\"",
            "\"scheduledJobs\":" COUNT ",\"ready\":" COUNT ",\"running\":" COUNT ",\"queued\":" COUNT ",\"since\":" TIME
            ",\"byStatus\":" MAP(COUNT) ",\"byType\":" MAP(MAP(COUNT)))},
    {"Figures", "text/plain", NULL, TEXT},
    {"Page", "text/html", NULL, TEXT},
    {"Script", "text/javascript", NULL, TEXT},
    {"Style", "text/css", NULL, TEXT},
    {"Text", "text/plain", NULL, TEXT},
    {"Document", NULL, NULL, "{\"type\":\"object\",\"required\":[\"openapi\",\"info\",\"paths\"]}"},
};
const size_t shapes_n = sizeof shapes / sizeof shapes[0];

const struct shape *shape_find(const char *name)
{
    for (size_t i = 0; i < shapes_n; i++)
        if (strcmp(shapes[i].name, name) == 0)
            return &shapes[i];
    return NULL;
}

static const struct {
    const char *method, *path, *example;
} examples[] = {
    {"POST", "/jobs",
     "{\"name\":\"nightly-export\",\"type\":\"HTTP\",\"schedule\":{\"scheduleType\":\"CRON\",\"cronExpression\":"
     "\"30 2 * * *\",\"timezone\":\"Europe/Berlin\"},\"payload\":{\"httpUrl\":\"https://api.example.com/export\","
     "\"httpMethod\":\"POST\",\"timeoutSeconds\":30},\"retryPolicy\":{\"maxAttempts\":3,\"backoffStrategy\":"
     "\"EXPONENTIAL\",\"backoffSeconds\":60}}"},
    {"POST", "/jobs:batch",
     "{\"jobs\":[{\"name\":\"pause\",\"type\":\"DUMMY\",\"schedule\":{\"scheduleType\":\"INTERVAL\","
     "\"intervalSeconds\":60}}]}"},
    {"PATCH", "/jobs/{id}", "{\"description\":\"every night\",\"tags\":[\"billing\"]}"},
    {"POST", "/jobs:bulk", "{\"action\":\"pause\",\"filter\":{\"tag\":\"billing\"},\"expectedCount\":12}"},
    {"POST", "/jobs/{id}:run-now", "{\"parameters\":{\"month\":\"2027-03\"}}"},
    {"POST", "/jobs/{id}:schedule", "{\"runAt\":\"2030-01-31T08:00:00Z\"}"},
    {"POST", "/schedules:preview",
     "{\"schedule\":{\"scheduleType\":\"CRON\",\"cronExpression\":\"30 2 * * *\",\"timezone\":\"Europe/Berlin\"},"
     "\"count\":5}"},
    {"POST", "/auth/login", "{\"email\":\"ada@example.org\",\"password\":\"correct horse battery\"}"},
    {"POST", "/dlq/{id}:resolve", "{\"reason\":\"done by hand\"}"},
    {"POST", "/notifications:preview",
     "{\"channel\":\"SLACK\",\"templates\":{\"subject\":\"{{job.name}} failed\",\"text\":\"{{run.error}}\"}}"},
    {"PUT", "/secrets/{name}", "{\"value\":\"a value that is never shown again\"}"},
};

const char *request_example(const struct route *r)
{
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++)
        if (strcmp(examples[i].path, r->path) == 0 && strcmp(examples[i].method, r->method) == 0)
            return examples[i].example;
    return NULL;
}
