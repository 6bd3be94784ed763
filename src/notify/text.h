// SPDX-License-Identifier: Apache-2.0
// Texts from outside made fit for messages: clean, cut to what the target takes, times as people read them.
//
// Clean: valid UTF-8, of the control characters only line ends and tabs, no terminal colours, nothing that turns the
// direction of text. Length is counted in UTF-16 units, the strictest way in which any target counts.
#ifndef NOTIFY_TEXT_H
#define NOTIFY_TEXT_H

#include "base/escape.h"
#include "base/time.h"
#include "sched/zones.h"

// The beginning, "…" for what is left out. Absent stays absent.
struct str text_head(struct str s, size_t units, struct arena *a);
// The same on one line.
struct str text_line(struct str s, size_t units, struct arena *a);
// The last lines, "…" in front when there were more.
struct str text_tail(struct str s, size_t lines, size_t units, struct arena *a);
size_t text_units(struct str s);

enum text_end { TEXT_HEAD, TEXT_TAIL }; // which end of a text counts
// Escaped, and as much of it as takes `units` then.
struct str text_fit(struct str s, enum text_end keep, enum escape how, size_t units, struct arena *a);
// The same inside a code block of three backticks, which the text cannot end.
struct str text_code(struct str s, enum text_end keep, enum escape how, size_t units, struct arena *a);

// Parts of a JSON object or list, with a comma where one is needed. A member without a text is left out.
void text_comma(struct sbuf *out);
void text_key(struct sbuf *out, const char *name);
void text_member(struct sbuf *out, const char *name, struct str value);

// "2026-11-23 02:30:00 CET": by the zone of that name; in UTC where zones is NULL or does not know it.
void text_time(struct sbuf *out, struct zones *zones, struct str zone, struct instant t);

#endif
