// SPDX-License-Identifier: Apache-2.0
// Sending a mail as part of an attempt: the server of the settings or the job's own, addresses, templates, and what the
// answer means for the run. EMAIL and REPORT use it.
#ifndef JOBS_MAILING_H
#define JOBS_MAILING_H

#include "base/json.h"
#include "fs/root.h"
#include "jobs/blocking.h"
#include "net/mail.h"

// A job's own mail server; all absent: the settings'.
struct smtp_config {
    struct str url, user, password, from;
};
extern const struct fields smtp_config_fields;

// At save: every address of a list, unless it waits for its value; and how many there are.
void mailing_check_addresses(struct strs v, struct str base, const char *field, struct faults *faults,
                             struct arena *scratch);
void mailing_check_config(const struct smtp_config *c, struct str base, struct faults *faults, struct arena *scratch);

// For an attempt. False: it has been ended with a sentence.
bool mailing_server(struct attempt *a, const struct smtp_config *own, struct mail_server *ret);
bool mailing_addresses(struct attempt *a, struct strs v, struct mail_addresses *ret);
// Sender, identity, date, the run's headers, time-out, guard.
bool mailing_begin(struct attempt *a, const struct smtp_config *own, struct mail *ret);
// What templates are filled from: the user's data (a JSON object, or absent), `run`, `job` and `param`. Owner: caller.
bool mailing_values(struct attempt *a, struct str data, json_t **ret);
// Fills what is absent of subject, text and html from a template.
bool mailing_template(struct attempt *a, struct str name, const json_t *values, struct mail *m);
// Asks the breaker, sends, writes one line to the run's log. False: the attempt has been ended, also when cancelled.
bool mailing_send(struct attempt *a, const struct mail_server *s, const struct mail *m);

#endif
