// SPDX-License-Identifier: Apache-2.0
// Rules between the settings of the edge, and the one table of what profiles differ in.
#include "config_edge.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "httpd/forward.h"

const char *const config_forwarded_words[] = {"x-forwarded", "forwarded", NULL};

const struct profile_default profile_defaults[] = {
    {"auth.registration", {"open", "open", "closed"}, "accounts are made by an administrator"},
    {"keys.required", {"false", "true", "true"}, "a key in the database is a key for whoever reads it"},
    {"db.strict", {"false", "false", "true"}, "what was acknowledged survives a power loss"},
    {"http.plain", {"true", "false", "false"}, "passwords and tokens do not cross a network in the clear"},
    {"limits.requestsPerSecond", {"0", "500", "500"}, "a flood of one caller is his own trouble"},
    {"limits.anonymousPerSecond", {"0", "100", "100"}, "so is one of an address nobody has signed in from"},
    {"limits.jobsPerOwner", {"0", "100000", "100000"}, "one owner does not fill the store"},
    {"limits.runsPerSecond", {"0", "100", "100"}, "one owner does not take all the room for attempts"},
    {"script.enabled", {"true", "true", "false"}, "whoever may write jobs would run programs on the server"},
    {"script.sandbox", {"none", "none", "restricted"}, "scripts see no more than they need"},
};
const size_t profile_defaults_n = sizeof profile_defaults / sizeof profile_defaults[0];

const struct profile_default *profile_default_of(const char *setting)
{
    const struct profile_default *found = NULL;
    for (size_t i = 0; i < profile_defaults_n && !found; i++)
        if (strcmp(profile_defaults[i].setting, setting) == 0)
            found = &profile_defaults[i];
    return found;
}

bool config_host_is_local(struct str host)
{
    enum { LOOPBACK_NET = 127 };
    char text[INET6_ADDRSTRLEN];
    struct in_addr v4;
    struct in6_addr v6;
    if (str_eq_nocase(host, STR("localhost")))
        return true;
    if (host.n == 0 || host.n >= sizeof text)
        return false;
    memcpy(text, host.p, host.n);
    text[host.n] = '\0';
    if (inet_pton(AF_INET, text, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == LOOPBACK_NET;
    return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static void check_tls(const struct config_edge *e, struct faults *faults)
{
    if (e->tls_certificate.n > 0 && e->tls_key.n == 0)
        faults_add(faults, STR("http.tls.key"),
                   "it is missing, but http.tls.certificate is given: name the file of the key");
    if (e->tls_key.n > 0 && e->tls_certificate.n == 0)
        faults_add(faults, STR("http.tls.certificate"),
                   "it is missing, but http.tls.key is given: name the file of the certificate");
}

// "scheme://host" or "scheme://host:port", as browsers write it.
static bool origin_valid(struct str s)
{
    struct str https = STR("https://"), http = STR("http://");
    struct str scheme = str_starts(s, https) ? https : http;
    if (!str_starts(s, scheme) || s.n == scheme.n)
        return false;
    for (size_t i = scheme.n; i < s.n; i++) {
        char c = s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr(".-:[]", c);
        if (!plain)
            return false;
    }
    return true;
}

void config_edge_check(const struct config_edge *e, struct str host, bool plain_given, struct faults *faults,
                       struct faults *warnings, struct arena *a)
{
    struct forward f;
    struct err err;
    check_tls(e, faults);
    if (!forward_parse(e->trusted_proxies, e->forwarded == FORWARDED_STANDARD, &f, a, &err))
        faults_add(faults, STR("http.trustedProxies"), "%s", err.text);
    for (size_t i = 0; i < e->cors_origins.n; i++)
        if (!origin_valid(e->cors_origins.v[i]))
            faults_add(faults, STR("http.cors.origins"),
                       "\"%.*s\" is not an origin: give exact ones, in lower case, such as "
                       "https://console.example.com",
                       STR_ARG(e->cors_origins.v[i]));
    if (config_host_is_local(host) || e->tls_certificate.n > 0 || e->trusted_proxies.n > 0)
        return;
    static const char sentence[] =
        "it is reached from other machines, but passwords and tokens would cross the network "
        "in the clear: give http.tls.certificate and http.tls.key, or http.trustedProxies "
        "when a proxy in front speaks TLS, or listen on 127.0.0.1, or set http.plain=true";
    if (!e->plain)
        faults_add(faults, STR("http.listen"), "%s", sentence);
    else if (!plain_given)
        faults_add(warnings, STR("http.listen"), "%s", sentence);
}
