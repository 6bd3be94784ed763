# SPDX-License-Identifier: Apache-2.0
"""CACHE on a real Redis: each operation with its effect as redis-cli sees it, each way to fail, cancellation."""
import json
import os
import sqlite3
import time

import pytest

import redis
from attempts import attempt, begin, end, output, refused
from chronos import SLOW, Nginx, Server, free_port
from silent import Silent

CANCEL_SECONDS = 2
KEYS = int(os.environ.get("CHRONOS_CACHE_KEYS", "3000"))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("cache") / "server").start()
    made.login()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def store():
    with redis.Server() as made:
        yield made


@pytest.fixture
def cache(server, store):
    store.ask("FLUSHALL")
    return lambda operation, seconds=40, **more: cached(server, store, operation, seconds, **more)


def of(store, **more):
    return {"type": "REDIS", "host": "127.0.0.1", "port": store.port, "password": redis.ADMIN, **more}


def cached(server, store, operation, seconds=40, config=None, **payload):
    return attempt(server, "CACHE", {"operation": operation, "cacheConfig": config or of(store), **payload},
                   seconds=seconds)


def succeeded(run):
    assert run["status"] == "SUCCEEDED", (run.get("errorClass"), run.get("errorMessage"), run["lines"])
    return run


def failed(run, error_class, code=""):
    assert run["status"] in ("FAILED", "TIMED_OUT") and run["errorClass"] == error_class, run
    assert code in run["errorMessage"], run
    return run["errorMessage"]


def said(run):
    return output(run, "system")[-1]


def answering(tmp_path, text, status=200):
    """A web server with this answer."""
    (tmp_path / "answer.json").write_text(text)
    return Nginx(tmp_path / "nginx", f"root {tmp_path}; try_files /answer.json =404;" if status == 200
                 else f"return {status};").start()


# ---- WARM ----

def test_given_values_are_written_with_their_time(cache, store):
    run = succeeded(cache("WARM", region="users", entries={"1": "Ada", "2": 7, "3": True}, timeToLiveSeconds=100))
    assert store.ask("MGET", "users:1", "users:2", "users:3").splitlines() == ["Ada", "7", "true"]
    assert 90 < int(store.ask("TTL", "users:1")) <= 100
    assert "3 entries written" in said(run)


def test_what_exists_is_left_alone_when_asked(cache, store):
    store.ask("SET", "users:1", "old")
    run = succeeded(cache("WARM", region="users", entries={"1": "new", "2": "new"}, skipIfExists=True))
    assert store.ask("MGET", "users:1", "users:2").splitlines() == ["old", "new"]
    assert "1 entries written" in said(run) and "1 were there" in said(run)
    assert store.ask("TTL", "users:2") == "-1"


def test_entries_of_a_list_come_from_an_http_answer(cache, store, tmp_path):
    items = [{"id": i, "name": f"n{i}", "more": {"a": [i]}} for i in range(KEYS)]
    target = answering(tmp_path, json.dumps({"data": {"items": items}}))
    try:
        succeeded(cache("WARM", region="people", httpUrl=target.url, itemsField="data.items", keyField="id"))
        assert json.loads(store.ask("GET", f"people:{KEYS - 1}")) == items[-1]
        assert store.ask("DBSIZE") == str(KEYS)
        succeeded(cache("WARM", region="names", httpUrl=target.url, itemsField="data.items", keyField="id",
                        valueField="name"))
        assert store.ask("GET", "names:7") == "n7"
        failed(cache("WARM", region="x", httpUrl=target.url, itemsField="data.items"), "CACHE_ERROR", "keyField")
        failed(cache("WARM", region="x", httpUrl=target.url, itemsField="data.none"), "CACHE_ERROR", "itemsField")
        failed(cache("WARM", region="x", httpUrl=target.url, itemsField="data.items", keyField="nothing"), "CACHE_ERROR")
    finally:
        target.stop()


def test_entries_of_an_object_come_from_an_http_answer(cache, store, tmp_path):
    target = answering(tmp_path, json.dumps({"eur": 1.5, "usd": {"rate": 2}}))
    try:
        succeeded(cache("WARM", region="rates", httpUrl=target.url))
        assert store.ask("MGET", "rates:eur", "rates:usd").splitlines() == ["1.5", '{"rate":2}']
    finally:
        target.stop()


def test_bad_http_answers_have_their_classes(cache, store, tmp_path):
    for status, error_class in ((503, "HTTP_5XX"), (404, "HTTP_4XX")):
        target = answering(tmp_path, "", status)
        try:
            failed(cache("WARM", region="x", httpUrl=target.url), error_class, str(status))
        finally:
            target.stop()
    target = answering(tmp_path, "no JSON at all")
    try:
        failed(cache("WARM", region="x", httpUrl=target.url), "CACHE_ERROR")
    finally:
        target.stop()
    failed(cache("WARM", region="x", httpUrl=f"http://127.0.0.1:{free_port()}/"), "CONNECTION_ERROR")
    failed(cache("WARM", region="x", httpUrl="http://169.254.169.254/"), "EGRESS_DENIED")


# ---- WARM from a query ----

@pytest.fixture(scope="module")
def database(server):
    """An SQLite file below the folder that jobs may use."""
    folder = server.folder / "data" / "files"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "people.db"
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, score REAL)")
        made.executemany("INSERT INTO person VALUES (?, ?, ?)", [(i, f"n{i}", i / 2) for i in range(KEYS)])
        made.execute("INSERT INTO person VALUES (-1, NULL, NULL)")
    return f"sqlite:{path}"


def test_entries_are_the_rows_of_a_query(cache, store, database):
    run = succeeded(cache("WARM", region="people", databaseUrl=database, keyField="id", timeToLiveSeconds=100,
                          query="SELECT id, name, score FROM person WHERE id >= 0"))
    assert f"{KEYS} entries written" in said(run)
    assert json.loads(store.ask("GET", "people:3")) == {"id": 3, "name": "n3", "score": 1.5}
    assert store.ask("DBSIZE") == str(KEYS) and 0 < int(store.ask("TTL", "people:0")) <= 100
    run = succeeded(cache("WARM", region="names", databaseUrl=database, keyField="id", valueField="name",
                          query="SELECT id, name FROM person WHERE id < :most", queryParameters={"most": 2}))
    assert sorted(store.ask("KEYS", "names:*").splitlines()) == ["names:0", "names:1"]
    assert store.ask("GET", "names:1") == "n1" and "1 rows without a value" in said(run)


def test_bad_queries_have_their_classes(cache, server, database):
    def warm(query, **more):
        return cache("WARM", region="r", **{"databaseUrl": database, "keyField": "id", "query": query, **more})

    failed(warm("SELECT id FROM nothing"), "DATABASE_ERROR")
    failed(warm("SELECT name FROM person"), "DEFINITION_ERROR", "id")
    failed(warm("SELECT 1 AS id", databaseUrl=f"postgresql://u:a-wrong-word@127.0.0.1:{free_port()}/d"),
           "CONNECTION_ERROR")
    pointers = refused(server, "CACHE", {"operation": "WARM", "region": "r", "cacheConfig": {"host": "h"},
                                         "databaseUrl": database, "query": "DELETE FROM person"})
    assert set(pointers) == {"/payload/query", "/payload/keyField"}


# ---- INVALIDATE ----

def test_keys_and_patterns_are_removed_and_nothing_else(cache, store):
    for key in ("users:1", "users:2", "users:session:a", "users:session:b", "usersX:1", "other:1"):
        store.ask("SET", key, "x")
    run = succeeded(cache("INVALIDATE", region="users", cacheKeys=["1", "none", "session:*"]))
    assert sorted(store.ask("KEYS", "*").splitlines()) == ["other:1", "users:2", "usersX:1"]
    assert "3 keys removed" in said(run)


def test_a_region_is_no_pattern_itself(cache, store):
    for key in ("a*:1", "ab:1", "a[b]:1"):
        store.ask("SET", key, "x")
    succeeded(cache("INVALIDATE", region="a*", cacheKeys=["*"]))
    succeeded(cache("INVALIDATE", region="a[b]", cacheKeys=["?"]))
    assert store.ask("KEYS", "*") == "ab:1"


def test_a_large_region_is_removed_in_pieces(cache, store):
    store.ask("EVAL", "for i = 1, ARGV[1] do redis.call('SET', 'big:' .. i, i) end", "0", str(KEYS))
    store.ask("SET", "small:1", "x")
    assert f"{KEYS} keys removed" in said(succeeded(cache("INVALIDATE", region="big", cacheKeys=["*"])))
    assert store.ask("DBSIZE") == "1"


# ---- SYNC ----

def test_a_region_is_copied_with_its_types_and_times(cache, store):
    store.ask("SET", "old:text", "x", "EX", "500")
    store.ask("HSET", "old:hash", "a", "1")
    store.ask("RPUSH", "old:list", "a", "b")
    store.ask("SET", "new:hash", "there")
    run = succeeded(cache("SYNC", sourceRegion="old", region="new", skipIfExists=True))
    assert "2 keys copied" in said(run) and "1 were there" in said(run)
    assert store.ask("GET", "new:hash") == "there" and store.ask("LRANGE", "new:list", "0", "-1") == "a\nb"
    assert 480 < int(store.ask("TTL", "new:text")) <= 500 and store.ask("TTL", "new:list") == "-1"
    succeeded(cache("SYNC", sourceRegion="old", region="new", cacheKeys=["hash", "t*"], timeToLiveSeconds=50))
    assert store.ask("HGET", "new:hash", "a") == "1" and int(store.ask("TTL", "new:hash")) <= 50
    assert int(store.ask("TTL", "new:text")) <= 50 and store.ask("TTL", "new:list") == "-1"


def test_a_region_is_copied_from_another_server(cache, store):
    with redis.Server() as other:
        other.ask("EVAL", "for i = 1, ARGV[1] do redis.call('SET', 'r:' .. i, string.rep('x', 100)) end", "0", str(KEYS))
        config = of(store, sourceHost="127.0.0.1", sourcePort=other.port, sourcePassword=redis.ADMIN)
        assert f"{KEYS} keys copied" in said(succeeded(cache("SYNC", config=config, sourceRegion="r", region="r")))
        assert store.ask("DBSIZE") == str(KEYS)
        failed(cache("SYNC", config={**config, "sourcePassword": "wrong"}, sourceRegion="r", region="r"), "CACHE_ERROR",
               "WRONGPASS")


# ---- STATS ----

def test_figures_of_the_server_and_of_regions(cache, store):
    for key in ("a:1", "a:2", "b:1", "bare"):
        store.ask("SET", key, "x")
    run = succeeded(cache("STATS"))
    contexts = [line["context"] for line in run["lines"] if line["stream"] == "stdout"]
    assert contexts[0]["usedMemoryBytes"] > 100000 and "hits" in contexts[0]
    assert contexts[1]["keysByRegion"] == {"a": 2, "b": 1, "": 1}
    run = succeeded(cache("STATS", region="a"))
    context = run["lines"][-1]["context"]
    assert context["keys"] == 2 and context["memoryBytes"] > 50
    assert "hit rate" in output(run)[0]


# ---- failures ----

def test_failures_have_their_classes(cache, store):
    def warm(**config):
        return cache("WARM", region="r", entries={"a": "b"}, config={**of(store), **config})

    assert "a-wrong-word" not in failed(warm(password="a-wrong-word"), "CACHE_ERROR", "WRONGPASS")
    failed(warm(password=""), "CACHE_ERROR", "NOAUTH")
    failed(warm(username=redis.USER, password=redis.PASSWORD), "CACHE_ERROR", "NOPERM")
    failed(warm(port=free_port()), "CONNECTION_ERROR")
    failed(warm(host="no-such-host.invalid"), "CONNECTION_ERROR", "resolved")
    failed(warm(host="169.254.169.254"), "EGRESS_DENIED")
    failed(warm(database=9999), "CACHE_ERROR")
    store.ask("CONFIG", "SET", "maxmemory", "1")
    try:
        failed(warm(), "CACHE_ERROR", "OOM")
    finally:
        store.ask("CONFIG", "SET", "maxmemory", "0")


def test_a_server_that_never_answers_times_out(cache, store):
    with Silent() as silent:
        run = cache("STATS", config={"host": "127.0.0.1", "port": silent.port, "timeoutSeconds": 1})
        failed(run, "TIMEOUT")
        assert run["status"] == "TIMED_OUT"


@pytest.mark.parametrize("what", ["redis", "http"])
def test_a_waiting_run_can_be_cancelled(server, store, what):
    with Silent() as silent:
        payload = {"operation": "STATS", "cacheConfig": {"host": "127.0.0.1", "port": silent.port}}
        if what == "http":
            payload = {"operation": "WARM", "region": "r", "cacheConfig": of(store, timeoutSeconds=60),
                       "httpUrl": f"http://127.0.0.1:{silent.port}/"}
        run = begin(server, "CACHE", payload)
        assert silent.reached.wait(20 * SLOW)
        began = time.monotonic()
        assert server.call("POST", f"/runs/{run}:cancel").status in (200, 202)
        assert end(server, run)["status"] == "CANCELLED"
        assert time.monotonic() - began < CANCEL_SECONDS * SLOW


@pytest.mark.parametrize("payload, pointers", [
    ({}, {"/payload/operation", "/payload/cacheConfig"}),
    ({"operation": "WARM", "cacheConfig": {"type": "MEMCACHED", "port": 0}},
     {"/payload/cacheConfig/type", "/payload/cacheConfig/port", "/payload/cacheConfig/host", "/payload/region",
      "/payload/entries"}),
    ({"operation": "WARM", "region": "r", "cacheConfig": {"host": "h"}, "httpUrl": "ftp://x", "entries": {"a": "b"}},
     {"/payload/entries", "/payload/httpUrl"}),
    ({"operation": "INVALIDATE", "region": "r", "cacheConfig": {"host": "h"}}, {"/payload/cacheKeys"}),
    ({"operation": "SYNC", "region": "r", "sourceRegion": "r", "cacheConfig": {"host": "h"}}, {"/payload/sourceRegion"}),
])
def test_what_cannot_work_is_refused_at_save(server, payload, pointers):
    assert set(refused(server, "CACHE", payload)) == pointers
