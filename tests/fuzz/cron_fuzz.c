// SPDX-License-Identifier: Apache-2.0
// Fuzzes cron expressions: any bytes either give an error with a position inside the text, or a
// schedule whose next fires strictly rise. Both dialect rules and one zone with clock changes.
#include "sched/cron.h"
#include "sched/cron_next.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define START_S INT64_C(1790000000)
enum { FIRES = 4 };

static void fire(const struct cron *c, const struct zone *zone)
{
    struct cron_search search = {.cron = c, .zone = zone, .gap = DST_GAP_RUN, .overlap = DST_OVERLAP_AUTO};
    int64_t at = START_S;
    for (int i = 0; i < FIRES; i++) {
        int64_t next = cron_next(&search, at, CRON_LAST_S);
        if (next == CRON_NEVER)
            return;
        must(next > at);
        at = next;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct cron_options options = {.dialect = (enum cron_dialect)(data[0] % 4),
                                   .day_match = (enum day_match)(data[0] / 4 % 3),
                                   .seed = data[0]};
    struct str expr = str_of_n((const char *)data + 1, size - 1);
    struct cron c;
    struct cron_fault fault;
    struct err err = {0};
    if (!cron_parse(expr, &options, &c, &fault, &err)) {
        must(err.code != ERR_NONE && fault.field != NULL && fault.position <= expr.n);
        return 0;
    }
    static struct zone *utc;
    if (!utc)
        utc = zone_utc();
    fire(&c, utc);
    return 0;
}
