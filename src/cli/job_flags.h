// SPDX-License-Identifier: Apache-2.0
// Job definitions from what the user gives: flags for the common case, files for everything.
#ifndef CLI_JOB_FLAGS_H
#define CLI_JOB_FLAGS_H

#include "cli/command.h"

#define JOB_FLAGS                                                                                            \
    {"http", 0, "URL", "An HTTP request (with --method, --header, --body)"},                                 \
    {"method", 0, "METHOD", "GET, POST, … (default GET, or POST with --body)"},                              \
    {"header", 'H', "NAME: VALUE", "Request header, may be repeated"},                                       \
    {"body", 0, "TEXT", "Request body; @FILE reads a file"},                                                 \
    {"script", 0, "FILE", "A script to run; - reads standard input"},                                        \
    {"dummy", 0, NULL, "A job that does nothing"},                                                           \
    {"every", 0, "DURATION", "Run in an interval: 500ms, 30s, 5m, 1h30m, 2d"},                               \
    {"cron", 0, "EXPR", "Run by a cron expression"},                                                         \
    {"rrule", 0, "RULE", "Run by an RFC 5545 rule (with --at as its start)"},                                \
    {"tz", 0, "ZONE", "Time zone of --cron or --rrule (default UTC)"},                                       \
    {"at", 0, "TIME", "Run once: RFC 3339, or +10m from now"},                                               \
    {"description", 0, "TEXT", "Words for people"},                                                          \
    {"retries", 0, "N", "Further attempts after a failure"},                                                 \
    {"backoff", 0, "DURATION", "Wait before a further attempt"},                                             \
    {"exponential", 0, NULL, "Double the wait each time"},                                                   \
    {"timeout", 0, "DURATION", "Longest time of one attempt"},                                               \
    {"tag", 0, "TAG", "Word to find it by, may be repeated"},                                                \
    {"priority", 0, "LEVEL", "LOW, MEDIUM, HIGH or CRITICAL"},                                               \
    {"concurrency", 0, "POLICY", "ALLOW, FORBID, QUEUE or REPLACE"},                                         \
    {"misfire", 0, "POLICY", "FIRE_NOW, FIRE_ALL, RESCHEDULE or IGNORE"}

// True when a flag of JOB_FLAGS is given.
bool job_flags_given(const struct cli *c);
// What the flags say, as a partial job: members without a flag are absent. For `create`, whole adds what must not be
// absent (schedule MANUAL). The caller owns *ret.
bool job_from_flags(struct cli *c, bool whole, json_t **ret, struct err *err) __attribute__((warn_unused_result));
// Every job of a YAML stream or JSON text: one object, an array, {"jobs":[…]} or {"content":[…]}. The caller owns the
// array *ret.
bool jobs_from_text(struct str text, json_t **ret, struct err *err) __attribute__((warn_unused_result));
// Takes out what only the server says (id, status, version, …), so that an answer can be sent back.
void job_strip(json_t *job);

#endif
