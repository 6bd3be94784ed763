// SPDX-License-Identifier: Apache-2.0
// Subject and text of a subscription: templates of base/mustache over what a notification says (notify/view.h), and
// nothing else: no configuration and no secret is within their reach. Beside the common filters there is tz:ZONE, or
// tz alone for the schedule's zone. A value that a notification does not have is empty.
#ifndef NOTIFY_TEMPLATE_H
#define NOTIFY_TEMPLATE_H

#include "notify/channel.h"

enum {
    NOTIFY_TEMPLATE_MAX = 16 * 1024,  // bytes of a template
    NOTIFY_TEXT_MAX = 64 * 1024,      // bytes of what is made from one
    NOTIFY_SUBJECT_MAX = 250,         // characters of a subject; the rest is cut off
};

// At save. ERR_INVALID with line and column: an unknown name or filter, a section that is not closed. env: for zones.
bool notify_template_check(const struct channel_env *env, struct str text, struct err *err)
    __attribute__((warn_unused_result));
// Fills one in. An absent template gives an absent text.
bool notify_template_fill(const struct channel_env *env, struct str text, enum escape escape,
                          const struct notification *n, struct str *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// As a subject: plain text on one line.
bool notify_subject_fill(const struct channel_env *env, struct str text, const struct notification *n, struct str *ret,
                         struct arena *a, struct err *err) __attribute__((warn_unused_result));

// A made-up notification of this event, for previews and tests. Constant texts; it may be copied.
void notification_sample(int event, struct notification *ret);

struct template_preview {
    struct str subject, text; // templates filled in; absent where there is none
    struct str message;       // as the channel would send it; absent without a configuration
};
// What a subscription with these templates would send. config: decoded, or NULL; n: NULL for a sample of this event.
bool template_preview(const struct channel_env *env, const struct channel *c, const void *config, struct str subject,
                      struct str text, int event, const struct notification *n, struct template_preview *ret,
                      struct arena *a, struct err *err) __attribute__((warn_unused_result));

#endif
