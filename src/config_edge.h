// SPDX-License-Identifier: Apache-2.0
// Settings of what stands between the network and the use cases, and the defaults that a profile changes.
#ifndef CONFIG_EDGE_H
#define CONFIG_EDGE_H

#include "base/arena.h"
#include "base/err.h"

enum config_forwarded { FORWARDED_X, FORWARDED_STANDARD };

struct config_edge {
    struct str tls_certificate, tls_key; // empty: no TLS
    bool plain;                          // may listen beyond this machine without TLS
    struct strs trusted_proxies;
    int forwarded; // enum config_forwarded
    struct strs cors_origins;
    int64_t requests_per_s, burst, anonymous_per_s, jobs_per_owner, runs_per_s;
    bool access_log;
};

extern const char *const config_forwarded_words[];

// The address of http.listen without brackets is one of this machine only.
bool config_host_is_local(struct str host);
// Rules between the settings. plain_given: http.plain is somebody's word and not a default.
void config_edge_check(const struct config_edge *e, struct str host, bool plain_given, struct faults *faults,
                       struct faults *warnings, struct arena *a);

// All that profiles differ in: the default of a setting in each. Whatever is set wins in every profile.
enum { PROFILES = 3 };
struct profile_default {
    const char *setting;
    const char *value[PROFILES]; // development, staging, production
    const char *why;             // half a sentence
};
extern const struct profile_default profile_defaults[];
extern const size_t profile_defaults_n;
// Of a setting, or NULL when its default is the same everywhere.
const struct profile_default *profile_default_of(const char *setting);

#endif
