// SPDX-License-Identifier: Apache-2.0
// Words of a notification before it is saved, see app/message_preview.h.
#include "app/message_preview.h"

#include "app/delivery.h"
#include "app/run.h"
#include "app/subscription.h"

// Reads a configuration only when there is one: without it the channel decides the escaping and nothing else.
static void read_config(const struct channel *ch, struct str text, void **ret, struct faults *f, struct arena *a)
{
    *ret = NULL;
    if (text.p && channel_config_read(ch, text, false, STR("/config"), ret, f, a) && ch->check)
        ch->check(*ret, STR("/config"), f, a);
}

// *ret: what would be told of the run, NULL without one. An unknown or foreign run is a fault of the field.
static bool told_of(struct app *app, const struct caller *c, const struct notify_env *env,
                    const struct message_draft *d, struct notification **ret, struct faults *f, struct arena *a,
                    struct err *err)
{
    struct run r;
    char text[ULID_TEXT_MAX];
    *ret = NULL;
    if (ulid_is_zero(d->run_id))
        return true;
    if (!app_run_get(app, c, d->run_id, ULID_ZERO, &r, a, err)) {
        if (err->code == ERR_NOT_FOUND)
            faults_add(f, STR("/runId"), "run \"%s\" does not exist", ulid_format(d->run_id, text));
        return err->code == ERR_NOT_FOUND;
    }
    *ret = notification_of_run(app, env, &r, d->event, a, err);
    return *ret != NULL;
}

bool app_message_preview(struct app *app, const struct caller *c, const struct message_draft *d,
                         struct template_preview *ret, struct faults *faults, struct arena *a, struct err *err)
{
    enum reach reach;
    struct notification *n;
    void *config = NULL;
    const struct channel *ch = subscription_channel(d->channel, faults);
    if (!app_authorize(c, ACTION_NOTIFY_WRITE, &reach, err))
        return false;
    struct notify_env env = app_notify_env(app);
    if (ch)
        read_config(ch, d->config, &config, faults, a);
    subscription_templates_check(app, &d->templates, faults);
    if (!told_of(app, c, &env, d, &n, faults, a, err))
        return false;
    if (faults->n > 0)
        return ERR(err, ERR_INVALID, "the notification has faults");
    return template_preview(&env.channel, ch, config, d->templates.subject, d->templates.text, d->event, n, ret, a,
                            err);
}
