# SPDX-License-Identifier: Apache-2.0
"""Requests with an Idempotency-Key on real nodes: races over three of them, kill -9 in between, both databases."""
import concurrent.futures
import os
import signal
import uuid

import pytest

from chronos import Server, wait_until
from cluster import Cluster, database

ROUNDS = int(os.environ.get("CHRONOS_ROUNDS", "1"))
THREADS, KEYS, KILLS = 16, 6 * ROUNDS, 3 * ROUNDS
MANUAL = {"type": "DUMMY", "schedule": {"scheduleType": "MANUAL"}}


@pytest.fixture(scope="module", params=["postgres", "mariadb"])
def cluster(request, tmp_path_factory):
    with database(request.param) as server:
        made = Cluster(tmp_path_factory.mktemp(request.param), 3, server.env()["CHRONOS_TEST_DB_URL"])
        try:
            yield made.start()
        finally:
            made.close()


def create(node, name, key):
    return node.call("POST", "/jobs", {"name": name, **MANUAL}, headers={"Idempotency-Key": key})


def named(node, name):
    return node.call("GET", f"/jobs?name={name}").json["totalElements"]


def test_of_sixteen_at_once_on_three_nodes_one_creates_the_job(cluster):
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        for _ in range(KEYS):
            name = key = uuid.uuid4().hex
            answers = list(pool.map(lambda i: create(cluster.nodes[i % 3], name, key), range(THREADS)))
            assert {a.status for a in answers} <= {201, 409}, [a.status for a in answers]
            for busy in (a for a in answers if a.status == 409):
                assert int(busy.headers["Retry-After"]) >= 1
            ids = {a.json["id"] for a in answers if a.status == 201}
            assert len(ids) == 1
            # Afterwards every node gives the first answer.
            again = [create(node, name, key) for node in cluster.nodes]
            assert [(a.status, a.json["id"], a.headers["Idempotency-Replayed"]) for a in again] == \
                [(201, *ids, "true")] * 3
            assert named(cluster.nodes[0], name) == 1


def test_runs_start_once(cluster):
    job = cluster.nodes[0].create(name="started", **MANUAL)["id"]
    key = uuid.uuid4().hex

    def start(i):
        return cluster.nodes[i % 3].call("POST", f"/jobs/{job}:run-now", {}, headers={"Idempotency-Key": key})
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(start, range(THREADS)))
    assert len({a.json["id"] for a in answers if a.status == 202}) == 1
    assert cluster.nodes[1].call("GET", f"/jobs/{job}/runs").json["totalElements"] == 1


def test_a_killed_server_creates_nothing_twice(tmp_path):
    server = Server(tmp_path / "server").start()
    server.login()
    try:
        for turn in range(KILLS):
            keys = [uuid.uuid4().hex for _ in range(40)]
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                asked = [pool.submit(create, server, key, key) for key in keys]
                wait_until(lambda: sum(a.done() for a in asked) > 3 + 7 * turn, what="some answers")
                server.process.send_signal(signal.SIGKILL)
                server.process.wait()
            first = {key: a.result().json["id"] for key, a in zip(keys, asked)
                     if a.exception() is None and a.result().status == 201}
            server.start()
            server.login()

            def settled(key):
                answer = create(server, key, key)
                return answer if answer.status != 409 or "Retry-After" not in answer.headers else None
            for key in keys:
                answer = wait_until(lambda: settled(key), 60, "the end of a dead claim")
                assert answer.status == 201, answer.body
                assert first.get(key, answer.json["id"]) == answer.json["id"]
                assert named(server, key) == 1
    finally:
        server.stop()


def test_another_request_with_the_key_is_refused_and_keys_belong_to_users(cluster):
    node, key = cluster.nodes[0], uuid.uuid4().hex
    assert create(node, "one", key).status == 201
    refused = create(cluster.nodes[1], "another", key)
    assert (refused.status, refused.json["code"]) == (422, "UNPROCESSABLE")
