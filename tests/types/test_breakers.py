# SPDX-License-Identifier: Apache-2.0
"""Circuit breakers: a target that is down is left alone, and one call of all nodes finds out whether it is back.

A breaker waits half a minute before its probe. The everyday run moves that moment in the database; CHRONOS_ROUNDS=2
also waits for it.
"""
import collections
import os
import pathlib
import tempfile

import pytest

from attempts import attempt, begin, end, names
from chronos import SLOW, Server, metric, wait_until
from cluster import Cluster, Target, database, lease_settings

ROUNDS = int(os.environ.get("CHRONOS_ROUNDS", "1"))
LEASE_S, HEARTBEAT_S = 8 * SLOW, SLOW
FAILURES, WAIT_S, RUNS = 5, 30, 24
CHANGE_BREAKER = 4


@pytest.fixture(scope="module")
def store():
    with database("postgres") as made:
        yield made


@pytest.fixture(scope="module")
def two(store, tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("two"), 2, store.env()["CHRONOS_TEST_DB_URL"],
                   **lease_settings(LEASE_S, HEARTBEAT_S))
    try:
        yield made.start()
    finally:
        made.close()


@pytest.fixture
def target():
    """Not started: nobody listens there."""
    with tempfile.TemporaryDirectory(prefix="chronos-target-") as folder:
        made = Target(pathlib.Path(folder))
        yield made
        made.stop()


def state(node, url):
    listed = node.call("GET", "/breakers")
    assert listed.status == 200, listed.body
    return next((b for b in listed.json["content"] if b["target"] == url), {"state": None})


def wait_state(cluster, url, word, seconds=20):
    for node in cluster.nodes:
        wait_until(lambda node=node: state(node, url)["state"] == word, seconds, f"{word} at {node.name}")


def make_due(store):
    """The wait of every open breaker is over."""
    store.sql("UPDATE breakers SET wait_until = since, version = version + 1 WHERE state = 1;"
              f"INSERT INTO changes (kind, subject, sender, at) SELECT {CHANGE_BREAKER}, id, 0,"
              " CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint) FROM breakers;"
              "NOTIFY chronos_changes", name="chronos")


def many(cluster, url, count=RUNS):
    """Runs of as many jobs, so that every node has some, started through both; by class of failure."""
    ids = [begin(cluster.nodes[i % 2], "HTTP", {"httpUrl": url}, retryPolicy={"maxAttempts": 1}) for i in range(count)]
    return [end(cluster.nodes[0], i, seconds=40) for i in ids]


def classes(runs):
    return collections.Counter(run["errorClass"] or run["status"] for run in runs)


def test_one_probe_of_all_nodes(two, store, target):
    node = two.nodes[0]
    for _ in range(2 * FAILURES):  # five in a row on one of the nodes
        if state(node, target.url)["state"] == "OPEN":
            break
        attempt(node, "HTTP", {"httpUrl": target.url}, retryPolicy={"maxAttempts": 1})
    wait_state(two, target.url, "OPEN")
    seen = state(node, target.url)
    assert seen["failures"] == FAILURES and seen["node"] in ("n1", "n2") and seen["nextProbe"]
    assert set(classes(many(two, target.url))) == {"CIRCUIT_OPEN"}

    target.start()
    make_due(store)
    wait_until(lambda: all(state(n, target.url)["nextProbe"] <= state(n, target.url)["since"] for n in two.nodes),
               what="nodes that know")
    runs = many(two, target.url + "/hold")  # the probe takes half a second
    calls = len([c for c in target.starts()])
    by_class = classes(runs)
    assert by_class["CIRCUIT_OPEN"] >= 1 and by_class["SUCCEEDED"] >= 1, by_class
    wait_state(two, target.url, "CLOSED")
    assert sum("CIRCUIT_OPEN" not in (run["errorClass"] or "") for run in runs) == calls
    # What started before the probe ended was held back: of those that overlap with it, it is the only one.
    probe = min((run for run in runs if run["status"] == "SUCCEEDED"), key=lambda run: run["startTime"])
    beside = [run for run in runs if run["status"] == "SUCCEEDED" and run["startTime"] < probe["endTime"]]
    assert beside == [probe]
    assert classes(many(two, target.url, 6)) == {"SUCCEEDED": 6}
    assert sum(metric(n, "chronos_breaker_probes_total") for n in two.nodes) == 1


def test_a_reset_is_for_all_nodes(two, target):
    node = two.nodes[0]
    for _ in range(2 * FAILURES):
        if state(node, target.url)["state"] == "OPEN":
            break
        attempt(node, "HTTP", {"httpUrl": target.url}, retryPolicy={"maxAttempts": 1})
    wait_state(two, target.url, "OPEN")
    target.start()
    two.nodes[1].cli("breaker", "reset", target.url, check=0)
    wait_state(two, target.url, "CLOSED")
    assert classes(many(two, target.url, 6)) == {"SUCCEEDED": 6}
    assert "circuit reset" in two.nodes[1].log_text()


@pytest.mark.skipif(ROUNDS < 2, reason="waits half a minute: CHRONOS_ROUNDS=2")
def test_the_probe_comes_by_itself(two, target):
    node = two.nodes[0]
    for _ in range(2 * FAILURES):
        if state(node, target.url)["state"] == "OPEN":
            break
        attempt(node, "HTTP", {"httpUrl": target.url}, retryPolicy={"maxAttempts": 1})
    target.start()
    job = node.create(name=f"patient-{next(names)}", type="HTTP", schedule={"scheduleType": "MANUAL"},
                      payload={"httpUrl": target.url}, retryPolicy={"maxAttempts": 3, "backoffSeconds": 1})
    node.call("POST", f"/jobs/{job['id']}:run-now")
    # The next attempt waits as long as the breaker does.
    wait_until(lambda: any(r["status"] == "SUCCEEDED" for r in node.runs(job["id"])), (WAIT_S + 10) * SLOW, "a success")
    assert sorted(r["status"] for r in node.runs(job["id"])) == ["FAILED", "SUCCEEDED"]
    wait_state(two, target.url, "CLOSED")


def test_half_of_twenty_answers_that_are_faults(tmp_path):
    server = Server(tmp_path / "one").start()
    server.login()
    broken = Target(tmp_path / "broken")
    broken.answers = "if ($request_uri ~ bad) { return 503; } return 204;"
    broken.start()
    try:
        for i in range(20):
            attempt(server, "HTTP", {"httpUrl": broken.url + ("/bad" if i % 2 else "/good")},
                    retryPolicy={"maxAttempts": 1})
        assert state(server, broken.url)["state"] == "OPEN"
        held = attempt(server, "HTTP", {"httpUrl": broken.url + "/good"}, retryPolicy={"maxAttempts": 1})
        assert held["errorClass"] == "CIRCUIT_OPEN" and broken.url in held["errorMessage"]
        assert len(broken.starts()) == 20
        refused = [attempt(server, "HTTP", {"httpUrl": broken.url + "/404"}, retryPolicy={"maxAttempts": 1})
                   for _ in range(2)]  # still the same target
        assert classes(refused) == {"CIRCUIT_OPEN": 2}
        assert metric(server, "chronos_breakers_opened_total") == 1
        assert metric(server, "chronos_breaker_refusals_total") == 3
    finally:
        broken.stop()
        server.stop()
