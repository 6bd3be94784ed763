// SPDX-License-Identifier: Apache-2.0
// The sources in rising order, and the rules between settings. The table is config_table.c.
//
// Each source is first gathered into one raw text per row, with its origin; only the text that wins is
// parsed, so that a wrong value which a stronger source overrides does no harm.
#include "config.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/yaml.h"
#include "config_value.h"
#include "db/url.h"
#include "store/sql/store_sql.h"

enum {
    NODE_NAME_MAX = 64,
    FILE_BYTES_MAX = 1 << 20,
    VALUE_FILE_BYTES_MAX = 64 << 10,
    PORT_MAX = 65535,
    SUGGESTION_DISTANCE_MIN = 2,
    HEARTBEATS_PER_LEASE = 3,
    SUGGESTION_SHARE = 3, // of the length may differ: one in three
};
static const char system_data_dir[] = "/var/lib/chronos";

// Variables that start with CHRONOS_ and are no settings of the server: the client's, and what a SCRIPT
// job finds in its environment.
static const char *const other_variables[] = {
    "CHRONOS_CONFIG", "CHRONOS_URL", "CHRONOS_TOKEN", "CHRONOS_TOKEN_FILE", "CHRONOS_OUTPUT",
    "CHRONOS_CONTEXT", "CHRONOS_NO_COLOR", "CHRONOS_DEBUG", "CHRONOS_RUN_KEY", "CHRONOS_RUN_ID",
    "CHRONOS_JOB_ID", "CHRONOS_JOB_NAME", "CHRONOS_ATTEMPT", "CHRONOS_SCHEDULED_TIME"};

// What one source said about one row.
struct raw {
    struct str text;
    struct config_origin origin;
    bool given, from_file; // from_file: text came out of the file that a …_FILE names
};

struct load {
    const struct config_inputs *in;
    struct raw best[CONFIG_SETTINGS]; // strongest so far
    struct raw layer[CONFIG_SETTINGS]; // of the source being read
    const char *file;       // path of the configuration file, or NULL
    struct str file_text;
    struct faults *faults, *warnings;
    struct arena *a;
};

// "; did you mean "x"?" when a name is near enough, else "".
static struct str suggest(struct str got, bool env, struct arena *a)
{
    size_t best = SIZE_MAX;
    struct str nearest = STR_NONE;
    for (int i = 0; i < CONFIG_SETTINGS; i++) {
        const struct setting *s = &config_settings[i];
        struct str name = env ? config_env_name(s, a) : str_of(s->name);
        size_t d = str_distance(got, name);
        if (d < best) {
            best = d;
            nearest = name;
        }
    }
    for (size_t i = 0; env && i < sizeof other_variables / sizeof other_variables[0]; i++) {
        size_t d = str_distance(got, str_of(other_variables[i]));
        if (d < best) {
            best = d;
            nearest = str_of(other_variables[i]);
        }
    }
    size_t near = got.n / SUGGESTION_SHARE;
    if (best > (near > SUGGESTION_DISTANCE_MIN ? near : SUGGESTION_DISTANCE_MIN))
        return STR("");
    return arena_fmt(a, "; did you mean \"%.*s\"?", STR_ARG(nearest));
}

// Reads the value of a row from a file. Records a fault and leaves the row alone when it cannot.
static void take_from_file(struct load *l, int row, struct str path, struct config_origin origin)
{
    struct err err;
    struct str text;
    const char *p = arena_cstr(l->a, path);
    if (!p || !file_read(p, VALUE_FILE_BYTES_MAX, &text, l->a, &err)) {
        faults_add(l->faults, origin.detail, "%s: give the path of a readable file with the value of \"%s\"",
                   p ? err.text : "the path does not fit into memory", config_settings[row].name);
        return;
    }
    while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
        text.n--;
    l->layer[row] = (struct raw){.text = text, .origin = origin, .given = true, .from_file = true};
}

// One value of one source; the same row given directly and by file is a contradiction.
static void take(struct load *l, int row, bool by_file, struct str text, struct config_origin origin)
{
    struct raw *r = &l->layer[row];
    if (r->given && r->from_file != by_file) {
        faults_add(l->faults, origin.detail,
                   "the value of \"%s\" is given directly and as a file: remove one",
                   config_settings[row].name);
        return;
    }
    if (by_file)
        take_from_file(l, row, text, origin);
    else
        *r = (struct raw){.text = text, .origin = origin, .given = true};
}

// The layer overrides what weaker sources said.
static void layer_end(struct load *l)
{
    for (int i = 0; i < CONFIG_SETTINGS; i++) {
        if (l->layer[i].given)
            l->best[i] = l->layer[i];
        l->layer[i] = (struct raw){0};
    }
}

// Row of a name in the file or in --set; "admin.passwordFile" gives the secret's row and *ret_by_file.
static int row_of(struct str name, bool *ret_by_file)
{
    int row = config_find(name);
    *ret_by_file = false;
    if (row < 0 && str_ends(name, STR("File"))) {
        row = config_find((struct str){name.p, name.n - strlen("File")});
        *ret_by_file = row >= 0 && (config_settings[row].flags & CONFIG_SECRET);
        row = *ret_by_file ? row : -1;
    }
    return row;
}

// Line of a nested key: each part of the path is looked for below the line of the part before.
static int line_of(struct str text, struct str path)
{
    int line = 0, found = 0;
    struct str rest = text, part = str_split(path, '.', &path);
    while (rest.p && part.p) {
        struct str key = str_trim(str_split(rest, '\n', &rest));
        line++;
        if (key.n > 0 && (key.p[0] == '"' || key.p[0] == '\''))
            key = (struct str){key.p + 1, key.n - 1};
        bool whole = path.p && str_starts(key, (struct str){part.p, part.n + 1 + path.n});
        if (!str_starts(key, part) && !whole)
            continue;
        char after = key.n > part.n ? key.p[part.n] : '\0';
        if (!whole && after != ':' && after != '"' && after != '\'')
            continue;
        found = line;
        part = whole ? STR_NONE : str_split(path, '.', &path);
    }
    return part.p ? 0 : found;
}

// A YAML scalar, or a sequence of them, as the text that the environment would hold.
static bool value_text(const json_t *v, struct str *ret, struct arena *a)
{
    if (json_is_string(v))
        *ret = json_str(v);
    else if (json_is_integer(v))
        *ret = arena_fmt(a, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        *ret = arena_fmt(a, "%g", json_real_value(v));
    else if (json_is_boolean(v))
        *ret = json_is_true(v) ? STR("true") : STR("false");
    else
        return false;
    return true;
}

static bool list_text(const json_t *v, struct str *ret, struct arena *a)
{
    struct sbuf out;
    sbuf_init(&out, a, FILE_BYTES_MAX);
    sbuf_puts(&out, "");
    for (size_t i = 0; i < json_array_size(v); i++) {
        struct str item;
        if (!value_text(json_array_get(v, i), &item, a))
            return false;
        sbuf_puts(&out, i ? "," : "");
        sbuf_put(&out, item);
    }
    *ret = sbuf_str(&out);
    return sbuf_ok(&out);
}

static struct str path_join(struct str prefix, struct str key, struct arena *a)
{
    return prefix.n == 0 ? arena_str(a, key) : arena_fmt(a, "%.*s.%.*s", STR_ARG(prefix), STR_ARG(key));
}

// "http" is the beginning of a setting's name: a section with nothing in it.
static bool section_known(struct str path, struct arena *a)
{
    struct str prefix = arena_fmt(a, "%.*s.", STR_ARG(path));
    for (int i = 0; i < CONFIG_SETTINGS; i++) {
        if (str_starts(str_of(config_settings[i].name), prefix))
            return true;
    }
    return false;
}

static void take_leaf(struct load *l, struct str path, const json_t *v)
{
    bool by_file;
    int row = row_of(path, &by_file), line = line_of(l->file_text, path);
    struct str where = line > 0 ? arena_fmt(l->a, " (line %d)", line) : STR("");
    struct str text = STR_NONE;
    if (row < 0 && (json_is_null(v) || json_is_object(v)) && section_known(path, l->a))
        return;
    if (row < 0) {
        faults_add(l->faults, path, "unknown setting%.*s%.*s", STR_ARG(where),
                   STR_ARG(suggest(path, false, l->a)));
        return;
    }
    if (json_is_null(v)) // "deny:" with nothing behind it leaves the default
        return;
    bool list = config_settings[row].kind == CONFIG_LIST && json_is_array(v);
    if (!(list ? list_text(v, &text, l->a) : value_text(v, &text, l->a))) {
        faults_add(l->faults, path, "a %s is expected here%.*s",
                   config_settings[row].kind == CONFIG_LIST ? "list of texts" : "single value",
                   STR_ARG(where));
        return;
    }
    take(l, row, by_file, arena_str(l->a, text),
         (struct config_origin){CONFIG_FILE, by_file ? path : str_of(l->file), line});
}

// Nested mappings become dotted names. Depth is bounded by the parser.
static void take_mapping(struct load *l, struct str prefix, json_t *mapping)
{
    const char *key;
    json_t *v;
    json_object_foreach(mapping, key, v) {
        struct str path = path_join(prefix, str_of(key), l->a);
        bool by_file;
        if (json_is_object(v) && row_of(path, &by_file) < 0 && json_object_size(v) > 0)
            take_mapping(l, path, v);
        else
            take_leaf(l, path, v);
    }
}

static const char *env_get(const struct config_inputs *in, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; in->env && in->env[i]; i++) {
        if (strncmp(in->env[i], name, n) == 0 && in->env[i][n] == '=')
            return in->env[i] + n + 1;
    }
    return NULL;
}

static void load_file(struct load *l)
{
    const char *named = env_get(l->in, "CHRONOS_CONFIG");
    l->file = l->in->file ? l->in->file : named && named[0] ? named : NULL;
    if (!l->file)
        return;
    struct err err;
    CLEANUP_JSON json_t *docs = NULL;
    if (!file_read(l->file, FILE_BYTES_MAX, &l->file_text, l->a, &err) ||
        !yaml_parse_all(l->file_text, &docs, &err)) {
        faults_add(l->faults, str_of(l->file), "%s", err.text);
        return;
    }
    json_t *doc = json_array_get(docs, 0); // NULL: a file of comments only
    if (json_is_object(doc) && json_array_size(docs) == 1)
        take_mapping(l, STR(""), doc);
    else if (doc && !json_is_null(doc))
        faults_add(l->faults, str_of(l->file), "the file must be a mapping of settings, such as \"http: "
                   "{listen: 127.0.0.1:8080}\"");
    layer_end(l);
}

// Row of an environment variable, -1 when it is none of a setting.
static int env_row(struct load *l, struct str name, bool *ret_by_file)
{
    for (int i = 0; i < CONFIG_SETTINGS; i++) {
        struct str own = config_env_name(&config_settings[i], l->a);
        *ret_by_file = !str_eq(name, own);
        if (!*ret_by_file || (name.n > own.n && str_starts(name, own) &&
                              str_is((struct str){name.p + own.n, name.n - own.n}, "_FILE")))
            return i;
    }
    return -1;
}

static bool env_other(struct str name)
{
    for (size_t i = 0; i < sizeof other_variables / sizeof other_variables[0]; i++) {
        if (str_is(name, other_variables[i]))
            return true;
    }
    return false;
}

static void load_env(struct load *l)
{
    for (size_t i = 0; l->in->env && l->in->env[i]; i++) {
        struct str value = STR_NONE;
        struct str name = str_split(str_of(l->in->env[i]), '=', &value);
        bool by_file;
        if (!str_starts(name, STR("CHRONOS_")) || value.n == 0 || env_other(name))
            continue;
        int row = env_row(l, name, &by_file);
        if (row < 0)
            faults_add(l->warnings, name, "unknown variable, ignored%.*s",
                       STR_ARG(suggest(name, true, l->a)));
        else
            take(l, row, by_file, value,
                 (struct config_origin){by_file ? CONFIG_ENV_FILE : CONFIG_ENV, name, 0});
    }
    layer_end(l);
}

static void load_sets(struct load *l)
{
    for (size_t i = 0; i < l->in->sets_n; i++) {
        struct str value = STR_NONE;
        struct str name = str_split(l->in->sets[i], '=', &value);
        bool by_file;
        int row = row_of(name, &by_file);
        if (!value.p)
            faults_add(l->faults, name, "--set takes name=value");
        else if (row < 0)
            faults_add(l->faults, name, "unknown setting%.*s", STR_ARG(suggest(name, false, l->a)));
        else if (!by_file && (config_settings[row].flags & CONFIG_SECRET)) // `ps` shows command lines
            faults_add(l->faults, name, "a secret is never given as a flag: use --set %.*sFile=PATH",
                       STR_ARG(name));
        else
            take(l, row, by_file, value, (struct config_origin){CONFIG_FLAG, name, 0});
    }
    layer_end(l);
}

// Parses the winning text of each row, else its default.
static void resolve(struct load *l, struct config *c)
{
    for (int i = 0; i < CONFIG_SETTINGS; i++) {
        const struct setting *s = &config_settings[i];
        const struct raw *r = &l->best[i];
        struct err err;
        if (s->def)
            must(config_value_set(c, s, str_of(s->def), l->a, &err));
        c->origin[i] = r->given ? r->origin : (struct config_origin){CONFIG_DEFAULT, STR_NONE, 0};
        if (r->given && !config_value_set(c, s, r->text, l->a, &err))
            faults_add(l->faults, str_of(s->name), "%s (from %.*s)", err.text,
                       STR_ARG(config_origin_text(&c->origin[i], l->a)));
    }
    if (c->admin_email.n == 0)
        c->admin_email = STR_NONE;
    if (c->admin_password.n == 0)
        c->admin_password = STR_NONE;
}

// Defaults that differ between profiles, where nothing else was said.
static void resolve_profile(const struct load *l, struct config *c)
{
    struct err err;
    for (size_t i = 0; i < profile_defaults_n; i++) {
        int row = config_find(str_of(profile_defaults[i].setting));
        must(row >= 0);
        if (!l->best[row].given)
            must(config_value_set(c, &config_settings[row], str_of(profile_defaults[i].value[c->profile]), l->a, &err));
    }
}

static bool given(const struct load *l, const char *name) { return l->best[config_find(str_of(name))].given; }

static struct str host_name(struct arena *a)
{
    char buf[NODE_NAME_MAX + 1];
    if (gethostname(buf, sizeof buf) != 0)
        return STR("chronos");
    buf[NODE_NAME_MAX] = '\0';
    return buf[0] ? arena_str(a, str_of(buf)) : STR("chronos");
}

// Defaults that depend on the machine or on other settings.
static void complete(const struct load *l, struct config *c)
{
    struct stat st;
    bool system_dir = stat(system_data_dir, &st) == 0 && S_ISDIR(st.st_mode) &&
        access(system_data_dir, W_OK) == 0;
    if (!c->data_dir.p)
        c->data_dir = system_dir ? str_of(system_data_dir) : STR("./chronos-data");
    if (!c->node_name.p)
        c->node_name = host_name(l->a);
    if (!c->node_address.p)
        c->node_address =
            arena_fmt(l->a, "http%s://%.*s", c->edge.tls_certificate.n > 0 ? "s" : "", STR_ARG(c->http_listen));
    if (!c->db_url.p)
        c->db_url = arena_fmt(l->a, "sqlite:%.*s/chronos.db", STR_ARG(c->data_dir));
}

bool config_listen_parse(struct str s, struct str *ret_host, int64_t *ret_port, struct err *err)
{
    size_t colon = s.n;
    for (size_t i = 0; i < s.n; i++)
        colon = s.p[i] == ':' ? i : colon;
    struct str host = {s.p, colon < s.n ? colon : 0};
    int64_t port = -1;
    bool bracketed = host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
    if (colon == s.n || !str_to_i64((struct str){s.p + colon + 1, s.n - colon - 1}, &port) || port < 0 ||
        port > PORT_MAX)
        return ERR(err, ERR_CONFIG, "\"%.*s\" is not an address with a port 0 to %d: give for example "
                   "127.0.0.1:8080", STR_ARG(s), PORT_MAX);
    if (!bracketed && str_find(host, ':') < host.n)
        return ERR(err, ERR_CONFIG, "\"%.*s\": put an IPv6 address in brackets, as [::1]:8080", STR_ARG(s));
    *ret_host = bracketed ? (struct str){host.p + 1, host.n - 2} : host;
    *ret_port = port;
    return true;
}

// Whose password would stand in the list of processes.
static bool flag_shows_password(const struct config *c, const struct db_url *u)
{
    return u->password.p && c->origin[config_find(STR("db.url"))].source == CONFIG_FLAG;
}

static void check_db(const struct load *l, struct config *c)
{
    struct str rest = STR_NONE;
    struct str scheme = str_split(c->db_url, ':', &rest);
    struct db_url u;
    struct err err;
    c->db_shown = c->db_url;
    if (rest.p && str_is(scheme, "sqlite")) {
        if (rest.n == 0)
            faults_add(l->faults, STR("db.url"), "the path is missing: give sqlite:PATH");
        c->db_path = str_starts(rest, STR("//")) ? (struct str){rest.p + 2, rest.n - 2} : rest;
        c->db_shown = c->db_path;
    } else if (!store_server_scheme(db_url_scheme(c->db_url, l->a))) {
        faults_add(l->faults, STR("db.url"),
                   "unknown kind of store: give sqlite:PATH, postgresql://…, mysql://… or mariadb://…");
    } else if (!db_url_parse(c->db_url, &u, l->a, &err)) {
        faults_add(l->faults, STR("db.url"), "%s", err.text);
    } else if (flag_shows_password(c, &u)) {
        faults_add(l->faults, STR("db.url"), "a password is never given as a flag: use the environment, or name a file "
                   "in CHRONOS_DB_URL_FILE");
    } else {
        c->db_shown = db_url_shown(&u, l->a);
    }
}

// Rules of one setting beyond its kind, and between settings.
static void check(const struct load *l, struct config *c)
{
    struct err err;
    if (!config_listen_parse(c->http_listen, &c->http_host, &c->http_port, &err))
        faults_add(l->faults, STR("http.listen"), "%s", err.text);
    config_edge_check(&c->edge, c->http_host, given(l, "http.plain"), l->faults, l->warnings, l->a);
    check_db(l, c);
    config_kafka_check(&c->kafka, l->faults, l->a);
    config_oidc_check(&c->oidc, l->faults);
    for (size_t i = 0; i < c->node_name.n; i++) {
        if (strchr(" \"/:", c->node_name.p[i])) { // it is part of a path: …/{name}:drain
            faults_add(l->faults, STR("node.name"), "it may not hold blanks, quotes, slashes or colons");
            break;
        }
    }
    if (c->admin_email.p && str_find(c->admin_email, '@') == c->admin_email.n)
        faults_add(l->faults, STR("admin.email"), "\"%.*s\" is not an e-mail address",
                   STR_ARG(c->admin_email));
    if (c->admin_password.p && !c->admin_email.p)
        faults_add(l->faults, STR("admin.email"), "it is missing, but admin.password is given: give both");
    if (c->admin_email.p && !c->admin_password.p)
        faults_add(l->faults, STR("admin.password"),
                   "it is missing, but admin.email is given: name a file in CHRONOS_ADMIN_PASSWORD_FILE");
    if (c->cluster_heartbeat_s * HEARTBEATS_PER_LEASE > c->cluster_lease_s)
        faults_add(l->faults, STR("cluster.heartbeatSeconds"),
                   "it must not be longer than a third of cluster.leaseSeconds");
    bool server = c->db_url.p && !str_starts(c->db_url, STR("sqlite:"));
    if (server && !c->auth_key.p && c->keys_required)
        faults_add(l->faults, STR("auth.key"),
                   "it is missing, and the nodes of a database server must share it: put one secret (openssl rand "
                   "-base64 32) into a file on every node and name it in CHRONOS_AUTH_KEY_FILE");
    if (c->auth_refresh_token_s < c->auth_access_token_s)
        faults_add(l->faults, STR("auth.refreshTokenSeconds"),
                   "it must not be shorter than auth.accessTokenSeconds");
}

bool config_load(const struct config_inputs *in, struct config *ret, struct faults *faults,
                 struct faults *warnings, struct arena *a)
{
    struct load l = {.in = in, .faults = faults, .warnings = warnings, .a = a};
    size_t before = faults->n;
    *ret = (struct config){0};
    load_file(&l);
    load_env(&l);
    load_sets(&l);
    resolve(&l, ret);
    resolve_profile(&l, ret);
    complete(&l, ret);
    check(&l, ret);
    return faults->n == before;
}
