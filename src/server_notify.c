// SPDX-License-Identifier: Apache-2.0
// From settings to a notifier.
#include "server_notify.h"

#include "app/subscription.h"

static int64_t token_of(void *cluster)
{
    struct cluster_status status;
    cluster_status(cluster, &status);
    return status.token;
}

void server_subscription_changed(void *app)
{
    struct notifier *n = ((struct app *)app)->notifier;
    if (n)
        notifier_wake(n, true);
}

static bool mail_of(const struct config *c, const struct mail_server **ret, struct arena *a, struct err *err)
{
    struct mail_server *m = arena_new(a, struct mail_server);
    if (!c->mail_url.p)
        return true;
    if (!m || !mail_server_parse(c->mail_url, m, a, err))
        return m ? err_wrap(err, "mail.url") : ERR(err, ERR_UNAVAILABLE, "no memory to start");
    m->user = c->mail_user.p ? c->mail_user : m->user;
    m->password = c->mail_password.p ? c->mail_password : m->password;
    *ret = m;
    return true;
}

static struct str without_slash(struct str url)
{
    while (url.n > 0 && url.p[url.n - 1] == '/')
        url.n--;
    return url.n > 0 ? url : STR_NONE;
}

bool server_notifier_open(const struct config *c, struct app *app, const struct egress *egress, struct cluster *cluster,
                          struct notifier **ret, struct arena *a, struct err *err)
{
    struct str installation = app->store->exclusive ? c->node_name : STR("cluster");
    struct notifier_config k = {
        .app = app,
        .env = {.channel = {.egress = egress, .mail_from = c->mail_from, .clock = app->clock, .zones = app->zones},
                .source = c->kafka.source.n > 0 ? c->kafka.source
                                                : arena_fmt(a, "/chronos/%.*s", STR_ARG(installation)),
                .public_url = without_slash(c->public_url)},
        .node_token = cluster ? token_of : NULL,
        .token_ctx = cluster,
    };
    if (!mail_of(c, &k.env.channel.mail, a, err) || !notifier_new(&k, ret, err))
        return false;
    app_set_notifier(app, *ret);
    notifier_start(*ret);
    return true;
}
