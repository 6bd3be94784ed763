// SPDX-License-Identifier: Apache-2.0
// The words of a notification before it is saved: filled in with a real run or a made-up one; nothing is sent or kept.
#ifndef APP_MESSAGE_PREVIEW_H
#define APP_MESSAGE_PREVIEW_H

#include "app/app.h"
#include "notify/template.h"

// d: as decoded. The caller must be allowed to see the run it names (ERR_NOT_FOUND). Faults of channel, configuration
// and templates go to *faults (ERR_INVALID then).
bool app_message_preview(struct app *app, const struct caller *c, const struct message_draft *d,
                         struct template_preview *ret, struct faults *faults, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));

#endif
