// SPDX-License-Identifier: Apache-2.0
// What changed between two objects, by their field table, as the audit trail shows it:
// {"schedule.cronExpression":{"before":"0 1 * * *","after":"0 2 * * *"}}. Secrets are "***" on both sides:
// members with FIELD_SECRET, what a payload's type calls secret, texts under names such as "Authorization",
// passwords inside URLs.
#ifndef APP_AUDIT_DIFF_H
#define APP_AUDIT_DIFF_H

#include "base/field.h"

enum { AUDIT_VALUE_MAX = 4096 }; // bytes of one value; what is longer is cut and says so

// Adds the object to *out, whose limit is at least AUDIT_CHANGES_MAX. before or after may be NULL: it was
// created, or is gone. False and nothing written when nothing differs.
bool audit_diff(const struct fields *t, const void *before, const void *after, struct arena *a,
                struct sbuf *out);
// Copies JSON text and hides secrets in it by what they look like.
void audit_mask(struct str json, struct sbuf *out);

#endif
