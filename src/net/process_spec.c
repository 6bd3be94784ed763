// SPDX-License-Identifier: Apache-2.0
// Packs what the spawner shall run into a memory file: bounded, checked, and of any size without a long
// message.
#include <sys/mman.h>
#include <unistd.h>

#include "base/sbuf.h"
#include "base/sync.h"
#include "net/sandbox.h"
#include "net/spawner.h"

static bool spec_check(const struct process_spec *s, struct err *err)
{
    if (s->argv.n == 0 || s->argv.n > PROCESS_ARGS_MAX || s->env.n > PROCESS_ARGS_MAX)
        return ERR(err, ERR_INVALID, "a program takes 1 to %d arguments and at most %d variables",
                   PROCESS_ARGS_MAX, PROCESS_ARGS_MAX);
    if (s->script.p && (s->script_at == 0 || s->script_at > s->argv.n))
        return ERR(err, ERR_INTERNAL, "the script has no place among the arguments");
    for (size_t i = 0; i < s->argv.n + s->env.n; i++) {
        struct str text = i < s->argv.n ? s->argv.v[i] : s->env.v[i - s->argv.n];
        if (str_find(text, '\0') < text.n)
            return ERR(err, ERR_INVALID, "an argument or variable holds a NUL byte");
    }
    const struct strs *const paths[] = {&s->roots, &s->read_paths, &s->write_paths};
    for (size_t k = 0; k < sizeof paths / sizeof paths[0]; k++) {
        if (paths[k]->n >= SANDBOX_PATHS_MAX)
            return ERR(err, ERR_INVALID, "a sandbox takes less than %d paths of a kind", SANDBOX_PATHS_MAX);
        for (size_t i = 0; i < paths[k]->n; i++)
            if (paths[k]->v[i].n == 0 || str_find(paths[k]->v[i], '\0') < paths[k]->v[i].n)
                return ERR(err, ERR_INVALID, "a path of the sandbox is empty or holds a NUL byte");
    }
    if (str_find(s->cwd, '\0') < s->cwd.n)
        return ERR(err, ERR_INVALID, "the working directory holds a NUL byte");
    return true;
}

static void strings_put(struct sbuf *b, struct strs v)
{
    for (size_t i = 0; i < v.n; i++) {
        sbuf_put(b, v.v[i]);
        sbuf_putc(b, '\0');
    }
}

bool spawn_spec_pack(const struct process_spec *s, int *ret_fd, struct err *err)
{
    if (!spec_check(s, err))
        return false;

    struct spawn_spec head = {
        .argc = (uint32_t)s->argv.n, .envc = (uint32_t)s->env.n, .has_script = s->script.p != NULL,
        .script_at = (uint32_t)s->script_at, .script_bytes = s->script.n, .limits = s->limits,
        .sandbox = s->sandbox, .roots = (uint32_t)s->roots.n, .reads = (uint32_t)s->read_paths.n,
        .writes = (uint32_t)s->write_paths.n,
    };
    struct sbuf b;
    sbuf_init(&b, NULL, PROCESS_SPEC_MAX);
    sbuf_put(&b, (struct str){(const char *)&head, sizeof head});
    strings_put(&b, s->argv);
    strings_put(&b, s->env);
    sbuf_put(&b, s->cwd);
    sbuf_putc(&b, '\0');
    strings_put(&b, s->roots);
    strings_put(&b, s->read_paths);
    strings_put(&b, s->write_paths);
    head.strings_bytes = b.n - sizeof head;
    sbuf_put(&b, s->script);
    bool ok = sbuf_ok(&b);
    if (!ok)
        (void)ERR(err, ERR_TOO_LARGE, "arguments, variables and script have more than %d bytes",
                  PROCESS_SPEC_MAX);
    else
        memcpy(b.p, &head, sizeof head);
    int fd = ok ? memfd_create("chronos-spec", MFD_CLOEXEC) : -1;
    if (ok && (fd < 0 || write(fd, b.p, b.n) != (ssize_t)b.n)) {
        ok = ERR_ERRNO(err, "cannot write the request for the spawner");
        cleanup_fd(&fd);
    }
    if (b.p)
        explicit_bzero(b.p, b.n); // variables may hold secrets
    sbuf_release(&b);
    if (ok)
        *ret_fd = fd;
    return ok;
}
