// SPDX-License-Identifier: Apache-2.0
// Cache of time zones, their reload, and the names. Everything in struct zones is under its lock,
// also the reading of files: a zone is read once per process and 2 kB long.
#include "sched/zones.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/sync.h"

enum {
    PATH_LEN_MAX = 512,
    LIST_FILE_MAX = 1024 * 1024,
    NAMES_MAX = 4096,
    SUGGEST_DISTANCE_MAX = 3,
};

// What tells that a file is another one than before.
struct file_identity {
    dev_t dev;
    ino_t ino;
    off_t size;
    int64_t mtime_s, mtime_ns;
};

struct slot {
    struct zone *zone;
    struct file_identity identity;
    struct ulid content; // hash of the file: a touched file with the same bytes is no change
    bool from_file;
};

struct zones {
    struct mutex lock;
    char dir[PATH_LEN_MAX / 2];
    struct map slots; // key of the name → struct slot
    char version[ZONES_VERSION_MAX];
};

static struct ulid name_key(struct str name) { return map_key(name.p, name.n); }

static bool zone_path(const struct zones *zs, struct str name, char path[static PATH_LEN_MAX])
{
    int n = snprintf(path, PATH_LEN_MAX, "%s/%.*s", zs->dir, STR_ARG(name));
    return n > 0 && n < PATH_LEN_MAX;
}

static bool identity_read(const char *path, struct file_identity *ret)
{
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    *ret = (struct file_identity){st.st_dev, st.st_ino, st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec};
    return true;
}

static bool identity_same(const struct file_identity *a, const struct file_identity *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime_s == b->mtime_s &&
           a->mtime_ns == b->mtime_ns;
}

// "# version 2026f" of tzdata.zi, or the file +VERSION.
static void version_read(struct zones *zs)
{
    struct arena a;
    arena_init(&a, 3 * (size_t)LIST_FILE_MAX);
    struct err ignored;
    struct str text, line = STR_NONE, rest;
    char path[PATH_LEN_MAX];
    struct str marker = STR("# version ");
    if (zone_path(zs, STR("tzdata.zi"), path) && file_read(path, LIST_FILE_MAX, &text, &a, &ignored) &&
        str_starts(text, marker)) {
        line = str_split(text, '\n', &rest);
        line = str_of_n(line.p + marker.n, line.n - marker.n);
    } else if (zone_path(zs, STR("+VERSION"), path) && file_read(path, LIST_FILE_MAX, &text, &a, &ignored)) {
        line = str_trim(str_split(text, '\n', &rest));
    }
    snprintf(zs->version, sizeof zs->version, "%.*s", STR_ARG(line));
    arena_release(&a);
}

struct zones *zones_new(const char *dir)
{
    struct zones *zs = mem_new(struct zones);
    mutex_init(&zs->lock, LOCK_ZONES);
    map_init(&zs->slots);
    snprintf(zs->dir, sizeof zs->dir, "%s", dir ? dir : ZONES_DIR_DEFAULT);
    version_read(zs);
    return zs;
}

void zones_free(struct zones *zs)
{
    if (!zs)
        return;
    void *value;
    for (size_t i = 0; (i = map_next(&zs->slots, i, &value));) {
        struct slot *slot = (struct slot *)value;
        zone_unref(slot->zone);
        mem_free(slot);
    }
    map_release(&zs->slots);
    mutex_release(&zs->lock);
    mem_free(zs);
}

// Reads the file of a zone. Returns false with err when it is absent or damaged.
static bool slot_read(const struct zones *zs, struct str name, struct slot *ret, struct err *err)
{
    char path[PATH_LEN_MAX];
    struct slot s = {.from_file = true};
    if (!zone_path(zs, name, path) || !identity_read(path, &s.identity))
        return ERR(err, ERR_NOT_FOUND, "time zone \"%.*s\" has no file", STR_ARG(name));
    struct arena a;
    arena_init(&a, 3 * (size_t)ZONE_FILE_MAX); // file_read doubles its buffer
    struct str bytes;
    bool ok = file_read(path, ZONE_FILE_MAX, &bytes, &a, err) && zone_parse(bytes, name, &s.zone, err);
    if (ok)
        s.content = map_key(bytes.p, bytes.n);
    arena_release(&a);
    if (ok)
        *ret = s;
    return ok;
}

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '+' || c == '-' || c == '/';
}

// Names that are files of the folder but no zones of the IANA list: they mean another thing on each machine.
static bool name_local(struct str name)
{
    return str_is(name, "localtime") || str_is(name, "posixrules") || str_starts(name, STR("right/"));
}

// Dots are not allowed at all, so no name can leave the folder.
static bool name_shaped(struct str name)
{
    if (name.n == 0 || name.n > ZONE_NAME_MAX || name.p[0] == '/' || name.p[name.n - 1] == '/')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        if (!name_char(name.p[i]))
            return false;
        if (name.p[i] == '/' && name.p[i + 1] == '/')
            return false;
    }
    return !name_local(name);
}

// "UTC+1", "GMT-03:00", "+02:00": what people write when they mean an offset.
static bool name_offset(struct str name)
{
    static const char *const prefixes[] = {"UTC", "GMT", "Z", ""};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        size_t n = strlen(prefixes[i]);
        if (name.n > n && str_eq_nocase(str_of_n(name.p, n), str_of(prefixes[i])) &&
            (name.p[n] == '+' || name.p[n] == '-'))
            return true;
    }
    return str_eq_nocase(name, STR("Z"));
}

struct strs zones_names(struct zones *zs, struct arena *a)
{
    struct strs names = {arena_new_array(a, struct str, NAMES_MAX), 0};
    char path[PATH_LEN_MAX];
    struct str text, rest, target;
    struct err ignored;
    if (!names.v || !zone_path(zs, STR("tzdata.zi"), path) ||
        !file_read(path, LIST_FILE_MAX, &text, a, &ignored))
        return (struct strs){NULL, 0};
    for (struct str line = str_split(text, '\n', &rest); line.p && names.n < NAMES_MAX;
         line = rest.p ? str_split(rest, '\n', &rest) : STR_NONE) {
        struct str kind = str_split(line, ' ', &target), more, name = STR_NONE;
        if (str_is(kind, "Z"))
            name = str_split(target, ' ', &more); // Z name offset …
        if (str_is(kind, "L"))
            str_split(target, ' ', &name); // L target name
        if (name.p && name.n > 0)
            names.v[names.n++] = name;
    }
    return names;
}

// The nearest name: same letters in another case, same last part ("Berlin"), else few changes.
static struct str name_nearest(struct strs names, struct str name)
{
    struct str best = STR_NONE;
    size_t best_distance = SUGGEST_DISTANCE_MAX + 1;
    for (size_t i = 0; i < names.n; i++) {
        struct str known = names.v[i];
        size_t slash = known.n;
        while (slash > 0 && known.p[slash - 1] != '/')
            slash--;
        struct str city = str_of_n(known.p + slash, known.n - slash);
        if (str_eq_nocase(known, name))
            return known;
        size_t d = slash > 0 && str_eq_nocase(city, name) ? 0 : SUGGEST_DISTANCE_MAX + 1;
        if (d > 0 && known.n < name.n + best_distance && name.n < known.n + best_distance)
            d = str_distance(known, name);
        if (d < best_distance) {
            best_distance = d;
            best = known;
        }
    }
    return best;
}

static bool refuse(struct zones *zs, struct str name, struct err *err)
{
    struct str shown = str_of_n(name.p, str_utf8_cut(name, ZONE_NAME_MAX));
    if (name_offset(name))
        return ERR(err, ERR_INVALID,
                   "time zone \"%.*s\" is a fixed offset, which ignores summer time; "
                   "use an IANA name such as \"Europe/Berlin\", or \"UTC\"",
                   STR_ARG(shown));
    struct arena a;
    arena_init(&a, 4 * (size_t)LIST_FILE_MAX);
    struct str near = name.n <= ZONE_NAME_MAX ? name_nearest(zones_names(zs, &a), name) : STR_NONE;
    if (near.p)
        ERR(err, ERR_INVALID, "time zone \"%.*s\" does not exist; did you mean \"%.*s\"?", STR_ARG(shown),
            STR_ARG(near));
    else
        ERR(err, ERR_INVALID,
            "time zone \"%.*s\" does not exist; use an IANA name such as \"Europe/Berlin\", or \"UTC\"",
            STR_ARG(shown));
    arena_release(&a);
    return false;
}

static bool slot_load(struct zones *zs, struct str name, struct slot *ret, struct err *err)
{
    if (!name_shaped(name))
        return refuse(zs, name, err);
    struct err why;
    if (slot_read(zs, name, ret, &why))
        return true;
    if (str_is(name, "UTC")) {
        *ret = (struct slot){.zone = zone_utc()};
        return true;
    }
    if (why.code == ERR_NOT_FOUND)
        return refuse(zs, name, err);
    *err = why;
    return false;
}

static bool get_locked(struct zones *zs, struct str name, struct zone **ret, struct err *err)
{
    struct ulid key = name_key(name);
    struct slot *slot = (struct slot *)map_get(&zs->slots, key);
    if (!slot) {
        struct slot loaded;
        if (!slot_load(zs, name, &loaded, err))
            return false;
        slot = mem_new(struct slot);
        *slot = loaded;
        map_put(&zs->slots, key, slot);
    }
    *ret = zone_ref(slot->zone);
    return true;
}

bool zones_get(struct zones *zs, struct str name, struct zone **ret, struct err *err)
{
    mutex_lock(&zs->lock);
    bool ok = get_locked(zs, name.n == 0 ? STR("UTC") : name, ret, err);
    mutex_unlock(&zs->lock);
    return ok;
}

static void slot_check(const struct zones *zs, struct slot *slot, struct zones_report *report)
{
    struct str name = str_of(zone_name(slot->zone));
    char path[PATH_LEN_MAX];
    struct file_identity now;
    report->checked++;
    bool present = zone_path(zs, name, path) && identity_read(path, &now);
    if (!present && !slot->from_file)
        return; // "UTC" made without a file
    if (present && slot->from_file && identity_same(&now, &slot->identity))
        return;
    struct slot fresh;
    struct err ignored;
    if (!present || !slot_read(zs, name, &fresh, &ignored)) {
        report->failed++;
        return;
    }
    if (slot->from_file && ulid_eq(fresh.content, slot->content)) {
        slot->identity = fresh.identity;
        zone_unref(fresh.zone);
        return;
    }
    zone_supersede(slot->zone);
    zone_unref(slot->zone);
    *slot = fresh;
    report->changed++;
}

struct zones_report zones_reload(struct zones *zs)
{
    struct zones_report report = {0};
    void *value;
    mutex_lock(&zs->lock);
    for (size_t i = 0; (i = map_next(&zs->slots, i, &value));)
        slot_check(zs, (struct slot *)value, &report);
    version_read(zs);
    mutex_unlock(&zs->lock);
    return report;
}

const char *zones_version(struct zones *zs, char buf[static ZONES_VERSION_MAX])
{
    mutex_lock(&zs->lock);
    memcpy(buf, zs->version, ZONES_VERSION_MAX);
    mutex_unlock(&zs->lock);
    return buf;
}
