// SPDX-License-Identifier: Apache-2.0
// A series for each route and class of status that has been answered at least once: the table of routes
// bounds them, whatever is asked for.
#include "api/meters.h"

#include "base/metrics.h"

enum { CLASSES = 5, LABELS_MAX = 160, VERSION_MAX = 128, OTHER = ROUTES_MAX };

static const char *const class_names[CLASSES] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
static struct metric durations[ROUTES_MAX + 1][CLASSES]; // by row of the route table
static char labels[ROUTES_MAX + 1][CLASSES][LABELS_MAX];
static struct metric build_info;

static void prepare_one(size_t i, const char *method, const char *path)
{
    for (int k = 0; k < CLASSES; k++) {
        (void)snprintf(labels[i][k], LABELS_MAX, "route=\"%s%s\",code=\"%s\"", method, path, class_names[k]);
        durations[i][k] = (struct metric)METRIC_BOUNDED_INIT(
            "chronos_http_request_duration_seconds", labels[i][k],
            "Time to answer a request, by route and class of status.", &metric_bounds_requests);
    }
}

void meters_prepare(const struct app *app)
{
    static char build_labels[VERSION_MAX];
    char method[16];
    must(routes_n <= ROUTES_MAX);
    if (build_info.name)
        return;
    for (size_t i = 0; i < routes_n; i++) {
        (void)snprintf(method, sizeof method, "%s ", routes[i].method);
        prepare_one(i, method, routes[i].path);
    }
    prepare_one(OTHER, "", "other");
    (void)snprintf(build_labels, sizeof build_labels, "version=\"%s\",store=\"%s\"", app->settings.version,
                   app->store->ops->name);
    build_info = (struct metric)METRIC_INFO_INIT("chronos_build_info", build_labels, "What this server is.");
    metric_register(&build_info);
}

void meter_request(const struct route *route, int status, struct duration took)
{
    enum { CLASS = 100 };
    size_t i = route ? (size_t)(route - routes) : OTHER;
    int class = status / CLASS - 1;
    metric_observe(&durations[i][class >= 0 && class < CLASSES ? class : CLASSES - 1], took);
}
