// SPDX-License-Identifier: Apache-2.0
// Fuzzes the settings: the input as the configuration file (YAML), and its lines as --set. A load that finds
// no fault gives settings that can be shown; one that does says what and where.
#include <sys/mman.h>
#include <unistd.h>

#include "config.h"

enum { BUDGET = 32 << 20, SETS_MAX = 32, PATH_CHARS = 64, INPUT_MAX = 64 << 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void load(const struct config_inputs *in)
{
    struct arena a;
    struct faults faults, warnings;
    struct config c;
    arena_init(&a, BUDGET);
    faults_init(&faults, &a);
    faults_init(&warnings, &a);
    bool ok = config_load(in, &c, &faults, &warnings, &a);
    must(ok == (faults.n == 0));
    for (size_t i = 0; i < faults.n; i++)
        must(faults.v[i].detail.n > 0);
    for (int i = 0; i < CONFIG_SETTINGS; i++) {
        (void)config_value_text(&c, &config_settings[i], &a);
        (void)config_origin_text(&c.origin[i], &a);
    }
    arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    char path[PATH_CHARS];
    const char *const none[] = {NULL};
    if (size > INPUT_MAX)
        return 0;
    if (fd < 0)
        fd = memfd_create("config", MFD_CLOEXEC);
    must(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    load(&(struct config_inputs){.file = path, .env = none});
    struct str sets[SETS_MAX], rest = str_of_n((const char *)data, size);
    size_t n = 0;
    while (rest.p && n < SETS_MAX) {
        struct str line = str_split(rest, '\n', &rest);
        // Names of files would have the fuzzer read whatever there is.
        if (!str_contains(line, STR("File")))
            sets[n++] = line;
    }
    load(&(struct config_inputs){.env = none, .sets = sets, .sets_n = n});
    return 0;
}
