// SPDX-License-Identifier: Apache-2.0
// All time zones of this process, by IANA name, read from a zoneinfo folder at first use.
//
// Thread-safe (lock ZONES). A reload replaces the zones whose data changed; whoever holds an old
// object keeps a valid one and sees zone_superseded. Only IANA names and "UTC" are accepted: offsets
// such as "UTC+1" would silently ignore summer time. "UTC" works without any file.
#ifndef SCHED_ZONES_H
#define SCHED_ZONES_H

#include "sched/zone.h"

#define ZONES_DIR_DEFAULT "/usr/share/zoneinfo"
enum { ZONES_VERSION_MAX = 32 };

struct zones;

struct zones_report {
    size_t checked; // zones in memory
    size_t changed; // replaced by other data
    size_t failed;  // file gone or damaged: the old data stays in use
};

struct zones *zones_new(const char *dir); // NULL = ZONES_DIR_DEFAULT; aborts when out of memory
void zones_free(struct zones *zs);        // zones handed out stay valid until zone_unref

// The zone of that name; absent or empty = "UTC". ERR_INVALID with a suggestion when there is none,
// ERR_CORRUPT when its file is damaged. May read one file. The caller owns the reference.
bool zones_get(struct zones *zs, struct str name, struct zone **ret, struct err *err)
    __attribute__((warn_unused_result));
// Looks at the files of all zones in memory (one stat each) and reads those that changed.
struct zones_report zones_reload(struct zones *zs);
// Version of the data ("2026f"), or "" when the folder does not say. Returns buf.
const char *zones_version(struct zones *zs, char buf[static ZONES_VERSION_MAX]);
// All names the folder knows, links included, sorted as in its list; empty when it has no list.
struct strs zones_names(struct zones *zs, struct arena *a);

#endif
