// SPDX-License-Identifier: Apache-2.0
// SQLSTATE to err_code, and every error its sentence with the remedy. What the server says itself is shown
// only where the statement is wrong (our own mistake): it may quote values.
#include "db/postgres/pg.h"

enum { STATE_LEN = 5, REASON_MAX = 80 };

static const struct state {
    const char *prefix; // of the SQLSTATE; the first that fits counts
    enum err_code code;
    bool again;
    const char *text;
} states[] = {
    {"40", ERR_BUSY, true, "another change of the same data was in the way: try again"},
    {"55P03", ERR_BUSY, true, "the data is being changed by somebody else: try again"},
    {"57014", ERR_UNAVAILABLE, false, "the database took too long: try again"},
    {"57", ERR_UNAVAILABLE, false, "the database server is starting or stopping: try again"},
    {"08", ERR_UNAVAILABLE, false, "the connection to the database server was lost: try again"},
    {"25P03", ERR_UNAVAILABLE, false,
     "the database server ended the connection because this server was away too long"},
    {"25006", ERR_UNAVAILABLE, false,
     "the database server takes no changes (a standby?): connect to the primary"},
    {"53100", ERR_FULL, false, "no space left on the database server: free disk space"},
    {"53300", ERR_UNAVAILABLE, false,
     "the database server has no connection left: raise its max_connections"},
    {"53", ERR_UNAVAILABLE, false, "the database server is out of resources: try again"},
    {"23", ERR_CONFLICT, false, "a row with this key exists already"},
    {"22001", ERR_TOO_LARGE, false, "a value is too large for the data store: shorten it"},
    {"54", ERR_TOO_LARGE, false, "a value is too large for the data store: shorten it"},
    {"28", ERR_CONFIG, false, "the database server refuses user or password: check the database address"},
    {"3D000", ERR_CONFIG, false,
     "the database does not exist: create it (createdb) or check the database address"},
    {"42501", ERR_CONFIG, false, "the database user lacks a right: make it the owner of the database"},
    {"58", ERR_IO, false, "the database server cannot read or write its files: check its disk"},
    {"XX001", ERR_CORRUPT, false, "the database is damaged: restore it from a backup"},
    {"XX002", ERR_CORRUPT, false, "an index of the database is damaged: rebuild it (REINDEX)"},
};

static const struct state *state_find(const char *sqlstate)
{
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (strncmp(sqlstate, states[i].prefix, strlen(states[i].prefix)) == 0)
            return &states[i];
    return NULL;
}

bool pg_error(const PGresult *r, struct err *err, bool *ret_fatal, bool *ret_again)
{
    const char *sqlstate = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *message = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    const struct state *s = state_find(sqlstate ? sqlstate : "08"); // libpq's own errors have none
    *ret_fatal =
        !sqlstate || (severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0));
    *ret_again = s && s->again;
    if (s)
        return ERR(err, *ret_fatal ? ERR_UNAVAILABLE : s->code, "%s", s->text);
    return ERR(err, *ret_fatal ? ERR_UNAVAILABLE : ERR_INTERNAL, "data store: statement refused: %s (%s)",
               message ? message : "", sqlstate);
}

// "FATAL:  28P01" at the end of the text.
static const char *connect_state(const char *text, char buf[static STATE_LEN + 1])
{
    static const char mark[] = "FATAL:  ";
    const char *at = strstr(text, mark);
    if (!at || strlen(at + sizeof mark - 1) < STATE_LEN)
        return NULL;
    memcpy(buf, at + sizeof mark - 1, STATE_LEN);
    buf[STATE_LEN] = '\0';
    return buf;
}

// "Connection refused": the end of the first line.
static struct str reason_of(struct str text)
{
    struct str rest, line = str_split(text, '\n', &rest);
    size_t from = 0;
    for (size_t i = 0; i + 1 < line.n; i++)
        if (line.p[i] == ':' && line.p[i + 1] == ' ')
            from = i + 2;
    line = str_of_n(line.p + from, line.n - from);
    line.n = str_utf8_cut(line, REASON_MAX);
    return line;
}

bool pg_connect_error(const char *text, struct err *err)
{
    char buf[STATE_LEN + 1];
    const char *sqlstate = connect_state(text, buf);
    const struct state *s = sqlstate ? state_find(sqlstate) : NULL;
    if (s)
        return ERR(err, s->code, "%s", s->text);
    if (sqlstate)
        return ERR(err, ERR_CONFIG, "the database server refuses the connection (%s): see its log", sqlstate);
    if (strstr(text, "read-only"))
        return ERR(err, ERR_UNAVAILABLE, "%s", state_find("25006")->text);
    if (strstr(text, "SSL") || strstr(text, "certificate"))
        return ERR(err, ERR_CONFIG,
                   "no trusted TLS connection to the database server: check its certificate, and the options "
                   "tls and ca "
                   "of the database address");
    if (strstr(text, "password"))
        return ERR(err, ERR_CONFIG,
                   "the database server wants a password: write it into the database address");
    struct str why = reason_of(str_of(text));
    return ERR(err, ERR_UNAVAILABLE,
               "the database server cannot be reached (%.*s): check that it runs and listens there",
               STR_ARG(why));
}
