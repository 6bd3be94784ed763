// SPDX-License-Identifier: Apache-2.0
// Templates of mails: files of the data folder, or built in, filled with the values of a JSON object by base/mustache.
// A value that is missing and has no default is an error. In HTML every value is escaped unless `raw` is there.
#ifndef JOBS_MAIL_TEMPLATE_H
#define JOBS_MAIL_TEMPLATE_H

#include "base/json.h"

enum { MAIL_TEMPLATE_NAME_MAX = 64, MAIL_TEMPLATE_FILE_MAX = 256 * 1024 };

struct mail_template {
    struct str subject, text, html; // each may be absent
};

// Letters, digits, '-' and '_'.
bool mail_template_name_ok(struct str name);
// <data_dir>/templates/NAME.subject, .txt and .html, else the built-in one of this name ("plain", "job-failed",
// "report-ready"). ERR_NOT_FOUND names what there is.
bool mail_template_load(struct str name, struct str data_dir, struct mail_template *ret, struct arena *a,
                        struct err *err) __attribute__((warn_unused_result));
// ERR_INVALID: a value is missing and has no default, a filter is not known.
bool mail_template_expand(struct str text, const json_t *values, bool html, struct sbuf *out, struct err *err)
    __attribute__((warn_unused_result));

#endif
