# SPDX-License-Identifier: Apache-2.0
"""Feature flags: who may turn what off, that each really acts, that it lasts and that every node follows."""
import time

import cluster
import edge
from chronos import Server, wait_until
from receiver import Receiver

FLAGS = {"schedule", "run-now", "scripts", "registration", "kafka-requests", "notifications"}
FOLLOW_S = 5
SECRET = "whsec_c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0"
MANUAL = {"scheduleType": "MANUAL"}


def flags(server):
    answer = server.call("GET", "/actuator/features", base="")
    assert answer.status == 200, answer.body
    return {f["name"]: f["enabled"] for f in answer.json["content"]}


def turn(server, name, enabled):
    answer = server.call("PUT", f"/actuator/features/{name}", {"enabled": enabled}, base="")
    assert answer.status == 200, answer.body
    assert answer.json["enabled"] is enabled
    return answer.json


def every_second(server, name):
    return server.create(name=name, type="DUMMY", payload={}, schedule={"scheduleType": "INTERVAL", "intervalMs": 1000})


def ended(server, run):
    def look():
        now = server.call("GET", f"/runs/{run['id']}").json
        return now if now["status"] not in ("QUEUED", "RUNNING") else None
    return wait_until(look, what="the end of the run")


def run_now(server, job):
    answer = server.call("POST", f"/jobs/{job['id']}:run-now")
    assert answer.status == 202, answer.body
    return answer.json


def test_all_are_on_and_anybody_may_see_them_but_only_an_administrator_turns_them(server):
    assert flags(server) == dict.fromkeys(FLAGS, True)
    token = edge.user(server, "user@example.com")
    assert edge.as_user(server, token, "GET", "/actuator/features", base="").status == 200
    for roles in (("USER",), ("OPERATOR",), ("VIEWER",), ("AUDITOR",)):
        token = edge.user(server, f"{roles[0].lower()}2@example.com", roles)
        refused = edge.as_user(server, token, "PUT", "/actuator/features/schedule", {"enabled": False}, base="")
        assert refused.status == 403
    assert server.call("PUT", "/actuator/features/schedule", {"enabled": False}, base="", auth=False).status == 401
    assert server.call("PUT", "/actuator/features/nonsense", {"enabled": False}, base="").status == 404
    assert server.call("PUT", "/actuator/features/schedule", {}, base="").status == 400
    assert server.call("PUT", "/actuator/features/schedule", {"enabled": "no"}, base="").status == 400
    assert flags(server) == dict.fromkeys(FLAGS, True)


def test_without_the_schedule_nothing_starts_by_it_and_the_rest_goes_on(server):
    job = every_second(server, "ticking")
    wait_until(lambda: server.runs(job["id"]), what="the first run")
    turn(server, "schedule", False)
    started = len(server.runs(job["id"]))
    by_hand = ended(server, run_now(server, job))
    assert by_hand["status"] == "SUCCEEDED"
    time.sleep(2.5)  # of a job that is due every second
    seen = [r for r in server.runs(job["id"]) if r["id"] != by_hand["id"]]
    assert len(seen) <= started + 1  # one may have been decided when the flag came
    other = every_second(server, "made-meanwhile")
    assert not server.runs(other["id"])
    turn(server, "schedule", True)
    wait_until(lambda: server.runs(other["id"]) and len(server.runs(job["id"])) > len(seen) + 1, what="runs afterwards")


def test_it_lasts_over_a_restart(server):
    turn(server, "schedule", False)
    job = every_second(server, "ticking")
    server.kill()
    server.start()
    server.login()
    assert flags(server)["schedule"] is False
    time.sleep(1.5)
    assert not server.runs(job["id"])
    turn(server, "schedule", True)
    wait_until(lambda: server.runs(job["id"]), what="a run")


def test_without_run_now_nothing_starts_by_hand(server):
    job = server.create(name="once", type="DUMMY", payload={}, schedule=MANUAL)
    old = ended(server, run_now(server, job))
    turn(server, "run-now", False)
    for path in (f"/jobs/{job['id']}:run-now", f"/runs/{old['id']}:retry"):
        refused = server.call("POST", path)
        assert refused.status == 403 and "run-now" in refused.json["detail"], refused.body
    turn(server, "run-now", True)
    assert ended(server, run_now(server, job))["status"] == "SUCCEEDED"


def test_without_scripts_their_attempts_fail_with_a_sentence(server):
    job = server.create(name="script", type="SCRIPT", payload={"script": "#!/bin/sh\necho hello\n"}, schedule=MANUAL)
    turn(server, "scripts", False)
    failed = ended(server, run_now(server, job))
    assert failed["status"] in ("FAILED", "DEAD") and "feature \"scripts\"" in failed["errorMessage"], failed
    turn(server, "scripts", True)
    assert ended(server, run_now(server, job))["status"] == "SUCCEEDED"


def test_without_registration_only_administrators_make_accounts(server):
    body = {"email": "new@example.com", "password": edge.PASSWORD}
    turn(server, "registration", False)
    refused = server.call("POST", "/auth/register", body, auth=False)
    assert refused.status == 403 and "registration" in refused.json["detail"]
    assert server.call("POST", "/auth/register", {**body, "email": "made@example.com"}).status == 201
    turn(server, "registration", True)
    assert server.call("POST", "/auth/register", body, auth=False).status == 201


def test_a_flag_never_allows_what_a_setting_forbids(tmp_path):
    server = Server(tmp_path / "server", CHRONOS_PROFILE="production").start()
    server.login()
    turn(server, "scripts", True)
    turn(server, "registration", True)
    body = {"email": "new@example.com", "password": edge.PASSWORD}
    assert server.call("POST", "/auth/register", body, auth=False).status == 403
    job = server.create(name="script", type="SCRIPT", payload={"script": "#!/bin/sh\necho hello\n"}, schedule=MANUAL)
    assert ended(server, run_now(server, job))["status"] in ("FAILED", "DEAD")
    server.stop()


def test_the_command_line_turns_them_too(server):
    server.cli("feature", "disable", "run-now", "scripts", check=0)
    assert [name for name, on in flags(server).items() if not on] == ["run-now", "scripts"]
    listed = server.cli("feature", "list", check=0).stdout
    assert all(name in listed for name in FLAGS)
    server.cli("feature", "enable", "run-now", "scripts", check=0)
    assert all(flags(server).values())
    assert server.cli("feature", "disable", "nonsense").returncode != 0


def test_each_change_is_in_the_audit_trail(server):
    turn(server, "scripts", False)
    server.call("PUT", "/actuator/loglevel", {"level": "debug"}, base="")
    server.call("PUT", "/actuator/loglevel", {"level": "info"}, base="")

    def actions():
        answer = server.call("GET", "/audit?size=100")
        assert answer.status == 200, answer.body
        return {r["action"] for r in answer.json["content"]}
    wait_until(lambda: {"feature.disable", "log.level"} <= actions(), what="the records")


def test_without_notifications_they_wait(server):
    with Receiver() as receiver:
        job = server.create(name="told", type="DUMMY", payload={}, schedule=MANUAL)
        made = server.call("POST", f"/jobs/{job['id']}/notifications",
                           {"channel": "WEBHOOK", "config": {"url": receiver.url("/hook"), "secrets": [SECRET]},
                            "groupSeconds": 0, "events": ["succeeded"]})
        assert made.status == 201, made.body
        turn(server, "notifications", False)
        ended(server, run_now(server, job))
        wait_until(lambda: server.call("GET", "/notifications/deliveries").json["content"], what="the message that waits")
        time.sleep(1)
        assert not receiver.requests
        turn(server, "notifications", True)
        wait_until(lambda: receiver.requests, what="the message")


def test_every_node_follows(tmp_path):
    database = cluster.database("postgres").start()
    nodes = []
    try:
        for name in ("one", "two"):
            node = cluster.Node(tmp_path / name, name, url=database.url(), CHRONOS_AUTH_KEY="k" * 40,
                                CHRONOS_SECRETS_KEY="s" * 40).start()
            node.login()
            nodes.append(node)
        one, two = nodes
        job = every_second(one, "ticking")
        wait_until(lambda: one.runs(job["id"]), what="the first run")
        begin = time.monotonic()
        turn(one, "schedule", False)
        wait_until(lambda: flags(two)["schedule"] is False, FOLLOW_S, what="the other node's flag")
        assert time.monotonic() - begin < FOLLOW_S
        time.sleep(0.5)  # what was being written
        before = len(one.runs(job["id"]))
        time.sleep(2.5)
        assert len(one.runs(job["id"])) == before
        turn(two, "schedule", True)
        wait_until(lambda: len(one.runs(job["id"])) > before, 10, what="runs afterwards")
    finally:
        for node in nodes:
            node.stop()
        database.stop()
