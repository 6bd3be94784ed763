# SPDX-License-Identifier: Apache-2.0
"""chronos db copy: everything arrives, in whatever kind of database, or it is plain that it did not."""
import os
import resource
import signal
import sqlite3
import subprocess

import pytest

from chronos import BINARY, EMAIL, PASSWORD, SLOW, Server, wait_until
from cluster import database

NOT_MOVED = {"nodes", "changes", "duties", "sqlite_sequence", "schema_migrations"}
FILE_BYTES_MAX = 600_000  # the target of an interrupted copy may not grow beyond


def db_copy(source, to, code=0, **more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("CHRONOS_")}
    result = subprocess.run([BINARY, "db", "copy", "--from", source, "--to", to], env=env, capture_output=True, text=True,
                            timeout=300 * SLOW, **more)
    assert result.returncode == code, (result.returncode, result.stdout, result.stderr)
    return result


def in_file(folder, url):
    """A URL with a password is never given as a flag."""
    path = folder / f"url-{abs(hash(url))}"
    path.write_text(url + "\n")
    return f"@{path}"


def rows(path):
    """Every row of every table that is moved. Texts of other databases come back as they were."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {}
        for name in sorted(set(names) - NOT_MOVED):
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({name})") if (name, row[1]) != ("outbox", "seq")]
            found[name] = sorted(db.execute(f"SELECT {', '.join(columns)} FROM {name}"), key=repr)
        found["settings"] = [row for row in found["settings"] if row[0] != "store.check"]
        return found


def path_of(server):
    return server.folder / "data" / "chronos.db"


@pytest.fixture
def filled(tmp_path):
    """A stopped server that has something in every table."""
    server = Server(tmp_path / "old").start()
    server.login()
    fast = {"scheduleType": "INTERVAL", "intervalSeconds": 1}
    never = {"scheduleType": "MANUAL"}
    server.create(name="bün \u2603 \U0001f680", type="DUMMY", schedule=fast, tags=["a", "b"])
    failing = server.create(name="fails", type="DUMMY", schedule=never,
                            payload={"metadata": {"simulateFailure": True, "failureMessage": "no\tgood\u2028"}})
    gone = server.create(name="gone", type="DUMMY", schedule=never)
    edited = server.create(name="edited", type="DUMMY", schedule=never)
    paused = server.create(name="paused", type="DUMMY", schedule=fast)
    script = server.create(name="talks", type="SCRIPT", schedule=never,
                           payload={"script": "#!/bin/sh\nfor i in $(seq 1500); do printf 'line %s %0500d\\n' $i 0; done\n"})
    for job in (failing, gone, script):
        assert server.call("POST", f"/jobs/{job['id']}:run-now").status == 202
    assert server.call("PATCH", f"/jobs/{edited['id']}", {"name": "edited twice"}).status == 200
    assert server.call("POST", f"/jobs/{paused['id']}:pause").status == 200
    wait_until(lambda: not server.runs(status="QUEUED") and not server.runs(status="RUNNING") and len(server.runs()) >= 5,
               60, "runs of every kind")
    assert server.call("DELETE", f"/jobs/{gone['id']}").status == 204
    assert server.stop() == 0
    made = rows(path_of(server))
    for table in ("jobs", "plans", "plan_specs", "runs", "run_logs", "dead_letters", "users", "sessions"):
        assert made[table], f"nothing in {table}"
    assert len(made["run_logs"]) > 1500, "more than a page of log lines"
    return server


def test_a_file_is_copied_row_by_row(filled, tmp_path):
    target = tmp_path / "new.db"
    result = db_copy(f"sqlite:{path_of(filled)}", f"sqlite:{target}")
    assert rows(target) == rows(path_of(filled))
    assert "read back and compared" in result.stdout
    assert any(line.startswith("run_logs") and " sum " in line for line in result.stdout.splitlines())
    assert "copy run_logs: " in result.stderr and "verify run_logs: " in result.stderr


def test_a_server_goes_on_with_the_copy(filled, tmp_path):
    target = tmp_path / "new.db"
    db_copy(f"sqlite:{path_of(filled)}", f"sqlite:{target}")
    alone = Server(tmp_path / "alone", CHRONOS_DB_URL=f"sqlite:{target}")
    with pytest.raises(AssertionError):  # without the key of the old one it says so
        alone.start()
    assert "token.key" in alone.log_text()
    key = filled.folder / "data/token.key"
    server = Server(tmp_path / "server", CHRONOS_DB_URL=f"sqlite:{target}", CHRONOS_AUTH_KEY_FILE=str(key)).start()
    try:
        server.token = filled.token  # nobody has to sign in again
        jobs = {job["name"]: job for job in server.call("GET", "/jobs?size=200").json["content"]}
        assert set(jobs) == {"bün \u2603 \U0001f680", "fails", "edited twice", "paused", "talks"}
        assert jobs["paused"]["status"] == "PAUSED" and jobs["edited twice"]["version"] == 2
        ticking = jobs["bün \u2603 \U0001f680"]
        wait_until(lambda: server.call("GET", f"/jobs/{ticking['id']}").json["runCount"] > ticking["runCount"],
                   what="the schedule goes on")
        run = server.runs(jobs["talks"]["id"])[0]
        path = f"/jobs/{jobs['talks']['id']}/runs/{run['id']}/logs?size=1000&after=600"
        assert any(line["message"].startswith("line 700 ") for line in server.call("GET", path).json["content"])
        assert len(server.call("GET", "/dlq").json["content"]) == 1
    finally:
        server.stop()


def test_there_and_back_through_every_database(filled, tmp_path):
    """SQLite → PostgreSQL → MariaDB → SQLite: what comes back is what was sent."""
    with database("postgres") as first, database("mariadb") as second:
        urls = [first.env()["CHRONOS_TEST_DB_URL"], second.env()["CHRONOS_TEST_DB_URL"]]
        back = tmp_path / "back.db"
        stations = [f"sqlite:{path_of(filled)}", *(in_file(tmp_path, url) for url in urls), f"sqlite:{back}"]
        sums = set()
        for source, target in zip(stations, stations[1:]):
            result = db_copy(source, target)
            assert "pass%20word" not in result.stdout + result.stderr and ":pass" not in result.stderr, "a password is shown"
            sums.add("\n".join(line for line in result.stdout.splitlines() if " sum " in line))
        assert len(sums) == 1, "the same rows have the same sums everywhere"
        assert rows(back) == rows(path_of(filled))


REFUSE_LETTERS = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not here'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON dead_letters FOR EACH ROW EXECUTE FUNCTION refuse()"""


def test_a_server_does_not_start_on_half_a_copy(filled, tmp_path):
    with database("postgres") as made:
        url = made.env()["CHRONOS_TEST_DB_URL"]
        env = {"PATH": os.environ["PATH"], "CHRONOS_DB_URL": url, "CHRONOS_DATA_DIR": str(tmp_path / "desk")}
        admin(env, "migrate")
        made.sql(REFUSE_LETTERS, "chronos")
        db_copy(f"sqlite:{path_of(filled)}", in_file(tmp_path, url), code=1)
        server = Server(tmp_path / "server", CHRONOS_DB_URL=url, CHRONOS_NODE_NAME="n1")
        server.start(wait=False)
        assert server.process.wait(60 * SLOW) == 1
        assert "interrupted copy" in server.log_text()
        assert "interrupted copy" in admin(env, "check", code=2).stderr
        assert "interrupted copy" in db_copy(in_file(tmp_path, url), f"sqlite:{tmp_path}/back.db", code=2).stderr


def admin(env, verb, code=0):
    result = subprocess.run([BINARY, "db", verb], env=env, capture_output=True, text=True, timeout=60 * SLOW)
    assert result.returncode == code, (result.stdout, result.stderr)
    return result


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_a_database_with_a_living_server_is_refused(filled, tmp_path, kind):
    with database(kind) as made:
        url = made.env()["CHRONOS_TEST_DB_URL"]
        env = {"PATH": os.environ["PATH"], "CHRONOS_DB_URL": url, "CHRONOS_DATA_DIR": str(tmp_path / "desk")}
        server = Server(tmp_path / "server", CHRONOS_DB_URL=url, CHRONOS_NODE_NAME="n1").start()
        try:
            refused = db_copy(f"sqlite:{path_of(filled)}", in_file(tmp_path, url), code=1)
            assert 'server "n1" uses the target' in refused.stderr
            refused = db_copy(in_file(tmp_path, url), f"sqlite:{tmp_path}/back.db", code=1)
            assert 'server "n1" uses the source' in refused.stderr
            assert "0 rows that cannot be read" in admin(env, "check").stdout, "looking is allowed"
        finally:
            server.stop()
        db_copy(in_file(tmp_path, url), f"sqlite:{tmp_path}/back.db")
        assert len(rows(tmp_path / "back.db")["users"]) == 1


def test_a_password_is_no_flag(filled):
    result = db_copy(f"sqlite:{path_of(filled)}", "postgresql://chronos:secret-word@127.0.0.1:1/x", code=2)
    assert "@FILE" in result.stderr and "secret-word" not in result.stderr


def test_a_source_in_use_is_refused(tmp_path):
    server = Server(tmp_path / "old").start()
    try:
        assert "another server uses" in db_copy(f"sqlite:{path_of(server)}", f"sqlite:{tmp_path}/new.db", code=1).stderr
    finally:
        server.stop()


def test_a_target_that_is_not_empty_is_refused(filled, tmp_path):
    target = tmp_path / "new.db"
    db_copy(f"sqlite:{path_of(filled)}", f"sqlite:{target}")
    assert "is not empty" in db_copy(f"sqlite:{path_of(filled)}", f"sqlite:{target}", code=5).stderr
    assert rows(target) == rows(path_of(filled))


def test_a_source_that_is_not_there_is_not_made(tmp_path):
    assert "does not exist" in db_copy(f"sqlite:{tmp_path}/nothing.db", f"sqlite:{tmp_path}/new.db", code=3).stderr
    assert not (tmp_path / "nothing.db").exists() and not (tmp_path / "new.db").exists()


def test_the_same_database_twice_is_refused(filled):
    url = f"sqlite:{path_of(filled)}"
    assert "the same database" in db_copy(url, url, code=1).stderr


def test_an_interrupted_copy_is_told_from_a_whole_one(filled, tmp_path):
    target = tmp_path / "new.db"

    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES_MAX, FILE_BYTES_MAX))

    source = f"sqlite:{path_of(filled)}"
    db_copy(source, f"sqlite:{target}", code=1, preexec_fn=small_files)
    assert 0 < len(rows(target)["jobs"]), "it came some way"
    assert "interrupted copy" in db_copy(source, f"sqlite:{target}", code=2).stderr
    assert "interrupted copy" in db_copy(f"sqlite:{target}", f"sqlite:{tmp_path}/third.db", code=2).stderr
    server = Server(tmp_path / "server", CHRONOS_DB_URL=f"sqlite:{target}")
    server.start(wait=False)
    assert server.process.wait(30 * SLOW) == 1
    assert "interrupted copy" in server.log_text()
    for name in (target, f"{target}-wal", f"{target}-shm"):
        if os.path.exists(name):
            os.unlink(name)
    db_copy(source, f"sqlite:{target}")
    assert rows(target) == rows(path_of(filled))
