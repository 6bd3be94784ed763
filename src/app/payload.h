// SPDX-License-Identifier: Apache-2.0
// Secrets inside payloads: masked when a job is shown, kept when a shown job is sent back unchanged.
#ifndef APP_PAYLOAD_H
#define APP_PAYLOAD_H

#include "app/app.h"

#define PAYLOAD_MASK "***" // what field_encode writes for a secret

// The payload as it may be shown: members that the type marks as secret become PAYLOAD_MASK. Most types have none;
// their payload is returned as it is.
struct str payload_shown(const struct job *j, struct arena *a);
// Where new_job's payload holds PAYLOAD_MASK at a secret member, puts the value that old has there. Types must be
// equal; else nothing happens and the mask is refused or kept like any other text.
void payload_keep_secrets(const struct job *old, struct job *new_job, struct arena *a);

#endif
