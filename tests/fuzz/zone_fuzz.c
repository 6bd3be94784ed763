// SPDX-License-Identifier: Apache-2.0
// Fuzzes TZif data: any bytes either give an error or a zone that answers every question consistently.
#include "sched/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int64_t moments[] = {INT64_MIN / 4, -2208988800, 0, 1790000000, 4102444800, 7258118400, INT64_MAX / 4};
enum { MOMENTS = sizeof moments / sizeof moments[0] };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct zone *zone = NULL;
    struct err err = {0};
    if (!zone_parse(str_of_n((const char *)data, size), STR("Fuzz/Zone"), &zone, &err)) {
        must(err.code != ERR_NONE);
        return 0;
    }
    uint32_t hint = 0;
    for (size_t i = 0; i < MOMENTS; i++) {
        struct zone_span span = zone_span_at(zone, moments[i], &hint);
        must(span.begin_s <= moments[i] && moments[i] < span.end_s);
        struct wall wall = zone_wall(zone, moments[i]);
        must(wall.kind == WALL_UNIQUE || wall.kind == WALL_GAP || wall.kind == WALL_OVERLAP);
    }
    zone_unref(zone);
    return 0;
}
