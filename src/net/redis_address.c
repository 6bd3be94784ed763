// SPDX-License-Identifier: Apache-2.0
// Address of a Redis server, taken apart by libcurl's URL parser.
#include "net/redis_link.h"

#include <curl/curl.h>

enum { PORT_DEFAULT = 6379, DATABASE_MAX = 9999, URL_MAX = 2048 };

static void url_cleanup(CURLU **u) { curl_url_cleanup(*u); }

// Copies a part; absent gives "". False when it does not fit or cannot be decoded.
static bool part(CURLU *u, CURLUPart what, CURLUcode absent, char *out, size_t size, bool *ret_given)
{
    char *text = NULL;
    CURLUcode rc = curl_url_get(u, what, &text, CURLU_URLDECODE);
    size_t n = rc == CURLUE_OK ? strlen(text) : 0;
    bool ok = rc == absent || (rc == CURLUE_OK && n < size);
    *ret_given = rc == CURLUE_OK;
    out[0] = '\0';
    if (ok && n > 0)
        memcpy(out, text, n + 1);
    curl_free(text);
    return ok;
}

static bool database_of(const char *path, int *ret)
{
    int64_t n = 0;
    struct str rest = str_of(path[0] == '/' ? path + 1 : path);
    if (rest.n > 0 && (!str_to_i64(rest, &n) || n < 0 || n > DATABASE_MAX))
        return false;
    *ret = (int)n;
    return true;
}

// "[::1]" is how a URL writes it, "::1" how it is connected to.
static void without_brackets(char *host)
{
    size_t n = strlen(host);
    if (n < 2 || host[0] != '[' || host[n - 1] != ']')
        return;
    memmove(host, host + 1, n - 2);
    host[n - 2] = '\0';
}

bool redis_address_parse(struct str url, struct redis_address *ret, struct err *err)
{
    static const struct str scheme = STR_INIT("redis://"), tls = STR_INIT("rediss://");
    __attribute__((cleanup(url_cleanup))) CURLU *u = curl_url();
    struct redis_address a = {.port = PORT_DEFAULT};
    char text[URL_MAX], port[16], path[32];
    bool given;
    if (str_starts(url, tls))
        return ERR(err, ERR_CONFIG,
                   "the address of Redis begins with rediss://, but TLS is not supported: use redis:// "
                   "through a tunnel or a private network");
    if (!u || !str_starts(url, scheme) || url.n >= sizeof text)
        return ERR(err, ERR_CONFIG, "the address of Redis must look like redis://user:password@host:6379/0");
    memcpy(text, url.p, url.n);
    text[url.n] = '\0';
    if (curl_url_set(u, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
        !part(u, CURLUPART_HOST, CURLUE_NO_HOST, a.host, sizeof a.host, &given) || !given ||
        !part(u, CURLUPART_USER, CURLUE_NO_USER, a.user, sizeof a.user, &a.has_user) ||
        !part(u, CURLUPART_PASSWORD, CURLUE_NO_PASSWORD, a.password, sizeof a.password, &a.has_password) ||
        !part(u, CURLUPART_PORT, CURLUE_NO_PORT, port, sizeof port, &given))
        return ERR(err, ERR_CONFIG,
                   "the address of Redis cannot be read: it must look like "
                   "redis://user:password@host:6379/0, with special characters written as %%XX");
    int64_t number = PORT_DEFAULT;
    if (given && str_to_i64(str_of(port), &number))
        a.port = (int)number;
    if (!part(u, CURLUPART_PATH, CURLUE_OK, path, sizeof path, &given) || !database_of(path, &a.database))
        return ERR(err, ERR_CONFIG, "the address of Redis must end in the number of a database, such as /0");
    a.has_user = a.has_user && a.user[0];
    without_brackets(a.host);
    *ret = a;
    return true;
}
