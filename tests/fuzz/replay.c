// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target over its seeds as a plain test: each file once, then each with single bytes changed,
// cut and doubled, so that the everyday suite walks the error paths too. Prints TAP.
#include <dirent.h>

#include "base/file.h"
#include "base/rng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SEED_MAX = 1 << 20, VARIANTS = 400, GROWTH = 2 };

static void variant(struct rng *rng, struct str seed, uint8_t *out, size_t *ret_n)
{
    memcpy(out, seed.p, seed.n);
    size_t n = seed.n;
    for (uint64_t changes = 1 + rng_below(rng, 4); changes > 0 && n > 0; changes--) {
        size_t at = rng_below(rng, n);
        switch (rng_below(rng, 4)) {
        case 0:
            out[at] = (uint8_t)rng_u64(rng);
            break;
        case 1:
            out[at] ^= (uint8_t)(1u << rng_below(rng, 8));
            break;
        case 2:
            n = at;
            break;
        default:
            if (n + at <= GROWTH * seed.n) {
                memmove(out + n, out, at);
                n += at;
            }
        }
    }
    *ret_n = n;
}

static bool replay(const char *path, struct rng *rng)
{
    struct arena a;
    arena_init(&a, (GROWTH + 2) * SEED_MAX);
    struct str seed;
    struct err err = {0};
    bool ok = file_read(path, SEED_MAX, &seed, &a, &err);
    if (ok) {
        LLVMFuzzerTestOneInput((const uint8_t *)seed.p, seed.n);
        uint8_t *out = arena_alloc(&a, GROWTH * seed.n + 1);
        must(out != NULL);
        for (int i = 0; i < VARIANTS; i++) {
            size_t n;
            variant(rng, seed, out, &n);
            LLVMFuzzerTestOneInput(out, n);
        }
    }
    arena_release(&a);
    return ok;
}

int main(int argc, char **argv)
{
    must(argc == 2);
    DIR *folder = opendir(argv[1]);
    int count = 0, bad = 0;
    struct rng rng;
    rng_init(&rng, 1);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        if (entry->d_name[0] == '.')
            continue;
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        bool ok = replay(path, &rng);
        bad += !ok;
        printf("%s %d - seed %s and its variants\n", ok ? "ok" : "not ok", ++count, entry->d_name);
    }
    if (folder)
        closedir(folder);
    printf("1..%d\n", count);
    return bad || count == 0;
}
