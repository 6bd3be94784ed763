# SPDX-License-Identifier: Apache-2.0
"""What operators see and do of a real cluster: nodes, draining, and event streams from every node."""
import contextlib
import http.client
import json
import socket
import threading

import pytest

from chronos import SLOW, metric, wait_until
from cluster import Cluster, database

SLOTS = 256
LEASE_S = 15 * SLOW
STREAM_SECONDS = 60 * SLOW


@pytest.fixture(scope="module", params=["postgres", "mariadb"])
def cluster(request, tmp_path_factory):
    with database(request.param) as server:
        made = Cluster(tmp_path_factory.mktemp(request.param), 2, server.env()["CHRONOS_TEST_DB_URL"],
                       CHRONOS_CLUSTER_LEASESECONDS=str(LEASE_S), CHRONOS_CLUSTER_HEARTBEATSECONDS=str(LEASE_S // 5))
        try:
            yield made.start()
        finally:
            made.close()


def nodes(node):
    answer = node.call("GET", "/cluster/nodes")
    assert answer.status == 200, answer.body
    return {one["name"]: one for one in answer.json["content"] if one["state"] != "DEAD"}


class Follower(threading.Thread):
    """Reads an event stream of one node until it ends or is told to stop."""

    def __init__(self, node, path):
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection(node.host, node.port, timeout=STREAM_SECONDS)
        self.connection.request("GET", "/api/v1" + path, headers={"Authorization": f"Bearer {node.token}"})
        self.socket = self.connection.sock
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200
        self.events = []
        self.ended = threading.Event()
        self.start()

    def run(self):
        name = None
        try:
            for line in self.answer:
                text = line.decode().rstrip("\n")
                if text.startswith("event: "):
                    name = text[7:]
                elif text.startswith("data: "):
                    self.events.append((name, json.loads(text[6:])))
                    name = None
        except (OSError, http.client.HTTPException):  # shut down by close
            pass
        self.ended.set()

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.join()
        self.connection.close()


def test_every_node_tells_the_same_of_all(cluster):
    for node in cluster.nodes:
        seen = nodes(node)
        assert set(seen) == {"n1", "n2"}
        assert all(one["state"] == "ACTIVE" and not one["drainWanted"] for one in seen.values())
        assert sum(one["slots"] for one in seen.values()) == SLOTS and min(one["slots"] for one in seen.values()) > 0
        assert {name for name, one in seen.items() if one["self"]} == {node.name}
        assert all(0 <= one["leaseAgeMs"] < LEASE_S * 1000 and abs(one["clockOffsetMs"]) < 5000 for one in seen.values())
        assert {one["address"] for one in seen.values()} == {each.url for each in cluster.nodes}
        info = node.call("GET", "/actuator/cluster-info", base="").json
        assert info["clustered"] and info["leased"] and info["viewAgreed"] and not info["draining"]
        assert info["node"] == node.name and info["nodes"] == 2
        # What it decides for is what the views say as soon as the others have let go of it.
        wait_until(lambda n=node: n.call("GET", "/actuator/cluster-info", base="").json["slots"] == nodes(n)[n.name]["slots"],
                   what="its share")


def test_a_drained_node_hands_everything_over_and_comes_back(cluster):
    first, second = cluster.nodes
    jobs = first.create_many([{"name": f"tick {i}", "type": "DUMMY",
                               "schedule": {"scheduleType": "INTERVAL", "intervalSeconds": 1}} for i in range(20)])
    try:
        wait_until(lambda: {run["workerId"] for run in first.runs()} == {"n1", "n2"}, what="runs on both nodes")
        assert first.call("POST", "/cluster/nodes/nobody:drain").status == 404
        told = first.cli("node", "drain", "n2", "--wait", "--timeout", "60s", check=0)
        assert "node n2 is empty" in told.stderr
        seen = nodes(first)
        assert seen["n2"]["state"] == "DRAINING" and seen["n2"]["drainWanted"] and seen["n2"]["slots"] == 0
        wait_until(lambda: nodes(first)["n1"]["slots"] == SLOTS, what="n1 decides for everything")
        assert second.call("GET", "/actuator/cluster-info", base="").json["draining"]
        before = metric(second, "chronos_runs_total")
        here = metric(first, "chronos_runs_total")
        wait_until(lambda: metric(first, "chronos_runs_total") > here + 40, what="n1 runs all jobs")
        assert metric(second, "chronos_runs_total") == before, "a drained node starts nothing"
        assert second.create(name="made on a drained node", type="DUMMY", schedule={"scheduleType": "MANUAL"})
        assert "node n2 is asked to take part again" in second.cli("node", "resume", "n2", check=0).stdout
        wait_until(cluster.complete, what="both decide again")
        wait_until(lambda: nodes(first)["n2"]["state"] == "ACTIVE" and nodes(first)["n2"]["slots"] > 0, what="n2 decides again")
        names = first.cli("node", "list", "-o", "name", check=0).stdout.split()
        assert set(names) == {"n1", "n2"}
    finally:
        for job in jobs:
            first.call("DELETE", f"/jobs/{job['id']}")


def test_a_log_is_followed_from_the_other_node(cluster, tmp_path):
    """The script goes on only when its lines were seen elsewhere."""
    gate = tmp_path / "gate"
    job = cluster.nodes[0].create(name="talks", type="SCRIPT", schedule={"scheduleType": "MANUAL"}, payload={
        "script": f"#!/bin/sh\necho first\nwhile [ ! -e {gate} ]; do sleep 0.1; done\necho second\n", "timeoutSeconds": 60})
    run = cluster.nodes[0].call("POST", f"/jobs/{job['id']}:run-now").json
    path = f"/jobs/{job['id']}/runs/{run['id']}"
    followers = [Follower(node, path + "/logs:stream") for node in cluster.nodes]
    try:
        for follower in followers:
            wait_until(lambda f=follower: any(data.get("message") == "first" for _, data in f.events), what="the first line")
        assert not any(follower.ended.is_set() for follower in followers), [follower.events for follower in followers]
        gate.touch()
        for follower in followers:
            assert follower.ended.wait(30 * SLOW), "the stream ends with the run"
            assert any(data.get("message") == "second" for _, data in follower.events)
            assert follower.events[-1] == ("end", {"status": "SUCCEEDED"})
            ids = [data["id"] for name, data in follower.events if name is None]
            assert ids == sorted(set(ids)), "each line once, in order"
    finally:
        gate.touch()
        for follower in followers:
            follower.close()


def test_changes_of_all_runs_are_heard_on_every_node(cluster):
    jobs = cluster.nodes[0].create_many([{"name": f"once {i}", "type": "DUMMY", "schedule": {"scheduleType": "MANUAL"}}
                                         for i in range(8)])
    followers = [Follower(node, "/events") for node in cluster.nodes]
    try:
        runs = [cluster.nodes[0].call("POST", f"/jobs/{job['id']}:run-now").json["id"] for job in jobs]
        for follower in followers:
            wait_until(lambda f=follower: set(runs) <= {data["runId"] for name, data in f.events
                                                        if name == "run" and data["status"] == "SUCCEEDED"}, what="all ends")
            told = [(data["runId"], data["status"]) for name, data in follower.events if name == "run"]
            assert len(told) == len(set(told)), "each change once"
    finally:
        for follower in followers:
            follower.close()
