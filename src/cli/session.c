// SPDX-License-Identifier: Apache-2.0
// The login file. Its form: {"http://127.0.0.1:8080": {"email", "accessToken", "refreshToken", "expiresAt"}}.
#include "cli/session.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/command.h"

enum { SESSION_FILE_MAX = 1 << 20, FOLDER_MODE = 0700, FILE_MODE = 0600, URL_MAX = 4096 };

static bool folder_path(const struct cli *c, struct str *ret, struct arena *a, struct err *err)
{
    struct str xdg = cli_env(c, "XDG_CONFIG_HOME"), home = cli_env(c, "HOME");
    if (!xdg.p && !home.p)
        return ERR(err, ERR_CONFIG, "no place for the login file: set HOME or XDG_CONFIG_HOME, or use CHRONOS_TOKEN");
    *ret = xdg.p ? arena_fmt(a, "%.*s/chronos", STR_ARG(xdg)) : arena_fmt(a, "%.*s/.config/chronos", STR_ARG(home));
    return true;
}

bool session_path(const struct cli *c, const char **ret, struct arena *a, struct err *err)
{
    struct str folder;
    if (!folder_path(c, &folder, a, err))
        return false;
    *ret = arena_fmt(a, "%.*s/credentials.json", STR_ARG(folder)).p;
    return true;
}

// The whole file; an empty object when there is none.
static bool file_load(const char *path, json_t **ret, struct arena *a, struct err *err)
{
    struct str text;
    struct err why;
    if (!file_read(path, SESSION_FILE_MAX, &text, a, &why)) {
        if (why.code != ERR_NOT_FOUND) {
            *err = why;
            return false;
        }
        *ret = json_object();
        return true;
    }
    if (!json_parse(text, ret, err))
        return err_wrap(err, "login file \"%s\" is damaged, delete it and sign in again", path);
    return true;
}

bool session_load(const struct cli *c, struct str url, struct session *ret, struct arena *a, struct err *err)
{
    const char *path;
    CLEANUP_JSON json_t *all = NULL;
    if (!session_path(c, &path, a, err) || !file_load(path, &all, a, err))
        return false;
    const json_t *one = json_object_getn(all, url.p, url.n);
    struct err ignored;
    *ret = (struct session){.email = arena_str(a, json_str(json_object_get(one, "email"))),
                            .access_token = arena_str(a, json_str(json_object_get(one, "accessToken"))),
                            .refresh_token = arena_str(a, json_str(json_object_get(one, "refreshToken"))),
                            .expires_at = INSTANT_NEVER};
    if (ret->access_token.n == 0)
        *ret = (struct session){.expires_at = INSTANT_NEVER};
    // Without a readable date the token is tried as it is; a 401 renews it.
    (void)!instant_parse(json_str(json_object_get(one, "expiresAt")), &ret->expires_at, &ignored);
    return true;
}

bool session_save(const struct cli *c, struct str url, const struct session *s, struct arena *a, struct err *err)
{
    const char *path;
    CLEANUP_JSON json_t *all = NULL;
    if (!session_path(c, &path, a, err) || !file_load(path, &all, a, err))
        return false;
    const char *key = arena_cstr(a, url);
    char buf[INSTANT_TEXT_MAX];
    if (!s->access_token.p)
        json_object_del(all, key);
    else
        json_object_set_new(all, key, json_pack("{s:s%, s:s%, s:s%, s:s}", "email", s->email.p ? s->email.p : "",
                                                s->email.n, "accessToken", s->access_token.p, s->access_token.n,
                                                "refreshToken", s->refresh_token.p ? s->refresh_token.p : "",
                                                s->refresh_token.n, "expiresAt",
                                                instant_format(s->expires_at, buf)));
    struct sbuf out;
    sbuf_init(&out, a, SESSION_FILE_MAX);
    json_write(all, &out);
    sbuf_putc(&out, '\n');
    return file_write(path, sbuf_str(&out), FILE_MODE, err);
}

bool session_lock(const struct cli *c, int *ret_fd, struct arena *a, struct err *err)
{
    struct str folder;
    if (!folder_path(c, &folder, a, err) || !dir_make(folder.p, FOLDER_MODE, err))
        return false;
    const char *path = arena_fmt(a, "%.*s/credentials.lock", STR_ARG(folder)).p;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
    if (fd < 0)
        return ERR_ERRNO(err, "open lock file \"%s\"", path);
    if (flock(fd, LOCK_EX) != 0) {
        close(fd);
        return ERR_ERRNO(err, "lock \"%s\"", path);
    }
    *ret_fd = fd;
    return true;
}

bool session_from_answer(struct str body, struct instant now, struct session *ret, struct arena *a)
{
    CLEANUP_JSON json_t *v = NULL;
    struct err ignored;
    if (!json_parse(body, &v, &ignored))
        return false;
    const json_t *life = json_object_get(v, "expiresIn");
    struct session s = {.email = arena_str(a, json_str(json_object_get(v, "email"))),
                        .access_token = arena_str(a, json_str(json_object_get(v, "accessToken"))),
                        .refresh_token = arena_str(a, json_str(json_object_get(v, "refreshToken"))),
                        .expires_at = json_is_integer(life)
                            ? instant_add(now, duration_s(json_integer_value(life)))
                            : INSTANT_NEVER};
    if (s.access_token.n == 0)
        return false;
    *ret = s;
    return true;
}
