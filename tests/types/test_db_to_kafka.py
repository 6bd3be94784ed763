# SPDX-License-Identifier: Apache-2.0
"""DB_TO_KAFKA from PostgreSQL, MariaDB and SQLite to a real broker: what arrives, where it goes on, each way to fail.

The long proofs want CHRONOS_ROWS=1000000 (how many, how fast, in how much memory) and CHRONOS_KILLS=10 (a server that
is killed again and again); without them they run with few.
"""
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import time

import pytest

import kafka
import mariadb
import postgres
from attempts import attempt, begin, end, names, output, refused
from chronos import BINARY, SLOW, Server, free_port, wait_until

TOOL = pathlib.Path(BINARY).parent / "tests/stream/kafka_tool"
CANCEL_SECONDS = 2
ROWS = int(os.environ.get("CHRONOS_ROWS", "20000"))
KILLS = int(os.environ.get("CHRONOS_KILLS", "1"))
FULL = 1000000  # rows from which speed and memory are judged
KINDS = ["postgresql", "mariadb", "sqlite"]


class Topic:
    """What arrives at a topic, read by a tool that knows nothing of our code."""

    def __init__(self, broker, name):
        self.name, self.broker = name, broker

    def read(self, n, seconds=60):
        tool = subprocess.Popen([TOOL, self.broker.brokers, "consume", self.name], stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL)
        found = []
        try:
            os.set_blocking(tool.stdout.fileno(), False)
            rest = b""

            def enough():
                nonlocal rest
                piece = tool.stdout.read()
                lines = (rest + (piece or b"")).split(b"\n")
                rest = lines.pop()
                found.extend(json.loads(line) for line in lines)
                return len(found) >= n

            wait_until(enough, seconds, f"{n} messages (of {len(found)})")
        finally:
            tool.send_signal(signal.SIGTERM)
            tool.wait()
        return found

    def count(self, seconds=60):
        """How many messages there are now: behind a last one of ours everything has been read."""
        mark = f"end-{next(names)}"
        subprocess.run([TOOL, self.broker.brokers, "produce", self.name], input="".join(
            f"{mark}{i}\t{mark}\n" for i in range(64)), text=True, check=True)
        found, seen = [], {}
        tool = subprocess.Popen([TOOL, self.broker.brokers, "consume", self.name], stdout=subprocess.PIPE, text=True,
                                stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + seconds * SLOW
        for line in tool.stdout:
            message = json.loads(line)
            if message["value"] == mark:
                seen[message["key"]] = True
            elif not str(message["value"]).startswith("end-"):
                found.append(message)
            if len(seen) == 64 or time.monotonic() > deadline:
                break
        tool.send_signal(signal.SIGTERM)
        tool.stdout.close()
        tool.wait()
        assert len(seen) == 64
        return found


@pytest.fixture(scope="module")
def broker():
    if "libtsan" in subprocess.run(["ldd", BINARY], capture_output=True, text=True).stdout:
        pytest.skip("threads of librdkafka cannot run under the thread sanitizer")
    try:
        made = kafka.Server()
    except kafka.Unavailable as why:
        pytest.skip(f"no real Kafka: {why}")
    yield made.start()
    made.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("db-to-kafka") / "server").start()
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


class Database:
    def __init__(self, kind, url, sql):
        self.kind, self.url, self.sql = kind, url, sql


@pytest.fixture
def db(request, server):
    kind = request.param
    if kind == "postgresql":
        made = request.getfixturevalue("pg")
        return Database(kind, made.url(), lambda text: made.sql(text, postgres.NAME))
    if kind == "mariadb":
        made = request.getfixturevalue("maria")
        return Database(kind, made.url("mariadb"), made.sql)
    path = server.folder / "data" / "files" / "move.db"
    path.touch()

    def sql(text):
        with sqlite3.connect(path) as c:
            c.executescript(text)

    return Database(kind, "sqlite:move.db", sql)


every = pytest.mark.parametrize("db", KINDS, indirect=True)
one = pytest.mark.parametrize("db", KINDS[:1], indirect=True)


@pytest.fixture
def topic(broker):
    return Topic(broker, f"rows-{next(names)}-{os.getpid()}")


def payload(db, topic, query="SELECT * FROM t ORDER BY id", **more):
    return {"databaseUrl": db.url, "query": query, "kafkaTopic": topic.name,
            "bootstrapServers": topic.broker.brokers, **more}


def table(db, rows=0):
    db.sql("DROP TABLE IF EXISTS t; CREATE TABLE t (id INTEGER PRIMARY KEY, grp INTEGER, s VARCHAR(100))")
    if rows:
        fill(db, 1, rows)


def fill(db, first, last, grp="{n} / 10"):
    grp = grp.format(n="n" if db.kind != "mariadb" else "seq").replace("/", "/" if db.kind != "mariadb" else "DIV")
    db.sql({"postgresql": f"INSERT INTO t SELECT n, {grp}, 'row ' || n FROM generate_series({first}, {last}) n",
            "mariadb": f"INSERT INTO t SELECT seq, {grp}, concat('row ', seq) FROM seq_{first}_to_{last}",
            "sqlite": f"WITH RECURSIVE x(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM x WHERE n < {last}) "
                      f"INSERT INTO t SELECT n, {grp}, 'row ' || n FROM x"}[db.kind])


def succeeded(run):
    assert run["status"] == "SUCCEEDED", (run.get("errorClass"), run.get("errorMessage"), run["lines"])
    return run


def failed(run, error_class, part=""):
    assert run["status"] in ("FAILED", "TIMED_OUT"), run
    assert run["errorClass"] == error_class and part in run["errorMessage"], (run["errorClass"], run["errorMessage"])


def again(server, run, seconds=60):
    """Another run of the same job."""
    answer = server.call("POST", f"/jobs/{run['jobId']}:run-now", {})
    assert answer.status == 202, answer.body
    return end(server, answer.json["id"], seconds)


def sent(run, n):
    """The run succeeded and says that it sent so many rows."""
    assert any(f"{n} row{'' if n == 1 else 's'} sent" in line for line in output(succeeded(run), "system")), run["lines"]
    return run


def ids(messages):
    return [json.loads(m["value"])["id"] for m in messages]


# ---- what arrives ------------------------------------------------------------------------------

@every
def test_rows_keep_their_types(server, db, topic):
    columns = {
        "postgresql": "1::int AS id, 12345678901234567890.10::numeric AS n, 0.5::float8 AS f, true AS b, 'größe \"x\"' AS s, "
                      "'\\x0102ff'::bytea AS y, '{\"a\": [1]}'::jsonb AS j, DATE '2024-02-29' AS d, "
                      "TIMESTAMPTZ '2024-02-29 12:34:56+00' AT TIME ZONE 'UTC' AS ts, NULL::int AS nil",
        "mariadb": "1 AS id, CAST('12345678901234567890.10' AS DECIMAL(30,2)) AS n, 0.5e0 AS f, TRUE AS b, "
                   "'größe \"x\"' AS s, CAST(X'0102ff' AS BINARY(3)) AS y, DATE '2024-02-29' AS d, "
                   "TIMESTAMP '2024-02-29 12:34:56' AS ts, NULL AS nil",
        "sqlite": "1 AS id, 0.5 AS f, 'größe \"x\"' AS s, X'0102ff' AS y, NULL AS nil"}[db.kind]
    succeeded(attempt(server, "DB_TO_KAFKA", payload(db, topic, f"SELECT {columns}")))
    text = topic.read(1)[0]["value"]
    row = json.loads(text)
    assert row["id"] == 1 and row["f"] == 0.5 and row["s"] == 'größe "x"' and row["y"] == "AQL/" and row["nil"] is None
    if db.kind != "sqlite":
        assert '"n":12345678901234567890.10,' in text
        assert row["b"] in (True, 1) and row["d"] == "2024-02-29" and row["ts"] == "2024-02-29T12:34:56"
    if db.kind == "postgresql":
        assert row["j"] == {"a": [1]}


@every
def test_keys_headers_names_and_metadata(server, db, topic):
    table(db, 3)
    done = succeeded(attempt(server, "DB_TO_KAFKA", payload(
        db, topic, "SELECT id, grp, s FROM t WHERE id > :low ORDER BY id", queryParameters={"low": 1}, kafkaKeyField="id",
        kafkaHeaders={"source": "tests", "job": "{{job.name}}"}, fieldMappings={"s": "text"}, excludeFields=["grp"],
        includeMetadata=True)))
    found = sorted(topic.read(2), key=lambda m: m["key"])
    assert [m["key"] for m in found] == ["2", "3"]
    row = json.loads(found[0]["value"])
    meta = row.pop("_metadata")
    assert row == {"id": 2, "text": "row 2"}
    assert meta["jobId"] == done["jobId"] and meta["runId"] == done["id"] and meta["row"] == 1
    assert found[0]["headers"]["source"] == "tests" and found[0]["headers"]["Chronos-Run-Key"] == done["runKey"]
    assert found[0]["headers"]["job"] == done["jobName"]
    assert any("2 rows sent to topic" in line for line in output(done, "system"))


@one
def test_more_rows_than_a_batch_and_no_more_than_wanted(server, db, topic):
    table(db, 5000)
    succeeded(attempt(server, "DB_TO_KAFKA", payload(db, topic, batchSize=333, maxRecords=4321), seconds=60))
    assert sorted(ids(topic.count())) == list(range(1, 4322))


# ---- where it goes on --------------------------------------------------------------------------

@every
def test_later_runs_go_on_where_the_last_one_ended(server, db, topic):
    table(db, 30)
    first = sent(attempt(server, "DB_TO_KAFKA", payload(db, topic, "SELECT * FROM t -- all", offsetField="id",
                                                        batchSize=7, maxRecords=20)), 20)
    sent(again(server, first), 10)
    sent(again(server, first), 0)
    fill(db, 31, 35)
    sent(again(server, first), 5)
    assert sorted(ids(topic.count())) == list(range(1, 36))


@every
def test_rows_of_one_value_are_neither_lost_nor_repeated(server, db, topic):
    table(db)
    fill(db, 1, 50, "{n} / 20")  # 0 × 19, 1 × 20, 2 × 11
    first = succeeded(attempt(server, "DB_TO_KAFKA", payload(db, topic, "SELECT * FROM t", offsetField="grp",
                                                             batchSize=8, maxRecords=25)))
    sent(again(server, first), 25)
    fill(db, 51, 53, "2")  # late ones of the last value
    sent(again(server, first), 3)
    assert sorted(ids(topic.count())) == list(range(1, 54))


@every
def test_a_query_that_asks_for_the_offset_itself(server, db, topic):
    table(db, 10)
    first = sent(attempt(server, "DB_TO_KAFKA", payload(
        db, topic, "SELECT * FROM t WHERE id > :offset ORDER BY id", offsetField="id", lastProcessedValue=4)), 6)
    fill(db, 11, 12)
    sent(again(server, first), 2)
    assert sorted(ids(topic.count())) == list(range(5, 13))


@one
def test_a_first_value_and_positional_parameters(server, db, topic):
    table(db, 10)
    first = sent(attempt(server, "DB_TO_KAFKA", payload(
        db, topic, "SELECT * FROM t WHERE id <> ?", queryParameters=[8], offsetField="id", lastProcessedValue=6)), 3)
    fill(db, 11, 11)
    sent(again(server, first), 1)
    assert sorted(ids(topic.count())) == [7, 9, 10, 11]


@one
def test_rows_that_go_backwards_are_refused(server, db, topic):
    table(db, 10)
    failed(attempt(server, "DB_TO_KAFKA", payload(db, topic, "SELECT * FROM t WHERE id > :offset ORDER BY id DESC",
                                                  offsetField="id", lastProcessedValue=0)), "DATABASE_ERROR", "ORDER BY")


# ---- rows that cannot be sent ------------------------------------------------------------------

LARGE = {"postgresql": "repeat('x', 1500000)", "mariadb": "repeat('x', 1500000)",
         "sqlite": "printf('%01500000d', 0)"}


def with_a_large_one(db):
    return (f"SELECT id, CASE WHEN id = 2 THEN {LARGE[db.kind]} ELSE s END AS s FROM t ORDER BY id")


@every
def test_a_row_that_is_too_large(server, db, topic):
    table(db, 3)
    failed(attempt(server, "DB_TO_KAFKA", payload(db, topic, with_a_large_one(db))), "KAFKA_ERROR", "row 2")


@one
def test_such_a_row_is_left_out(server, db, topic):
    table(db, 3)
    done = succeeded(attempt(server, "DB_TO_KAFKA", payload(db, topic, with_a_large_one(db), skipOnError=True)))
    assert sorted(ids(topic.count())) == [1, 3]
    assert any("2 rows sent" in line and "1 left out" in line for line in output(done, "system"))


@one
def test_such_a_row_goes_to_the_dead_letters(server, db, topic):
    table(db, 3)
    dead = Topic(topic.broker, topic.name + ".dead")
    succeeded(attempt(server, "DB_TO_KAFKA", payload(db, topic, with_a_large_one(db), deadLetterTopic=dead.name,
                                                     kafkaKeyField="id")))
    assert sorted(ids(topic.count())) == [1, 3]
    letter = dead.read(1)[0]
    said = json.loads(letter["value"])
    assert letter["key"] == "2" and said["bytes"] > 1500000 and said["rowStart"].startswith('{"id":2,"s":"xxx')


@one
def test_rows_that_the_brokers_refuse(server, db, topic, broker):
    table(db, 200)
    small = Topic(broker, topic.name + ".small")
    subprocess.run([TOOL, broker.brokers, "create", small.name, "max.message.bytes=20000"], check=True)
    dead = Topic(broker, topic.name + ".dead")
    query = "SELECT id, CASE WHEN id % 50 = 0 THEN repeat('x', 30000) ELSE s END AS s FROM t ORDER BY id"
    succeeded(attempt(server, "DB_TO_KAFKA", payload(db, small, query, deadLetterTopic=dead.name), seconds=60))
    assert set(ids(small.count())) == {n for n in range(1, 201) if n % 50}
    assert len(dead.read(4)) == 4


# ---- failures ----------------------------------------------------------------------------------

@one
def test_each_class_of_failure(server, db, topic, pg):
    table(db, 3)
    failed(attempt(server, "DB_TO_KAFKA", payload(db, topic, "SELECT * FROM not_there")), "DATABASE_ERROR", "42P01")
    failed(attempt(server, "DB_TO_KAFKA", payload(db, topic, password="wrong", username="chronos")), "DATABASE_ERROR",
           "28P01")
    failed(attempt(server, "DB_TO_KAFKA", {**payload(db, topic), "databaseUrl": f"postgresql://u@127.0.0.1:{free_port()}/d"}),
           "CONNECTION_ERROR")
    failed(attempt(server, "DB_TO_KAFKA", {**payload(db, topic, connectionTimeoutSeconds=1),
                                           "bootstrapServers": f"127.0.0.1:{free_port()}"}), "CONNECTION_ERROR", "kafka")
    failed(attempt(server, "DB_TO_KAFKA", payload(db, topic, offsetField="nothing")), "DATABASE_ERROR", "42703")
    failed(attempt(server, "DB_TO_KAFKA", payload(db, topic, kafkaKeyField="nothing")), "DATABASE_ERROR", "kafkaKeyField")
    failed(attempt(server, "DB_TO_KAFKA", {**payload(db, topic), "bootstrapServers": f"127.0.0.1:{topic.broker.sasl_port}",
                                           "kafkaConfig": {"username": "chronos", "password": "canary-word"},
                                           "connectionTimeoutSeconds": 5}), "KAFKA_ERROR")
    done = attempt(server, "DB_TO_KAFKA", payload(db, topic, "SELECT pg_sleep(60), 1 AS id", queryTimeoutSeconds=1))
    assert done["status"] == "TIMED_OUT", done
    assert "canary-word" not in server.log_text()


@one
def test_nothing_is_written(server, db, topic):
    table(db, 3)
    refused_at_save = refused(server, "DB_TO_KAFKA", payload(db, topic, "DELETE FROM t RETURNING id"))
    assert "statement that reads" in refused_at_save["/payload/query"]
    failed(attempt(server, "DB_TO_KAFKA", payload(db, topic, "WITH x AS (DELETE FROM t RETURNING id) SELECT * FROM x")),
           "DATABASE_ERROR", "25006")


@one
def test_credentials_of_kafka(server, db, topic):
    table(db, 3)
    run = attempt(server, "DB_TO_KAFKA", {**payload(db, topic), "bootstrapServers": f"127.0.0.1:{topic.broker.sasl_port}",
                                          "kafkaConfig": {"username": topic.broker.sasl_user, "colour": "blue",
                                                          "password": topic.broker.sasl_password}})
    succeeded(run)
    assert len(topic.read(3)) == 3
    assert any("ignored: colour" in line for line in output(run, "system"))


@one
def test_a_cancelled_run(server, db, topic, pg):
    run_id = begin(server, "DB_TO_KAFKA", payload(db, topic, "SELECT n AS id, pg_sleep(0.001) FROM "
                                                             "generate_series(1, 100000) n"))
    wait_until(lambda: "1" in pg.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(0.001)%' AND "
                                     "state = 'active' AND pid <> pg_backend_pid()"), what="the query")
    start = time.monotonic()
    assert server.call("POST", f"/runs/{run_id}:cancel").status in (200, 202)
    assert end(server, run_id)["status"] == "CANCELLED"
    assert time.monotonic() - start < CANCEL_SECONDS * SLOW
    wait_until(lambda: pg.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(0.001)%' AND "
                              "state = 'active' AND pid <> pg_backend_pid()").strip() == "0", what="the end of the query")


def test_what_is_refused_at_save(server):
    def faults(**more):
        return refused(server, "DB_TO_KAFKA", {"databaseUrl": "mysql://h/d", "query": "SELECT 1", "kafkaTopic": "t",
                                               "bootstrapServers": "h:1", **more})

    assert "none of mysql:" in faults(databaseUrl="odbc:x")["/payload/databaseUrl"]
    assert "name of a topic" in faults(kafkaTopic="a b")["/payload/kafkaTopic"]
    assert "name of a topic" in faults(deadLetterTopic="a b")["/payload/deadLetterTopic"]
    assert "one statement" in faults(query="SELECT 1; SELECT 2")["/payload/query"]
    assert "needs offsetField" in faults(query="SELECT :offset", lastProcessedValue=1)["/payload/query"]
    assert "/payload/lastProcessedValue" in faults(query="SELECT :offset", offsetField="id")
    assert "no value for :a" in faults(query="SELECT :a")["/payload/queryParameters"]
    assert "/payload/kafkaConfig/security" in faults(kafkaConfig={"security": "loud"})
    missing = refused(server, "DB_TO_KAFKA", {"databaseUrl": "mysql://h/d", "query": "SELECT 1", "kafkaTopic": "t"})
    assert "no brokers of its own" in missing["/payload/bootstrapServers"]


# ---- proofs ------------------------------------------------------------------------------------

def resident_kb(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("VmRSS")))


@pytest.mark.parametrize("db", KINDS[:2], indirect=True)
def test_many_rows_in_little_memory(server, db, topic):
    table(db, ROWS)
    succeeded(attempt(server, "DB_TO_KAFKA", payload(db, topic, maxRecords=1000)))
    before = resident_kb(server.process.pid)
    run_id = begin(server, "DB_TO_KAFKA", payload(db, topic, "SELECT * FROM t", offsetField="id", kafkaKeyField="id"))
    most, start = before, time.monotonic()
    while server.call("GET", f"/runs/{run_id}").json["status"] not in ("SUCCEEDED", "FAILED"):
        most = max(most, resident_kb(server.process.pid))
        time.sleep(0.05)
    run = succeeded(end(server, run_id))
    seconds = max(run["durationMs"], 1) / 1000
    print(f"{db.kind}: {ROWS} rows, {ROWS / seconds:.0f} rows/s, {(most - before) / 1024:.1f} MB more memory")
    assert any(f"{ROWS} rows sent" in line for line in output(run, "system"))
    assert most - before <= 100 * 1024 * SLOW
    if ROWS >= FULL:
        assert ROWS / seconds >= 50000


@pytest.mark.parametrize("db", KINDS[:1], indirect=True)
def test_a_server_that_is_killed_again_and_again(tmp_path, db, topic, broker):
    """Every row arrives at least once, and the position is that of the last row."""
    rows = max(ROWS, 20000)
    table(db, rows)
    server = Server(tmp_path / "killed").start()
    server.login()
    try:
        job = server.create(name="killed", type="DB_TO_KAFKA", schedule={"scheduleType": "MANUAL"}, payload=payload(
            db, topic, "SELECT t.*, pg_sleep(CASE WHEN id % 100 = 0 THEN 0.005 ELSE 0 END)::text AS z FROM t"
            if rows < FULL else "SELECT * FROM t", offsetField="id", batchSize=200 if rows < FULL else 5000,
            kafkaKeyField="id"), concurrencyPolicy="QUEUE")
        for _ in range(KILLS):
            run_id = server.call("POST", f"/jobs/{job['id']}:run-now", {}).json["id"]
            position = memo(server)
            wait_until(lambda: memo(server) != position or
                       server.call("GET", f"/runs/{run_id}").json["status"] == "SUCCEEDED", 60, "a kept position")
            server.kill()
            server.start()
            server.login()
            wait_until(lambda: server.call("GET", f"/runs/{run_id}").json["status"] != "RUNNING", 60, "recovery")
        last = end(server, server.call("POST", f"/jobs/{job['id']}:run-now", {}).json["id"], 300)
        succeeded(last)
        found = ids(topic.count(seconds=300))
        assert set(found) == set(range(1, rows + 1))
        print(f"{KILLS} kills: {len(found) - rows} of {rows} rows twice")
        assert json.loads(memo(server))["value"] == str(rows)
        done = succeeded(end(server, server.call("POST", f"/jobs/{job['id']}:run-now", {}).json["id"], 60))
        assert any("0 rows sent" in line for line in output(done, "system"))
    finally:
        server.stop()


def memo(server):
    """The kept position as it stands in the data file."""
    with sqlite3.connect(f"file:{server.folder}/data/chronos.db?mode=ro", uri=True) as c:
        name = next(row[0] for row in c.execute("SELECT name FROM sqlite_master WHERE name LIKE '%memo%' AND type = 'table'"))
        columns = [row[1] for row in c.execute(f"PRAGMA table_info({name})")]
        found = c.execute(f"SELECT {columns[-1] if 'value' not in columns else 'value'} FROM {name}").fetchall()
    return found[0][0] if found else None
