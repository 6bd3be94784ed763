// SPDX-License-Identifier: Apache-2.0
// FILE_SYSTEM: copies, moves, deletes, packs, reads, writes, lists, waits for and processes files below the
// allowed folders (setting files.roots).
//
// Every path is checked as text when the job is saved, and walked by the kernel below its root when it runs
// (fs/root.h), so that links made or exchanged meanwhile lead nowhere else. A failure is FILE_ERROR with the
// system's name for it as error code (ENOSPC, EACCES, …). What is written appears whole or not at all.
#include "jobs/file_system.h"

#include <errno.h>
#include <stdarg.h>

#include "jobs/blocking.h"
#include "jobs/services.h"

enum {
    PARAMETERS_MAX = 200,
    SAID_MAX = 1000,
    TEXT_MAX = 2048,
    SCRATCH_BUDGET = 256 * 1024,
    IGNORED_MAX = 2048
};

static const char *const operation_names[] = {"COPY",  "MOVE", "DELETE", "COMPRESS", "READ",
                                              "WRITE", "LIST", "WATCH",  "PROCESS",  NULL};

#define T struct file_payload
static const struct field file_rows[] = {
    FIELD_ENUM(T, operation, "operation", operation_names, .flags = FIELD_REQUIRED, .doc = "What to do."),
    FIELD_STR(T, path, "path", FIELD_ALIASES("sourcePath"), .flags = FIELD_REQUIRED, .min = 1,
              .max = FS_PATH_MAX,
              .doc = "What to do it with: absolute below an allowed folder, or relative to the first of "
                     "them. The last "
                     "parts may be a pattern (*.csv, **/*.log)."),
    FIELD_STR(T, target_path, "targetPath", .max = FS_PATH_MAX, .doc = "Where the result goes."),
    FIELD_STR(T, content, "content", .max = JOB_PAYLOAD_MAX, .doc = "What WRITE writes."),
    FIELD_BOOL(T, create_directories, "createDirectories", .doc = "Make missing folders above the target."),
    FIELD_BOOL(T, overwrite, "overwrite", FIELD_ALIASES("overwriteExisting"),
               .doc = "Replace what is there already."),
    FIELD_MAP(
        T, parameters, "parameters", .flags = FIELD_NESTED, .max = PARAMETERS_MAX,
        .doc =
            "More wishes: processingType, dryRun, recursive, pattern, exclude and those of each operation."),
};
#undef T
static const struct fields file_fields = FIELDS("FileSystemPayload", struct file_payload, file_rows,
                                                .doc = "Work with files below the allowed folders.");

// ---- checking ----

static bool is_template(struct str s) { return s.n >= 2 && memmem(s.p, s.n, "{{", 2) != NULL; }

static void path_check(struct str path, const char *name, struct str base, struct faults *faults,
                       struct arena *a)
{
    struct err err;
    size_t root;
    struct str rel;
    if (!path.p || is_template(path))
        return;
    struct strs roots = job_settings_at_save ? job_file_roots(job_settings_at_save, a)
                                             : (struct strs){&(struct str)STR_INIT("/"), 1};
    if (!root_find(&roots, path, &root, &rel, a, &err))
        faults_add(faults, arena_fmt(faults->a, "%.*s/%s", STR_ARG(base), name), "%s", err.text);
}

// What the action cannot do without, and what two fields say against each other.
static void needs_check(const struct file_payload *p, enum file_action action,
                        const struct file_params *params, struct str base, struct faults *faults)
{
    static const uint32_t with_target = 1u << FILE_COPY | 1u << FILE_MOVE | 1u << FILE_SYNC | 1u << FILE_CSV |
                                        1u << FILE_ENCRYPT | 1u << FILE_DECRYPT | 1u << FILE_EXTRACT |
                                        1u << FILE_SPLIT;
#define FAULT(where, ...)                                                                                    \
    faults_add(faults, arena_fmt(faults->a, "%.*s/%s", STR_ARG(base), where), __VA_ARGS__)
    if ((with_target >> action & 1) && p->target_path.n == 0)
        FAULT("targetPath", "is needed for %s: say where the result goes", file_action_name(action));
    if (action == FILE_WRITE && !p->content.p)
        FAULT("content", "is needed for WRITE: say what to write");
    if ((action == FILE_ENCRYPT || action == FILE_DECRYPT) && !params->key.p)
        FAULT("parameters/key", "is needed: 64 hexadecimal digits or a passphrase, best as {{secret.NAME}}");
    if (action == FILE_SPLIT && (params->lines > 0) == (params->size > 0))
        FAULT("parameters", "needs either lines or size, to say how large a part is");
    if (action == FILE_CLEANUP && params->older_than.us == 0)
        FAULT("parameters/olderThan", "is needed for CLEANUP: an age such as 7d or 12h");
    if (action == FILE_VERIFY && !params->baseline.p)
        FAULT("parameters/baseline", "is needed for VERIFY: the file that CHECKSUM wrote");
#undef FAULT
}

static bool any_template(const struct str_map *m)
{
    for (size_t i = 0; i < m->n; i++)
        if (is_template(m->v[i].value))
            return true;
    return false;
}

static void file_check(const void *payload, struct str base, struct faults *faults, struct arena *scratch)
{
    const struct file_payload *p = payload;
    const char *wrong = NULL;
    struct file_params params;
    path_check(p->path, "path", base, faults, scratch);
    path_check(p->target_path, "targetPath", base, faults, scratch);
    int action = file_action_of(p, &wrong);
    if (wrong)
        faults_add(faults, arena_fmt(faults->a, "%.*s/parameters/processingType", STR_ARG(base)), "%s",
                   wrong);
    if (action < 0)
        return;
    file_params_read(p, (enum file_action)action, &params, NULL, base, faults, scratch);
    path_check(params.baseline, "parameters/baseline", base, faults, scratch);
    if (!any_template(&p->parameters)) // which may be what is missing
        needs_check(p, (enum file_action)action, &params, base, faults);
}

// ---- saying ----

void file_output(struct file_job *j, struct str line, struct str context)
{
    attempt_log(j->a, LOG_LINE_INFO, STREAM_STDOUT, line, context);
}

void file_say(struct file_job *j, const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list args;
    if (j->said++ >= SAID_MAX) {
        if (j->said == SAID_MAX + 1)
            attempt_log(j->a, LOG_LINE_INFO, STREAM_SYSTEM, STR("more of these lines are left out"),
                        STR_NONE);
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct str line = str_of(text);
    line.n = str_utf8_cut(line, line.n);
    attempt_log(j->a, LOG_LINE_INFO, STREAM_SYSTEM, line, STR_NONE);
}

static void sum_up(struct file_job *j)
{
    char text[TEXT_MAX], context[TEXT_MAX];
    (void)snprintf(text, sizeof text, "%s%s: %lld files, %lld folders, %lld bytes, %lld left out",
                   file_action_name(j->action), j->params.dry_run ? " (dry run, nothing was changed)" : "",
                   (long long)j->files, (long long)j->folders, (long long)j->bytes, (long long)j->skipped);
    (void)snprintf(context, sizeof context,
                   "{\"files\":%lld,\"folders\":%lld,\"bytes\":%lld,\"skipped\":%lld,"
                   "\"dryRun\":%s}",
                   (long long)j->files, (long long)j->folders, (long long)j->bytes, (long long)j->skipped,
                   j->params.dry_run ? "true" : "false");
    attempt_log(j->a, LOG_LINE_INFO, STREAM_SYSTEM, str_of(text), str_of(context));
}

// ---- running ----

static bool stop_asked(void *ctx) { return attempt_cancel_asked(ctx) >= 0; }

static bool params_ready(struct file_job *j, struct err *err)
{
    struct faults *faults = arena_new(&j->a->arena, struct faults);
    const char *wrong = NULL;
    struct sbuf ignored;
    int action = file_action_of(j->p, &wrong);
    if (!faults)
        return ERR(err, ERR_TOO_LARGE, "no memory for the parameters");
    if (action < 0)
        return ERR(err, ERR_INVALID, "parameter processingType %s", wrong ? wrong : "is missing");
    j->action = (enum file_action)action;
    faults_init(faults, &j->a->arena);
    sbuf_init(&ignored, &j->a->arena, IGNORED_MAX);
    // The values are final now, also those that hold braces: nothing is a template any more.
    file_params_read(j->p, j->action, &j->params, &ignored, STR_NONE, faults, &j->a->arena);
    needs_check(j->p, j->action, &j->params, STR_NONE, faults);
    if (faults_any(faults))
        return ERR(err, ERR_INVALID, "%.*s %.*s", (int)faults->v[0].pointer.n - 1, faults->v[0].pointer.p + 1,
                   STR_ARG(faults->v[0].detail));
    if (ignored.n > 0)
        attempt_log(j->a, LOG_LINE_WARN, STREAM_SYSTEM,
                    arena_fmt(&j->a->arena, "parameters without meaning for %s are ignored: %.*s",
                              file_action_name(j->action), STR_ARG(sbuf_str(&ignored))),
                    STR_NONE);
    return true;
}

static bool act(struct file_job *j, bool *ret_ended, struct err *err)
{
    static bool (*const actions[FILE_ACTIONS])(struct file_job * j, struct err * err) = {
        [FILE_COPY] = file_copy,         [FILE_MOVE] = file_move,       [FILE_DELETE] = file_delete,
        [FILE_COMPRESS] = file_compress, [FILE_READ] = file_read_text,  [FILE_WRITE] = file_write_text,
        [FILE_LIST] = file_list,         [FILE_CSV] = file_csv,         [FILE_SPLIT] = file_split,
        [FILE_ENCRYPT] = file_encrypt,   [FILE_DECRYPT] = file_decrypt, [FILE_CHECKSUM] = file_checksum,
        [FILE_VERIFY] = file_verify,     [FILE_CLEANUP] = file_cleanup, [FILE_SYNC] = file_sync,
        [FILE_EXTRACT] = file_extract,
    };
    return j->action == FILE_WATCH ? file_watch(j, ret_ended, err) : actions[j->action](j, err);
}

static void fail(struct file_job *j, const struct err *err)
{
    const char *name = err->native > 0 ? strerrorname_np(err->native) : NULL;
    if (attempt_ended_by_cancel(j->a))
        return;
    j->a->result.error_code = str_of(j->error_code ? j->error_code : name ? name : err_code_name(err->code));
    attempt_fail(j->a, "FILE_ERROR", "%s", err->text);
}

static void file_body(struct attempt *a)
{
    struct file_job j = {.a = a, .p = a->payload, .stop = {stop_asked, a}};
    struct err err = {0};
    bool ended = false;
    arena_init(&j.scratch, SCRATCH_BUDGET);
    bool ok = params_ready(&j, &err) && job_roots_open(a->env->settings, &j.roots, &a->arena, &err) &&
              act(&j, &ended, &err);
    roots_close(&j.roots);
    arena_release(&j.scratch);
    if (ended)
        return;
    if (!ok) {
        fail(&j, &err);
        return;
    }
    sum_up(&j);
    attempt_succeed(a, FIELD_ABSENT);
}

static void file_start(struct attempt *a) { attempt_block(a, file_body); }

static const char *const examples[] = {
    "{\"operation\":\"COPY\",\"path\":\"in/*.csv\",\"targetPath\":\"archive\",\"overwrite\":true}",
    "{\"operation\":\"WRITE\",\"path\":\"state/{{run.id}}.txt\",\"content\":\"done\","
    "\"createDirectories\":true}",
    NULL};
static const char *const classes[] = {"FILE_ERROR", NULL};

const struct job_type job_type_file_system = {
    .name = "FILE_SYSTEM",
    .doc = "Works with files below the allowed folders.",
    .payload = &file_fields,
    .check = file_check,
    .start = file_start,
    .cancel = attempt_block_cancel,
    .examples = examples,
    .failure_classes = classes,
};
