// SPDX-License-Identifier: Apache-2.0
// The cluster over REST: its nodes, draining one, and what this node knows of itself.
#include "app/cluster.h"

#include "api/handlers.h"

bool api_nodes_list(struct call *c, struct err *err)
{
    struct cluster_node *v;
    size_t n = 0;
    if (!app_cluster_nodes(c->app, &c->caller, &v, &n, c->a, err))
        return false;
    list_begin(c);
    for (size_t i = 0; i < n; i++) {
        list_next(c, i);
        call_one(c, &cluster_node_fields, &v[i]);
    }
    // All of them are on the one page: there are never more than a few dozen.
    list_end(c, &(struct page){.size = (int64_t)n}, &(struct page_result){.total = (int64_t)n});
    call_header(c, "Cache-Control", STR("no-store"));
    return true;
}

static bool want(struct call *c, bool drain, struct err *err)
{
    struct cluster_node node;
    if (!app_cluster_want(c->app, &c->caller, c->param[0], drain, &node, c->a, err))
        return false;
    call_one(c, &cluster_node_fields, &node);
    return true;
}

bool api_node_drain(struct call *c, struct err *err) { return want(c, true, err); }
bool api_node_resume(struct call *c, struct err *err) { return want(c, false, err); }

bool api_cluster_info(struct call *c, struct err *err)
{
    struct cluster_info info;
    if (!app_cluster_info(c->app, &c->caller, &info, c->a, err))
        return false;
    call_one(c, &cluster_info_fields, &info);
    call_header(c, "Cache-Control", STR("no-store"));
    return true;
}
