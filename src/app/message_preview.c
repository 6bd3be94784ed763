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

bool app_message_preview(struct app *app, const struct caller *c, const struct message_draft *d,
                         struct template_preview *ret, struct faults *faults, struct arena *a, struct err *err)
{
    enum reach reach;
    struct run r;
    struct notification *n = NULL;
    void *config = NULL;
    const struct channel *ch = subscription_channel(d->channel, faults);
    if (!app_authorize(c, ACTION_NOTIFY_WRITE, &reach, err))
        return false;
    struct notify_env env = app_notify_env(app);
    if (ch)
        read_config(ch, d->config, &config, faults, a);
    subscription_templates_check(app, &d->templates, faults);
    if (faults->n > 0)
        return ERR(err, ERR_INVALID, "the notification has faults");
    if (!ulid_is_zero(d->run_id)) {
        if (!app_run_get(app, c, d->run_id, ULID_ZERO, &r, a, err))
            return false;
        n = notification_of_run(app, &env, &r, d->event, a);
        if (!n)
            return ERR(err, ERR_TOO_LARGE, "the run needs more memory than one request may have");
    }
    return template_preview(&env.channel, ch, config, d->templates.subject, d->templates.text, d->event, n, ret, a,
                            err);
}
