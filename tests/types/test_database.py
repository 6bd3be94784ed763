# SPDX-License-Identifier: Apache-2.0
"""DATABASE on MariaDB, PostgreSQL and SQLite: each effect as another client sees it, each way to fail, and statements
that are gone from the server when their time is over or their run cancelled."""
import json
import os
import sqlite3
import time

import pytest

import mariadb
import postgres
from attempts import attempt, begin, end, output, refused
from chronos import SLOW, Server, free_port, wait_until
from silent import Silent

CANCEL_SECONDS = 2  # a second for the run, the rest for the machine
KINDS = ["postgresql", "mariadb", "sqlite"]
CANARY = "canary-7f3a-password"


class Database:
    """One database of each kind, with the same few words for all of them."""

    def __init__(self, kind, url, sql):
        self.kind, self.url, self.sql = kind, url, sql

    def one(self, text):
        rows = self.sql(text)
        return str(rows[0][0]) if rows else None

    def slow(self):
        return {"postgresql": "SELECT pg_sleep(60)", "mariadb": "SELECT SLEEP(60) FROM (SELECT 1) x",
                "sqlite": "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x) SELECT count(*) FROM x"
                }[self.kind]

    def slow_ones(self):
        return {"postgresql": lambda: self.one("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query "
                                               "LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()"),
                "mariadb": lambda: self.one("SELECT count(*) FROM information_schema.processlist WHERE info LIKE "
                                            "'%SLEEP(60)%' AND id <> connection_id()"),
                "sqlite": lambda: "0"}[self.kind]()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("database") / "server").start()
    made.login()
    (made.folder / "data" / "files").mkdir(exist_ok=True)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def pg():
    with postgres.Server() as made:
        yield made


@pytest.fixture(scope="module")
def maria():
    with mariadb.Server() as made:
        yield made


@pytest.fixture
def db(request, server):
    kind = request.param
    if kind == "postgresql":
        made = request.getfixturevalue("pg")
        return Database(kind, made.url(), lambda text: [line.split("|") for line in
                                                        made.sql(text, postgres.NAME).splitlines()])
    if kind == "mariadb":
        made = request.getfixturevalue("maria")
        return Database(kind, made.url("jdbc:mariadb"), made.sql)
    path = server.folder / "data" / "files" / "test.db"

    def sql(text):
        with sqlite3.connect(path) as c:
            return [row for statement in text.split(";") if statement.strip() for row in c.execute(statement)]

    return Database(kind, "sqlite:test.db", sql)


every = pytest.mark.parametrize("db", KINDS, indirect=True)
servers = pytest.mark.parametrize("db", KINDS[:2], indirect=True)


def table(db):
    db.sql("DROP TABLE IF EXISTS t; CREATE TABLE t (id INTEGER PRIMARY KEY, s VARCHAR(80), d DATE)")


def succeeded(run):
    assert run["status"] == "SUCCEEDED", (run.get("errorClass"), run.get("errorMessage"), run["lines"])
    return run


def run(server, db, query, **payload):
    return attempt(server, "DATABASE", {"databaseUrl": db.url, "query": query, **payload}, seconds=40)


def failed(run, error_class, code=None, part=""):
    assert run["status"] in ("FAILED", "TIMED_OUT"), run
    assert run["errorClass"] == error_class, (run["errorClass"], run["errorMessage"])
    assert code is None or f"({code})" in run["errorMessage"], run["errorMessage"]
    assert part in run["errorMessage"], run["errorMessage"]


# ---- effects -----------------------------------------------------------------------------------

@every
def test_statements_in_one_transaction_with_parameters_by_name(server, db):
    table(db)
    query = ("INSERT INTO t VALUES (:id, :s, :d); UPDATE t SET s = :s2 WHERE id = :id; "
             "INSERT INTO t VALUES (2, NULL, NULL)")
    done = succeeded(run(server, db, query, transactionIsolation="SERIALIZABLE",
                         parameters={"id": 1, "s": "':x; --", "s2": "größe {\"a\"}",
                                     "d": {"type": "date", "value": "2024-02-29"}}))
    assert db.one("SELECT count(*) FROM t") == "2"
    assert db.one("SELECT s FROM t WHERE id = 1") == "größe {\"a\"}"
    assert db.one("SELECT d FROM t WHERE id = 1") == "2024-02-29"
    said = output(done, "system")
    assert any("3 statements on" in line and "3 affected" in line for line in said), said
    assert said.count("1 row affected") == 3


@every
def test_a_failure_undoes_all_of_them(server, db):
    table(db)
    done = run(server, db, "INSERT INTO t VALUES (1, 'a', NULL); INSERT INTO t VALUES (1, 'b', NULL)")
    failed(done, "DATABASE_ERROR", {"postgresql": "23505", "mariadb": "23000", "sqlite": "SQLITE_CONSTRAINT"}[db.kind],
           "statement 2")
    assert db.one("SELECT count(*) FROM t") == "0"


@every
def test_rows_as_a_table_and_no_more_than_wanted(server, db):
    table(db)
    db.sql("INSERT INTO t VALUES (1, 'Ada', '2024-02-29'), (22, NULL, NULL), (333, 'x y', NULL)")
    done = succeeded(run(server, db, "SELECT id, s, d FROM t WHERE id > ? ORDER BY id", parameters=[0], maxRows=2))
    assert output(done) == ["id | s    | d", "---+------+-----------", " 1 | Ada  | 2024-02-29", "22 | NULL | NULL"]
    assert "3 rows, of which 2 are shown" in output(done, "system")
    context = next(line["context"] for line in done["lines"] if "statement on" in line["message"])
    context = json.loads(context) if isinstance(context, str) else context
    assert context == {"statements": 1, "rows": 3, "affected": 0}


@every
def test_parameters_of_a_run(server, db):
    table(db)
    payload = {"databaseUrl": db.url, "query": "INSERT INTO t VALUES (:id, :s, NULL)",
               "parameters": {"id": {"type": "int", "value": "{{param.id}}"}, "s": "{{param.text}}"}}
    done = attempt(server, "DATABASE", payload, {"id": 7, "text": "'); DROP TABLE t; --"})
    succeeded(done)
    assert db.one("SELECT s FROM t WHERE id = 7") == "'); DROP TABLE t; --"


@every
def test_read_only_is_kept_by_the_database(server, db):
    table(db)
    done = run(server, db, "WITH x AS (SELECT 1) SELECT * FROM x", readOnly=True)
    assert succeeded(done) and output(done)[2].strip() == "1"
    if db.kind == "mariadb":
        assert "/payload/query" in refused(server, "DATABASE", {"databaseUrl": db.url, "readOnly": True,
                                                                "query": "DELETE FROM t"})
    else:
        failed(run(server, db, "INSERT INTO t VALUES (1, '', NULL)", readOnly=True), "DATABASE_ERROR",
               {"postgresql": "25006", "sqlite": "SQLITE_READONLY"}[db.kind])
    assert db.one("SELECT count(*) FROM t") == "0"


@servers
def test_a_connection_is_used_again_and_forgets(server, db):
    mine = {"postgresql": ("SELECT pg_backend_pid()", "SET search_path = nowhere; SELECT pg_backend_pid()",
                           "SHOW search_path", "public"),
            "mariadb": ("SELECT connection_id()", "SET @mine = 5; SELECT connection_id()", "SELECT @mine", "NULL")}
    first, change, ask, want = mine[db.kind]
    ids = [output(succeeded(run(server, db, text)))[2].strip() for text in (first, change, first)]
    assert len(set(ids)) == 1, ids
    assert want in output(succeeded(run(server, db, ask)))[2]


@every
def test_unknown_parameters_of_the_address_are_named_once(server, db):
    url = db.url + ("&" if "?" in db.url else "?") + "serverTimezone=UTC&autoReconnect=true"
    done = succeeded(attempt(server, "DATABASE", {"databaseUrl": url, "query": "SELECT 1"}))
    named = [line for line in output(done, "system") if "ignored" in line]
    assert len(named) == 1 and "serverTimezone, autoReconnect" in named[0]


# ---- failures ----------------------------------------------------------------------------------

@every
def test_a_missing_table(server, db):
    failed(run(server, db, "SELECT * FROM not_there"), "DATABASE_ERROR",
           {"postgresql": "42P01", "mariadb": "42S02", "sqlite": "SQLITE_ERROR"}[db.kind], "not_there")


@servers
def test_a_wrong_password_is_shown_nowhere(server, db):
    done = run(server, db, "SELECT 1", username="chronos", password=CANARY)
    failed(done, "DATABASE_ERROR", {"postgresql": "28P01", "mariadb": "28000"}[db.kind], "user or password")
    assert CANARY not in json.dumps(done)
    assert CANARY not in server.log_text()


@servers
def test_a_server_that_is_not_there(server, db):
    scheme = db.url.split("://")[0]
    done = run(server, Database(db.kind, f"{scheme}://u:{CANARY}@127.0.0.1:{free_port()}/d", None), "SELECT 1")
    failed(done, "CONNECTION_ERROR")
    assert CANARY not in json.dumps(done)


@servers
def test_a_server_that_says_nothing(server, db):
    scheme = db.url.split("://")[0]
    with Silent() as target:
        start = time.monotonic()
        done = run(server, Database(db.kind, f"{scheme}://u:p@127.0.0.1:{target.port}/d", None), "SELECT 1",
                   connectionTimeoutSeconds=1)
        failed(done, "CONNECTION_ERROR")
        assert time.monotonic() - start < 5 * SLOW
        other = begin(server, "DATABASE", {"databaseUrl": f"{scheme}://u:p@127.0.0.1:{target.port}/d",
                                           "query": "SELECT 1", "connectionTimeoutSeconds": 60})
        wait_until(lambda: len(target.kept) >= 4, what="the connection")
        cancelled(server, other)


@every
def test_the_time_of_a_statement(server, db):
    done = run(server, db, db.slow(), queryTimeoutSeconds=1)
    assert done["status"] == "TIMED_OUT" and done["errorClass"] == "TIMEOUT", done
    assert "1 s" in done["errorMessage"] or "timeout" in done["errorMessage"], done["errorMessage"]
    wait_until(lambda: db.slow_ones() == "0", what="the end of the statement on the server")


def cancelled(server, run_id):
    start = time.monotonic()
    assert server.call("POST", f"/runs/{run_id}:cancel").status in (200, 202)
    done = end(server, run_id)
    assert done["status"] == "CANCELLED", done
    assert time.monotonic() - start < CANCEL_SECONDS * SLOW
    return done


@every
def test_a_cancelled_run_is_gone_from_the_server(server, db):
    run_id = begin(server, "DATABASE", {"databaseUrl": db.url, "query": db.slow()})
    if db.kind == "sqlite":
        wait_until(lambda: server.call("GET", f"/runs/{run_id}").json["status"] == "RUNNING", what="the run")
    else:
        wait_until(lambda: db.slow_ones() == "1", what="the statement on the server")
    cancelled(server, run_id)
    wait_until(lambda: db.slow_ones() == "0", what="the end of the statement on the server")


def test_the_job_s_own_time(server, pg):
    done = attempt(server, "DATABASE", {"databaseUrl": pg.url(), "query": "SELECT pg_sleep(60)"}, timeoutSeconds=1)
    assert done["status"] == "TIMED_OUT", done


def test_files_stay_below_the_roots(server, tmp_path):
    files = server.folder / "data" / "files"
    outside = tmp_path / "outside.db"
    with sqlite3.connect(outside) as c:
        c.execute("CREATE TABLE t (a)")
    os.symlink(outside, files / "link.db")
    os.symlink(tmp_path, files / "folder")
    for path, error in ((str(outside), "FILE_ERROR"), ("../chronos.db", "FILE_ERROR"), ("link.db", "DATABASE_ERROR"),
                        ("folder/outside.db", "FILE_ERROR"), ("missing/x.db", "FILE_ERROR")):
        done = attempt(server, "DATABASE", {"databaseUrl": f"sqlite:{path}", "query": "SELECT * FROM t"})
        failed(done, error)
    os.link(server.folder / "data" / "chronos.db", files / "own.db")
    failed(attempt(server, "DATABASE", {"databaseUrl": "sqlite:own.db", "query": "SELECT 1"}), "DATABASE_ERROR",
           "SQLITE_AUTH")
    for query in (f"ATTACH '{outside}' AS b", "SELECT load_extension('x')", f"VACUUM INTO '{tmp_path}/copy.db'"):
        failed(attempt(server, "DATABASE", {"databaseUrl": "sqlite:test.db", "query": query}), "DATABASE_ERROR")
    assert not (tmp_path / "copy.db").exists()


def test_addresses_that_the_guard_refuses(tmp_path, pg):
    guarded = Server(tmp_path / "guarded", CHRONOS_EGRESS_DENY="loopback").start()
    try:
        guarded.login()
        failed(attempt(guarded, "DATABASE", {"databaseUrl": pg.url(), "query": "SELECT 1"}), "EGRESS_DENIED")
    finally:
        guarded.stop()


# ---- at save -----------------------------------------------------------------------------------

def test_what_is_refused_at_save(server):
    def faults(**payload):
        return refused(server, "DATABASE", {"databaseUrl": "postgresql://h/d", "query": "SELECT 1", **payload})

    assert "none of mysql:" in faults(databaseUrl="oracle:thin:@h")["/payload/databaseUrl"]
    assert "/payload/transactionIsolation" in faults(transactionIsolation="CHAOS")
    assert "not closed" in faults(query="SELECT 'a")["/payload/query"]
    assert "one transaction" in faults(query="SELECT 1; COMMIT")["/payload/query"]
    assert "would become SQL" in faults(query="SELECT {{param.x}}")["/payload/query"]
    assert ":a" in faults(query="SELECT :a")["/payload/parameters"]
    assert "not used" in faults(parameters={"b": 1})["/payload/parameters/b"]
    assert "question mark" in faults(query="SELECT ?, ?", parameters=[1])["/payload/parameters"]
    assert "base64" in faults(query="SELECT :a", parameters={"a": {"type": "bytes", "value": "%"}})["/payload/parameters/a"]
    assert "unknown name" in faults(query="SELECT :a", parameters={"a": "{{nothing}}"}).popitem()[1]
    several = faults(databaseUrl="nothing", maxRows=-1)
    assert set(several) == {"/payload/maxRows"} or len(several) == 2
