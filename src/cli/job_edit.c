// SPDX-License-Identifier: Apache-2.0
// Changing a job. The editor's result is sent as a merge patch of what the user changed, never as a whole: values
// that the server masks ("***") stay what they are, and If-Match keeps two editors from undoing each other.
#include "cli/job_edit.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sync.h"
#include "base/yaml.h"
#include "cli/job_flags.h"

extern char **environ;
enum { PATH_MAX_BYTES = 4096 };

json_t *json_merge_diff(const json_t *from, const json_t *to)
{
    json_t *patch = json_object();
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)from, key, v) {
        if (!json_object_get(to, key))
            json_object_set_new(patch, key, json_null());
    }
    json_object_foreach((json_t *)to, key, v) {
        const json_t *old = json_object_get(from, key);
        if (old && json_equal(old, v))
            continue;
        if (json_is_object(old) && json_is_object(v))
            json_object_set_new(patch, key, json_merge_diff(old, v));
        else
            json_object_set(patch, key, v);
    }
    return patch;
}

static struct str body_of(struct cli *c, const json_t *v)
{
    struct sbuf out;
    sbuf_init(&out, &c->arena, CLI_INPUT_MAX);
    json_write(v, &out);
    return sbuf_str(&out);
}

static bool run_editor(struct cli *c, const char *path, struct err *err)
{
    struct str editor = cli_env(c, "VISUAL");
    editor = editor.p ? editor : cli_env(c, "EDITOR");
    editor = editor.p ? editor : STR("vi");
    // Through the shell, because EDITOR may hold arguments ("code --wait").
    char sh[] = "sh", flag[] = "-c", name[] = "chronos";
    char *script = arena_cstr(&c->arena, arena_fmt(&c->arena, "%.*s \"$1\"", STR_ARG(editor)));
    char *argv[] = {sh, flag, script, name, arena_cstr(&c->arena, str_of(path)), NULL};
    pid_t pid;
    int status;
    fflush(NULL);
    if (posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ) != 0)
        return ERR(err, ERR_IO, "the editor \"%.*s\" cannot be started", STR_ARG(editor));
    while (waitpid(pid, &status, 0) < 0)
        continue;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return ERR(err, ERR_IO, "the editor \"%.*s\" failed; nothing was changed", STR_ARG(editor));
    return true;
}

// A new file that only its owner may read, with the definition in it.
static bool draft_write(struct cli *c, const json_t *job, char path[static PATH_MAX_BYTES], struct err *err)
{
    struct str folder = cli_env(c, "TMPDIR");
    struct sbuf text;
    sbuf_init(&text, &c->arena, CLI_INPUT_MAX);
    sbuf_puts(&text, "# Save and close to change the job; close without a change to leave it as it is.\n");
    yaml_write(job, &text);
    snprintf(path, PATH_MAX_BYTES, "%.*s/chronos-job-XXXXXX.yaml", STR_ARG(folder.p ? folder : STR("/tmp")));
    CLEANUP(cleanup_fd) int fd = mkstemps(path, (int)strlen(".yaml"));
    if (fd < 0)
        return ERR_ERRNO(err, "make a file for the editor");
    struct str all = sbuf_str(&text);
    return write(fd, all.p, all.n) == (ssize_t)all.n || ERR_ERRNO(err, "write \"%s\"", path);
}

static int patch_send(struct client *cl, struct str id, const json_t *patch, struct str etag, struct reply *ret)
{
    struct cli *c = cl->cli;
    const struct call call = {.method = "PATCH", .path = client_path(&c->arena, "jobs", id, ""), .if_match = etag,
                              .body = body_of(c, patch)};
    return client_call(cl, &call, ret);
}

static int edit_by_editor(struct client *cl, struct str id, struct reply *ret)
{
    struct cli *c = cl->cli;
    struct err err;
    struct str text;
    char path[PATH_MAX_BYTES];
    CLEANUP_REPLY struct reply now = {0};
    if (!isatty(STDIN_FILENO) && !cli_env(c, "EDITOR").p && !cli_env(c, "VISUAL").p)
        return cli_usage(c, "no terminal for an editor: change the job with flags or -f FILE");
    int code = client_call(cl, &(struct call){.method = "GET", .path = client_path(&c->arena, "jobs", id, "")}, &now);
    if (code != CLI_OK)
        return code;
    job_strip(now.json);
    if (!draft_write(c, now.json, path, &err))
        return cli_fail(c, &err);
    CLEANUP_JSON json_t *jobs = NULL, *patch = NULL;
    bool ok = run_editor(c, path, &err) && file_read(path, CLI_INPUT_MAX, &text, &c->arena, &err) &&
        jobs_from_text(text, &jobs, &err);
    if (ok && json_array_size(jobs) != 1)
        ok = ERR(&err, ERR_INVALID, "it must hold one job");
    if (!ok) {
        fprintf(c->out.err, "chronos: %s\n  → the text is kept in %s\n", err.text, path);
        return CLI_FAILURE;
    }
    patch = json_merge_diff(now.json, json_array_get(jobs, 0));
    code = CLI_OK;
    if (json_object_size(patch) == 0)
        output_done(&c->out, "nothing was changed");
    else
        code = patch_send(cl, id, patch, now.etag, ret);
    if (code == CLI_OK)
        unlink(path);
    else
        fprintf(c->out.err, "  → the text is kept in %s\n", path);
    return code;
}

static int edit_by_file(struct client *cl, struct str id, struct str file, struct reply *ret)
{
    struct cli *c = cl->cli;
    struct err err;
    struct str text;
    CLEANUP_JSON json_t *jobs = NULL;
    bool ok = cli_read(c, file, CLI_INPUT_MAX, &text, &err) && jobs_from_text(text, &jobs, &err);
    if (ok && json_array_size(jobs) != 1)
        ok = ERR(&err, ERR_INVALID, "it must hold one job");
    if (!ok) {
        err_wrap(&err, "%.*s", STR_ARG(file));
        return cli_fail(c, &err);
    }
    json_t *job = json_array_get(jobs, 0);
    job_strip(job);
    const struct call call = {.method = "PUT", .path = client_path(&c->arena, "jobs", id, ""),
                              .body = body_of(c, job)};
    return client_call(cl, &call, ret);
}

int job_edit(struct client *cl, struct str id, struct reply *ret)
{
    struct cli *c = cl->cli;
    struct err err;
    struct str file = flag_str(c, "file");
    if (file.p && job_flags_given(c))
        return cli_usage(c, "give a file or flags, not both");
    if (file.p)
        return edit_by_file(cl, id, file, ret);
    if (!job_flags_given(c))
        return edit_by_editor(cl, id, ret);
    CLEANUP_JSON json_t *patch = NULL;
    if (!job_from_flags(c, false, &patch, &err))
        return cli_fail(c, &err);
    return patch_send(cl, id, patch, STR_NONE, ret);
}
