# SPDX-License-Identifier: Apache-2.0
"""Telling people, end to end: a job fails and recovers, the server dies in between, the target is away or gone for good.

After a first try that failed the next one comes after 5 s; everything slower is proved in virtual time
(src/app/notifier_test.c).
"""
import contextlib
import json
import os
import sqlite3
import threading

import pytest
from chronos import SLOW, Server, wait_until
from cluster import Cluster, database, lease_settings
from receiver import Receiver

ROUNDS = int(os.environ.get("CHRONOS_ROUNDS", "1"))
SECRET = "whsec_c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0"
HOOK, BAD, GOOD = "/hook", (500, {}, b"broken"), (200, {}, b"ok")


class Answers(dict):
    """Answers that may be held back."""

    def __init__(self):
        super().__init__()
        self.path, self.arrived, self.go = None, threading.Event(), threading.Event()

    def get(self, path, otherwise=None):
        if path == self.path:
            self.arrived.set()
            self.go.wait(60)
        return super().get(path, otherwise)

    @contextlib.contextmanager
    def held(self, path):
        self.path = path
        try:
            yield self.arrived
        finally:
            self.path = None
            self.go.set()


@pytest.fixture
def receiver():
    with Receiver() as made:
        made.answers = Answers()
        made.answers["/job"] = BAD
        yield made


def create_job(server, receiver, name="nightly", **more):
    """Fails or succeeds as the receiver answers at /job."""
    return server.create(**{"name": name, "type": "HTTP", "schedule": {"scheduleType": "MANUAL"},
                            "retryPolicy": {"maxAttempts": 1}, "payload": {"httpUrl": receiver.url("/job")}, **more})


def run(server, made):
    answer = server.call("POST", f"/jobs/{made['id']}:run-now", {})
    assert answer.status == 202, answer.body
    ended = ("SUCCEEDED", "FAILED")
    return wait_until(lambda: (r := server.call("GET", f"/runs/{answer.json['id']}").json)["status"] in ended and r,
                      what="the end of the run")


def subscribe(server, receiver, made=None, path=HOOK, **more):
    answer = server.call("POST", f"/jobs/{made['id']}/notifications" if made else "/notifications",
                         {"channel": "WEBHOOK", "config": {"url": receiver.url(path), "secrets": [SECRET]},
                          "groupSeconds": 0, **more})
    assert answer.status == 201, answer.body
    return answer.json


def told(receiver, path=HOOK):
    """Messages at the path in their order: headers by lower-case name, and the body."""
    return [({k.lower(): v for k, v in headers.items()}, json.loads(body))
            for _, at, headers, body in list(receiver.requests) if at == path]


def events(receiver, path=HOOK):
    return [body["type"] for _, body in told(receiver, path)]


def events_of(receiver, made):
    return [body["type"] for _, body in told(receiver) if body["data"]["job"]["id"] == made["id"]]


def deliveries(server, query=""):
    answer = server.call("GET", f"/notifications/deliveries{query}")
    assert answer.status == 200, answer.body
    return answer.json["content"]


def wait_events(receiver, expected, path=HOOK, seconds=20):
    wait_until(lambda: events(receiver, path) == expected, seconds, f"{expected} at {path}, not {events(receiver, path)}")


def test_one_failure_and_one_recovery(server, receiver):
    made = create_job(server, receiver, tags=["billing"])
    subscribe(server, receiver, made)
    subscribe(server, receiver, path="/tag", tag="billing", events=["dead", "started"])
    subscribe(server, receiver, path="/other", tag="else", events=["dead", "started", "succeeded"])
    first = run(server, made)
    wait_events(receiver, ["run.failed"])
    run(server, made)  # the same failure is not told again
    receiver.answers["/job"] = GOOD
    run(server, made)
    wait_events(receiver, ["run.failed", "run.recovered"])
    run(server, made)
    wait_events(receiver, ["run.started", "run.dead"] + ["run.started"] * 3, "/tag")
    assert events(receiver) == ["run.failed", "run.recovered"]
    assert events(receiver, "/other") == []
    headers, body = told(receiver)[0]
    assert body["data"]["run"]["id"] == first["id"] and body["data"]["job"]["name"] == "nightly"
    sent = deliveries(server, "?status=SENT&size=50")
    assert {d["id"] for d in sent} >= {h["webhook-id"] for h, _ in told(receiver)}
    assert all(d["tries"] == 1 and d["code"] == 200 for d in sent)


def test_nothing_is_written_that_nobody_wants(server, receiver):
    made = create_job(server, receiver)
    run(server, made)
    quiet = subscribe(server, receiver, made, enabled=False)
    run(server, made)
    answer = server.call("PATCH", f"/notifications/{quiet['id']}", {"enabled": True, "events": ["failed"]})
    assert answer.status == 200, answer.body
    run(server, made)
    wait_events(receiver, ["run.failed"])
    assert server.call("DELETE", f"/jobs/{made['id']}/notifications/{quiet['id']}").status == 204
    run(server, made)
    assert server.call("GET", f"/jobs/{made['id']}/notifications").json["content"] == []
    assert events(receiver) == ["run.failed"]


def test_a_server_that_dies_before_it_has_told(tmp_path, receiver):
    """The target hangs, so that what is written is not sent when the server is killed."""
    server = Server(tmp_path / "server").start()
    server.login()
    try:
        made = create_job(server, receiver)
        subscribe(server, receiver, made)
        with receiver.answers.held(HOOK) as arrived:
            run(server, made)
            assert arrived.wait(20), "no message on its way"
            server.kill()
        before = told(receiver)[0][0]["webhook-id"]
        server.start()
        wait_until(lambda: len(told(receiver)) == 2, what="the message once more")
        wait_until(lambda: deliveries(server)[0]["status"] == "SENT", what="the end of the message")
        assert {h["webhook-id"] for h, _ in told(receiver)} == {before}
        assert len(deliveries(server)) == 1
    finally:
        server.stop()


def test_a_target_that_is_away_holds_up_nobody(server, receiver):
    made = create_job(server, receiver)
    subscribe(server, receiver, made, path="/away")
    subscribe(server, receiver, made)
    receiver.answers["/away"] = (503, {}, b"later")
    run(server, made)
    wait_events(receiver, ["run.failed"])
    waits = wait_until(lambda: next((d for d in deliveries(server) if d.get("code") == 503), None), what="a first try")
    assert waits["status"] == "PENDING" and waits["nextTryAt"]
    receiver.answers["/away"] = GOOD
    wait_until(lambda: len(told(receiver, "/away")) == 2, 30, "the second try")  # after 5 s
    assert len({h["webhook-id"] for h, _ in told(receiver, "/away")}) == 1
    wait_until(lambda: {d["status"] for d in deliveries(server)} == {"SENT"}, what="the end of both")


def test_replay_and_refusal(server, receiver):
    made = create_job(server, receiver)
    subscribe(server, receiver, made)
    receiver.answers[HOOK] = (400, {}, b"never")
    run(server, made)
    refused = wait_until(lambda: next((d for d in deliveries(server, "?status=REFUSED")), None), what="a refusal")
    assert refused["code"] == 400 and refused["tries"] == 1
    receiver.answers[HOOK] = GOOD
    answer = server.call("POST", f"/notifications/deliveries/{refused['id']}:replay")
    assert answer.status == 202, answer.body
    wait_until(lambda: server.call("GET", f"/notifications/deliveries/{refused['id']}").json["status"] == "SENT",
               what="the replay")
    assert [h["webhook-id"] for h, _ in told(receiver)] == [refused["id"]] * 2


def test_the_test_button(server, receiver):
    made = create_job(server, receiver)
    one = subscribe(server, receiver, made, events=["dead"], quietHours={"from": "00:00", "to": "23:59"})
    answer = server.call("POST", f"/jobs/{made['id']}/notifications/{one['id']}:test")
    assert answer.status == 202 and answer.json["event"] == "test", answer.body
    wait_until(lambda: told(receiver), what="the test message")
    assert told(receiver)[0][0]["webhook-id"] == answer.json["id"]


def test_a_target_that_is_gone_turns_the_subscription_off(server, receiver):
    made = create_job(server, receiver)
    one = subscribe(server, receiver, made)
    receiver.answers[HOOK] = (410, {}, b"gone")
    run(server, made)

    def off():
        shown = server.call("GET", f"/notifications/{one['id']}").json
        return not shown["enabled"] and shown
    shown = wait_until(off, what="the end of the subscription")
    assert "gone" in shown["offReason"]
    answer = server.call("PATCH", f"/notifications/{one['id']}", {"enabled": True})
    assert answer.status == 200 and "offReason" not in answer.json, answer.body


def test_secrets_of_a_channel_never_come_out(server, receiver):
    made = create_job(server, receiver)
    one = subscribe(server, receiver, made)
    path = f"/notifications/{one['id']}"
    texts = [json.dumps(one), server.call("GET", path).body.decode(), server.call("GET", "/notifications").body.decode()]
    assert server.call("PATCH", path, {"after": 2}).status == 200
    texts += [server.call("GET", path).body.decode(), server.log_text()]
    assert not any(SECRET[10:] in text for text in texts) and "***" in texts[0]
    data = (server.folder / "data").rglob("*.db*")
    assert not any(SECRET[10:].encode() in f.read_bytes() for f in data)
    run(server, made)
    run(server, made)
    wait_until(lambda: told(receiver), what="a message, signed after the change")
    assert told(receiver)[0][0]["webhook-signature"].startswith("v1,")


def test_a_pause_is_told(server, receiver):
    made = create_job(server, receiver)
    subscribe(server, receiver, made, events=["paused"])
    assert server.call("POST", f"/jobs/{made['id']}:pause").status == 200
    wait_events(receiver, ["job.paused"])


@pytest.mark.skipif(ROUNDS < 2, reason="waits for a look at running jobs, every 15 s: CHRONOS_ROUNDS=2 runs it")
def test_a_slow_run_is_told_while_it_runs(server, receiver):
    made = create_job(server, receiver, expectedSeconds=1)
    subscribe(server, receiver, made, events=["slow"])
    with receiver.answers.held("/job") as arrived:
        assert server.call("POST", f"/jobs/{made['id']}:run-now", {}).status == 202
        assert arrived.wait(20)
        wait_events(receiver, ["run.slow"], seconds=40)


def test_health_counts_messages_and_knows_late_ones(server, receiver):
    def component():
        return server.call("GET", "/actuator/health", base="").json["components"]["notifications"]
    made = create_job(server, receiver)
    subscribe(server, receiver, made)
    receiver.answers[HOOK] = (503, {}, b"later")
    run(server, made)
    wait_until(lambda: component()["details"]["waiting"] == 1, what="the message that waits")
    assert component()["status"] == "UP"  # its target is away, which is none of ours
    assert server.call("PUT", "/actuator/features/notifications", {"enabled": False}, base="").status == 200
    with contextlib.closing(sqlite3.connect(server.folder / "data" / "chronos.db", timeout=30)) as db, db:
        db.execute("UPDATE deliveries SET due = (strftime('%s', 'now') - 400) * 1000000")
    wait_until(lambda: component()["status"] == "DEGRADED", what="a late message")
    assert component()["details"]["lateSeconds"] >= 400


@pytest.mark.skipif(ROUNDS < 2, reason="what is usual takes ten seconds at least: CHRONOS_ROUNDS=2 runs it")
def test_a_run_slower_than_usual_is_told_while_it_runs(server, receiver):
    receiver.answers["/job"] = GOOD
    made = create_job(server, receiver)
    subscribe(server, receiver, made, events=["slow"])
    for _ in range(20):  # SLOW_HISTORY_MIN
        run(server, made)
    with receiver.answers.held("/job") as arrived:
        assert server.call("POST", f"/jobs/{made['id']}:run-now", {}).status == 202
        assert arrived.wait(20)
        wait_events(receiver, ["run.slow"], seconds=40)


def test_a_job_that_should_have_started_is_told(tmp_path, receiver):
    """Nothing is started by the schedule, and the next start is made two minutes old while the server is down."""
    server = Server(tmp_path / "server").start()
    server.login()
    try:
        late, fine = (create_job(server, receiver, name, schedule={"scheduleType": "INTERVAL", "intervalMs": 3600_000})
                      for name in ("late", "fine"))
        subscribe(server, receiver, all=True, events=["overdue"])
        assert server.call("PUT", "/actuator/features/schedule", {"enabled": False}, base="").status == 200
        server.stop()
        with contextlib.closing(sqlite3.connect(server.folder / "data" / "chronos.db")) as db, db:
            moved = db.execute("UPDATE plans SET next_fire = (strftime('%s', 'now') - 120) * 1000000 WHERE next_fire ="
                               " (SELECT min(next_fire) FROM plans)").rowcount
        assert moved == 1
        server.start()
        wait_events(receiver, ["run.overdue"], seconds=30)
        (_, body), = told(receiver)
        assert body["data"]["job"]["id"] in (late["id"], fine["id"])
        assert {d["event"] for d in deliveries(server)} == {"overdue"}
    finally:
        server.stop()


@pytest.mark.skipif(ROUNDS < 2, reason="waits for a lease and a look, every 15 s: CHRONOS_ROUNDS=2 runs it")
def test_a_node_that_dies_is_told_by_another(tmp_path, receiver):
    with database("postgres") as store:
        two = Cluster(tmp_path, 2, store.env()["CHRONOS_TEST_DB_URL"], **lease_settings(8 * SLOW, SLOW))
        try:
            two.start()
            lost, left = two.nodes
            subscribe(left, receiver, all=True, events=["node_down"])
            lost.kill()
            wait_until(lambda: told(receiver), 90, "the message")  # the duty may have been the lost node's: 30 s
            run(left, create_job(left, receiver))
            assert events(receiver) == ["node.down"]
            assert lost.name in json.dumps(told(receiver)[0][1]), told(receiver)
        finally:
            two.close()


def test_two_nodes(tmp_path, receiver):
    """Whichever node owns a job and whichever was told of the subscription: one message each, and the duty moves."""
    receiver.answers["/job"] = (404, {}, b"no")  # which opens no circuit
    with database("postgres") as store:
        two = Cluster(tmp_path, 2, store.env()["CHRONOS_TEST_DB_URL"], **lease_settings(8 * SLOW, SLOW))
        try:
            two.start()
            a, b = two.nodes
            jobs = [create_job(a, receiver, name=f"job-{i}") for i in range(6)]
            subscribe(b, receiver, all=True)

            for i, made in enumerate(jobs):  # again until its node has heard of the subscription: told once all the same
                wait_until(lambda i=i, made=made: run(two.nodes[i % 2], made) and events_of(receiver, made), what="a message")
            what = [(body["data"]["job"]["id"], body["data"]["run"]["errorClass"]) for _, body in told(receiver)]
            assert len(what) == len(set(what)), what
            assert {body["data"]["job"]["id"] for _, body in told(receiver)} == {made["id"] for made in jobs}
            receiver.answers["/job"] = GOOD
            a.stop()
            for made in jobs:
                assert run(b, made)["status"] == "SUCCEEDED"
            wait_until(lambda: events(receiver).count("run.recovered") >= len(jobs), 60,
                       "the recoveries, told by the node that is left")
            assert all(events_of(receiver, made).count("run.recovered") == 1 for made in jobs)
        finally:
            two.close()


def test_bad_requests_name_the_field(server, receiver):
    made = create_job(server, receiver)
    good = {"channel": "WEBHOOK", "config": {"url": receiver.url(HOOK), "secrets": [SECRET]}}
    cases = [({"channel": "PIGEON"}, "/channel"), ({"config": {}}, "/config/url"), ({"config": {"x": 1}}, "/config/x"),
             ({"events": ["broken"]}, "/events/0"), ({"after": 0}, "/after"), ({"after": 5, "ofLast": 3}, "/ofLast"),
             ({"quietHours": {"from": "25:00", "to": "07:00"}}, "/quietHours/from"),
             ({"quietHours": {"from": "22:00", "to": "07:00", "timezone": "Europe/Berlinn"}}, "/quietHours/timezone"),
             ({"templates": {"text": "{{nothing.such}}"}}, "/templates/text"), ({"all": True}, "/all"),
             ({"events": ["node_down"]}, "/events/0"), ({"ownerId": made["id"]}, "/ownerId"), ({"sealed": "x"}, "/sealed")]
    for change, pointer in cases:
        answer = server.call("POST", f"/jobs/{made['id']}/notifications", {**good, **change})
        assert answer.status == 400, (change, answer.status, answer.body)
        assert pointer in [e["pointer"] for e in answer.json["errors"]], (change, answer.json)
    assert server.call("POST", "/notifications", good).status == 400  # of which jobs?
    absent = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    for method, path in [("GET", f"/notifications/{absent}"), ("DELETE", f"/notifications/{absent}"),
                         ("POST", f"/notifications/{absent}:test"), ("GET", f"/notifications/deliveries/{absent}"),
                         ("POST", f"/notifications/deliveries/{absent}:replay"),
                         ("POST", f"/jobs/{absent}/notifications")]:
        assert server.call(method, path, good if path.startswith("/jobs") else None).status == 404, path
