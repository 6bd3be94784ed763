# SPDX-License-Identifier: Apache-2.0
"""Real nodes on one real database: each instant fires once, and nothing is lost when nodes or the database go.

Everyday run; CHRONOS_ROUNDS=20 repeats the fires of one instant, bench/chaos.py is the long proof. The database servers
are started by the tests; CHRONOS_DATABASES=postgres chooses.
"""
import collections
import os
import pathlib
import random
import tempfile
import time

import pytest

from chronos import SLOW, wait_until
from cluster import Cluster, Faults, Load, Target, database, keep, lease_settings, now_ms, takeover_ms, takeover_seconds

ROUNDS = int(os.environ.get("CHRONOS_ROUNDS", "1"))
AT_ONCE = int(os.environ.get("CHRONOS_AT_ONCE", "1000"))
DATABASES = os.environ.get("CHRONOS_DATABASES", "postgres,mariadb").split(",")
SCHEDULES = 60
LEASE_S, HEARTBEAT_S = 8 * SLOW, SLOW  # short, so that the everyday run need not wait
RUN_NOW_JOBS = 16
# A node that nobody wakes looks every second; claim, start and the first line of a script on a busy machine come after.
RUN_NOW_MS = 1000 + 500 * SLOW
BACK_MS = 5000 * SLOW
HEALTHY_WINDOW_MS = 2000 * SLOW


@pytest.fixture(scope="module", params=DATABASES)
def server(request):
    try:
        made = database(request.param)
    except ModuleNotFoundError as missing:
        pytest.skip(f"no test server {request.param}: {missing}")
    with made:
        yield made


@pytest.fixture(scope="module")
def target():
    with tempfile.TemporaryDirectory(prefix="chronos-target-") as folder:
        made = Target(pathlib.Path(folder)).start()
        yield made
        made.stop()


@pytest.fixture(scope="module")
def three(server, tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("three"), 3, server.env()["CHRONOS_TEST_DB_URL"],
                   **lease_settings(LEASE_S, HEARTBEAT_S))
    try:
        yield made.start()
    finally:
        made.close()


@pytest.fixture
def whole(three):
    """The cluster of three with all its nodes up, whatever the test before did to it."""
    for node in three.nodes:
        if not node.running:
            node.start()
        node.login()
    wait_until(three.complete, 60, "a cluster of all nodes")
    return three


def loaded(cluster, target, seconds):
    begin = now_ms() + 1000 * SLOW
    load = Load(cluster, target, begin, begin + seconds * 1000)
    load.grids(SCHEDULES, steps=(1000, 2000, 5000))
    load.onces(SCHEDULES)
    time.sleep(max(0, begin - now_ms()) / 1000)
    return load


def judged(load, name, tmp_path, window, faults=()):
    verdict = load.settle(window, faults)
    print(name, verdict.counts())
    if not verdict.clean:
        folder = keep(tmp_path, name)
        (folder / "access.log").write_bytes((load.target.folder / "access.log").read_bytes())
        print("history:", folder)
    assert verdict.clean, verdict.text()
    return verdict


def fire_at_one_instant(cluster, target, tmp_path, name):
    for _ in range(ROUNDS):
        due = now_ms() + (1000 + AT_ONCE) * SLOW
        load = Load(cluster, target, due, due + 1)
        load.same_instant(AT_ONCE, due)
        verdict = judged(load, name, tmp_path, HEALTHY_WINDOW_MS + 5 * AT_ONCE)
        assert verdict.starts == AT_ONCE
        workers = collections.Counter(run["workerId"] for run in load.runs())
        print(name, "shares", dict(workers))
        assert len(workers) == len(cluster.nodes), "a node did nothing"


def test_jobs_of_one_instant_fire_once_each_on_two_nodes(server, target, tmp_path):
    cluster = Cluster(tmp_path / "two", 2, server.env()["CHRONOS_TEST_DB_URL"])
    try:
        fire_at_one_instant(cluster.start(), target, tmp_path, "two-nodes")
    finally:
        cluster.close()


def test_jobs_of_one_instant_fire_once_each_on_three_nodes(whole, target, tmp_path):
    fire_at_one_instant(whole, target, tmp_path, "three-nodes")


def test_run_now_on_any_node_starts_within_a_second(whole, target):
    made = Load(whole, target, 0, 0).manuals(RUN_NOW_JOBS)
    asked = {}
    for job in made:
        for node in whole.nodes:
            before = now_ms()
            answer = node.call("POST", f"/jobs/{job['id']}:run-now", {})
            assert answer.status == 202, answer.body
            asked[answer.json["id"]] = (before, node.name)

    def seen():
        found = {start.run: start for start in target.starts() if start.run in asked}
        return found if len(found) == len(asked) else None
    found = wait_until(seen, 10, "all runs asked for")
    workers = {run["id"]: run["workerId"] for run in whole.nodes[0].runs() if run["id"] in asked}
    delays = {where: sorted(found[id].at - at for id, (at, node) in asked.items() if (workers[id] == node) == here)
              for where, here in (("here", True), ("elsewhere", False))}
    told = {where: (len(some), round(some[len(some) // 2]), round(some[-1])) for where, some in delays.items() if some}
    print("run-now (count, median ms, max ms) by the node that ran it:", told)
    assert all(some[-1] <= RUN_NOW_MS for some in delays.values() if some), told


def test_a_killed_node_loses_nothing(whole, target, tmp_path):
    promised = takeover_seconds(LEASE_S, HEARTBEAT_S) * 1000
    load = loaded(whole, target, seconds=LEASE_S + 4)
    faults, victim = Faults(), whole.nodes[random.randrange(3)]
    wait_until(lambda: len(load.starts()) > SCHEDULES, what="the first runs")
    with faults.during("kill", victim.name, owner_lost=True):
        victim.kill()
        killed = now_ms()
        before = {run["jobId"] for run in load.runs() if run["workerId"] == victim.name}
        mine = {job.id for job in load.jobs if job.step and job.id in before}
        assert mine, "the killed node had no job of its own"
        time.sleep(max(0, load.end - now_ms()) / 1000)
    verdict = judged(load, f"kill-{victim.name}", tmp_path, promised, faults)
    took = takeover_ms(mine, load.starts(), killed, load.jobs)
    print(f"takeover of {len(mine)} jobs after kill -9: {took} ms of {promised} ms; again: {verdict.extra_explained}")
    assert took is not None and took <= promised


def test_a_rolling_restart_loses_and_doubles_nothing(whole, target, tmp_path):
    load, faults = loaded(whole, target, seconds=6), Faults()
    for node in whole.nodes:
        with faults.during("restart", node.name):
            assert node.stop() == 0
            node.start()
            node.login()
    wait_until(whole.complete, 60, "a cluster of all nodes")
    took = now_ms() - load.begin
    verdict = judged(load, "rolling", tmp_path, BACK_MS, faults)
    assert verdict.extra_explained == 0
    print("rolling restart took", took, "ms")


def test_a_restart_of_the_database_is_survived(whole, server, target, tmp_path):
    load, faults = loaded(whole, target, seconds=7), Faults()
    wait_until(lambda: len(load.starts()) > SCHEDULES, what="the first runs")
    with faults.during("database"):
        server.restart()
    back = now_ms()
    first = wait_until(lambda: [start.at for start in load.starts() if start.at > back], 30, "runs after the restart")[0]
    print("first start after the database was back:", round(first - back), "ms")
    assert first - back <= BACK_MS
    verdict = judged(load, "database", tmp_path, BACK_MS, faults)
    assert verdict.extra_explained == 0
    assert not whole.unfinished()
