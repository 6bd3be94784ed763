# SPDX-License-Identifier: Apache-2.0
"""Events and requests over a real Kafka: every change told, in the order of its job, whatever happens to the broker;
every request done once, and what cannot be done in the dead letter topic.

CHRONOS_KAFKA_JOBS raises the number of runs that the broker is killed in the middle of (the release run uses 3,400:
10,000 events).
"""
import collections
import json
import os
import pathlib
import subprocess
import threading

import pytest

import postgres
from chronos import BINARY, EMAIL, Server, metric, wait_until

TOOL = pathlib.Path(BINARY).parent / "tests/stream/kafka_tool"
JOBS = int(os.environ.get("CHRONOS_KAFKA_JOBS", "340"))
STAGES = {"QUEUED": 0, "RUNNING": 1}  # everything else is an end
KILLS = 2 if JOBS > 1000 else 1
ROUNDS, EVENTS_PER_RUN, PATIENCE = 10, 3, 120


class Reader:
    """Follows topics from their oldest message on."""

    def __init__(self, broker, *topics):
        self.messages = []
        self.process = subprocess.Popen([TOOL, broker.brokers, "consume", *topics], stdout=subprocess.PIPE)
        self.thread = threading.Thread(target=self.follow)
        self.thread.start()

    def follow(self):
        for line in self.process.stdout:
            self.messages.append(json.loads(line))

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.thread.join()

    def events(self):
        """All events so far, decoded, in the order in which they were read."""
        return [json.loads(message["value"]) for message in list(self.messages)]


@pytest.fixture
def reader(broker):
    made = []

    def follow(*topics):
        made.append(Reader(broker, *topics))
        return made[-1]

    yield follow
    for one in made:
        one.close()


@pytest.fixture
def chronos(broker, tmp_path):
    """A server whose topics are of this test only."""
    made = []

    def start(name, **settings):
        settings = {"CHRONOS_KAFKA_BROKERS": broker.brokers, **settings}
        server = Server(tmp_path / name, CHRONOS_NODE_NAME=name, CHRONOS_KAFKA_EVENTSTOPIC=f"{name}.events", **settings)
        made.append(server)
        server.start()
        server.login()
        return server

    yield start
    for server in made:
        server.stop()


def produce(broker, topic, *messages):
    """Each message is (key, value); a value that is no text is sent as JSON."""
    lines = [f"{key}\t{value if isinstance(value, str) else json.dumps(value)}" for key, value in messages]
    subprocess.run([TOOL, broker.brokers, "produce", topic], input="\n".join(lines) + "\n", text=True, check=True)


def dummies(n, name="job"):
    return [{"name": f"{name} {i}", "type": "DUMMY", "schedule": {"scheduleType": "MANUAL"}} for i in range(n)]


def start_each(server, jobs):
    return [server.call("POST", f"/jobs/{job['id']}:run-now", {}).json["id"] for job in jobs]


def told(reader):
    """Statuses by run, each in the order in which it was first told."""
    runs = collections.defaultdict(list)
    for event in reader.events():
        run, status = event["data"].get("runId"), event["data"].get("status")
        if run and status not in runs[run]:
            runs[run].append(status)
    return runs


def all_ended(reader, runs):
    seen = told(reader)
    return all(seen.get(run) and seen[run][-1] not in STAGES for run in runs)


def check_cloud_event(message, source):
    event = json.loads(message["value"])
    assert message["headers"]["content-type"].startswith("application/cloudevents+json")
    assert event["specversion"] == "1.0" and event["source"] == source and event["id"]
    assert event["type"].startswith("io.chronos.") and event["type"].endswith(".v1")
    assert event["time"].endswith("Z") and event["datacontenttype"] == "application/json"
    assert message["key"] == event["data"]["jobId"]
    assert event["subject"].startswith(f"job/{message['key']}")
    if "runId" in event["data"]:
        assert event["subject"].endswith(f"/run/{event['data']['runId']}")


def check_order(reader, runs):
    """Each run's states, as first told, rise; runs of one job are queued in the order of their starts; and one job's
    events are all in one partition."""
    seen = told(reader)
    for run in runs:
        stages = [STAGES.get(status, 2) for status in seen[run]]
        assert stages == sorted(set(stages)), (run, seen[run])
        assert stages[-2:] == [1, 2], (run, seen[run])
    queued, place = collections.defaultdict(list), {run: i for i, run in enumerate(runs)}
    for event in reader.events():
        run = event["data"].get("runId")
        known = queued[event["data"]["jobId"]]
        if event["data"].get("status") == "QUEUED" and run in place and place[run] not in known:
            known.append(place[run])
    assert all(places == sorted(places) for places in queued.values())
    homes = collections.defaultdict(set)
    for message in reader.messages:
        homes[message["key"]].add(message["partition"])
    assert all(len(home) == 1 for home in homes.values())


def test_every_run_is_told_from_start_to_end(broker, chronos, reader):
    server = chronos("told")
    events = reader("told.events")
    jobs = server.create_many(dummies(20))
    runs = [run for _ in range(10) for run in start_each(server, jobs)]
    wait_until(lambda: all_ended(events, runs), PATIENCE, "the end of every run among the events")
    for message in events.messages:
        check_cloud_event(message, "/chronos/told")
    check_order(events, runs)
    created = [event for event in events.events() if event["type"] == "io.chronos.job.created.v1"]
    assert {event["data"]["jobId"] for event in created} == {job["id"] for job in jobs}
    ended = next(event for event in events.events() if event["type"] == "io.chronos.run.succeeded.v1")["data"]
    shown = server.call("GET", f"/runs/{ended['runId']}").json
    for name in ("jobId", "attempt", "status", "outcome", "scheduledTime", "startTime", "endTime", "runKey",
                 "workerId"):
        assert ended[name] == shown[name], name
    wait_until(lambda: metric(server, "chronos_outbox_events") == 0, what="an empty outbox")
    assert metric(server, "chronos_outbox_published_total") == len(events.messages)


def test_changes_of_a_job_are_told_in_order(broker, chronos, reader):
    server = chronos("changes")
    events = reader("changes.events")
    job = server.create(**dummies(1)[0])["id"]
    assert server.call("PATCH", f"/jobs/{job}", {"description": "x"}).status == 200
    assert server.call("POST", f"/jobs/{job}:pause").status == 200
    assert server.call("POST", f"/jobs/{job}:resume").status == 200
    assert server.call("DELETE", f"/jobs/{job}").status in (200, 204)
    words = ["created", "updated", "stateChanged", "stateChanged", "deleted"]
    wait_until(lambda: len(events.messages) >= len(words), PATIENCE, "five events")
    assert [event["type"].split(".")[3] for event in events.events()] == words
    assert len({event["id"] for event in events.events()}) == len(words)


def test_schedules_retries_and_skips_are_told(broker, chronos, reader):
    server = chronos("kinds")
    events = reader("kinds.events")
    every = server.create(name="every second", type="DUMMY",
                          schedule={"scheduleType": "INTERVAL", "intervalSeconds": 1})["id"]
    fails = server.create(name="fails", type="DUMMY", schedule={"scheduleType": "MANUAL"},
                          payload={"metadata": {"simulateFailure": True}},
                          retryPolicy={"maxAttempts": 2, "backoffStrategy": "FIXED", "backoffSeconds": 0})["id"]
    start_each(server, [{"id": fails}])

    def of(job):
        told_of = [event["data"] for event in events.events() if event["data"]["jobId"] == job]
        return [data for data in told_of if "runId" in data]

    wait_until(lambda: [data["status"] for data in of(fails)].count("FAILED") == 2, PATIENCE, "two failed attempts")
    assert [(data["attempt"], data["status"]) for data in of(fails)] == [
        (1, "QUEUED"), (1, "RUNNING"), (1, "FAILED"), (2, "QUEUED"), (2, "RUNNING"), (2, "FAILED")]
    assert len({data["runKey"] for data in of(fails)}) == 1
    assert of(fails)[-1]["errorClass"] == "DUMMY_ERROR" and of(fails)[-1]["errorMessage"]
    wait_until(lambda: len(of(every)) >= 4, PATIENCE, "two occurrences")
    assert [data["status"] for data in of(every)][:4] == ["RUNNING", "SUCCEEDED"] * 2


def test_a_broker_that_dies_loses_no_event_and_no_order(broker, chronos, reader):
    server = chronos("killed")
    events = reader("killed.events")
    jobs, others = server.create_many(dummies(JOBS // ROUNDS or 1)), server.create_many(dummies(5, "other"))
    runs, others_runs = [], []
    work = threading.Thread(target=lambda: [runs.extend(start_each(server, jobs)) for _ in range(ROUNDS)])
    work.start()
    for part in (3, 6)[:KILLS]:
        wait_until(lambda: len(events.messages) > JOBS * EVENTS_PER_RUN * part / ROUNDS, PATIENCE, "some events")
        broker.kill()
        others_runs += start_each(server, others)  # nobody waits for a broker
        wait_until(lambda: metric(server, "chronos_outbox_events") > 1, what="events that wait")
        broker.start()
    work.join()
    assert len(runs) == len(jobs) * ROUNDS
    runs += others_runs
    wait_until(lambda: all_ended(events, runs), PATIENCE, "the end of every run among the events")
    check_order(events, runs)
    wait_until(lambda: metric(server, "chronos_outbox_events") == 0, what="an empty outbox")
    print(len(events.messages), "messages,", len({event["id"] for event in events.events()}), "events")


def test_events_of_a_server_that_stops_wait_for_the_next_one(broker, chronos, reader):
    server = chronos("waits")
    job = server.create(**dummies(1)[0])
    broker.kill()
    run = start_each(server, [job])[0]
    wait_until(lambda: server.call("GET", f"/runs/{run}").json["status"] == "SUCCEEDED", what="the run")
    assert server.stop() == 0
    broker.start()
    events = reader("waits.events")
    server.start()
    server.login()
    wait_until(lambda: all_ended(events, [run]), PATIENCE, "the run among the events")
    check_order(events, [run])


def requests_server(chronos, name, **settings):
    return chronos(name, CHRONOS_KAFKA_REQUESTSTOPIC=f"{name}.requests", CHRONOS_KAFKA_REQUESTSUSER=EMAIL,
                   CHRONOS_KAFKA_GROUP=name, **settings)


def count(server, result):
    text = server.call("GET", "/metrics", base="").body.decode()
    line = next(line for line in text.splitlines() if line.startswith(f'chronos_requests_total{{result="{result}"}}'))
    return int(line.split()[-1])


def test_requests_create_and_start_jobs_once(broker, chronos):
    create = {"action": "create", "job": dummies(1, "asked")[0]}
    produce(broker, "asked.requests", ("first", create), ("first", create))
    server = requests_server(chronos, "asked")
    wait_until(lambda: count(server, "done") + count(server, "repeated") == 2, PATIENCE, "two requests")
    jobs = server.call("GET", "/jobs").json["content"]
    assert [job["name"] for job in jobs] == ["asked 0"]
    run = {"action": "run", "jobId": jobs[0]["id"], "parameters": {"day": "monday"}}
    by_name = {"action": "run", "jobName": "asked 0"}
    produce(broker, "asked.requests", ("run 1", run), ("run 1", run), ("run 2", by_name), ("first", create))
    wait_until(lambda: count(server, "done") + count(server, "repeated") == 6, PATIENCE, "six requests")
    wait_until(lambda: len(server.runs(status="SUCCEEDED")) == 2, what="two runs")
    assert (count(server, "done"), count(server, "repeated"), count(server, "refused")) == (3, 3, 0)
    assert sorted(run["trigger"] for run in server.runs()) == ["API", "API"]
    # A server that starts again goes on behind what is done.
    server.stop()
    produce(broker, "asked.requests", ("run 3", by_name))
    server.start()
    server.login()
    wait_until(lambda: len(server.runs()) == 3, PATIENCE, "the third run")
    assert (count(server, "done"), count(server, "repeated")) == (1, 0)


def test_what_cannot_be_done_goes_to_the_dead_letters(broker, chronos, reader):
    dead = reader("refused.requests.dead")
    bad = [("k1", "garbage"), ("", {"action": "create", "job": dummies(1)[0]}), ("k3", {"action": "explode"}),
           ("k4", {"action": "create", "job": {**dummies(1)[0], "type": "TELEPORT"}}),
           ("k5", {"action": "run", "jobName": "nobody"})]
    good = ("k6", {"action": "create", "job": dummies(1)[0]})
    produce(broker, "refused.requests", *bad, good)
    server = requests_server(chronos, "refused")
    wait_until(lambda: count(server, "done") == 1 and count(server, "refused") == len(bad), PATIENCE, "all requests")
    wait_until(lambda: len(dead.messages) == len(bad), PATIENCE, "the dead letters")
    reasons = {message["key"]: message["headers"] for message in dead.messages}
    for key, word in ((None, "key"), ("k3", "/action"), ("k4", "/job/type"), ("k5", "nobody")):
        assert word in reasons[key]["chronos-reason"], reasons[key]
    assert reasons["k1"]["chronos-topic"] == "refused.requests" and reasons["k1"]["chronos-offset"].isdigit()
    assert next(message["value"] for message in dead.messages if message["key"] == "k1") == "garbage"


def test_requests_wait_for_their_user(broker, chronos):
    produce(broker, "user.requests", ("k", {"action": "create", "job": dummies(1)[0]}))
    server = chronos("user", CHRONOS_KAFKA_REQUESTSTOPIC="user.requests", CHRONOS_KAFKA_GROUP="user",
                     CHRONOS_KAFKA_REQUESTSUSER="robot@example.com")
    wait_until(lambda: "requests wait" in server.log_text(), PATIENCE, "a word on the missing user")
    account = {"email": "robot@example.com", "password": "a robot's long password"}
    answer = server.call("POST", "/auth/register", account, auth=False)
    assert answer.status == 201, answer.body
    wait_until(lambda: count(server, "done") == 1, PATIENCE, "the request")
    assert count(server, "refused") == 0


@pytest.fixture(scope="module")
def database():
    with postgres.Server() as made:
        yield made


def publishes(node):
    return "duty to publish events" in node.log_text()


def test_one_node_of_a_cluster_publishes_and_another_takes_over(broker, database, tmp_path, reader):
    events = reader("cluster.events")
    settings = dict(CHRONOS_KAFKA_BROKERS=broker.brokers, CHRONOS_KAFKA_EVENTSTOPIC="cluster.events",
                    CHRONOS_KAFKA_REQUESTSTOPIC="cluster.requests", CHRONOS_KAFKA_REQUESTSUSER=EMAIL,
                    CHRONOS_DB_URL=database.env()["CHRONOS_TEST_DB_URL"])
    nodes = []
    try:
        for name in ("n1", "n2"):
            nodes.append(Server(tmp_path / name, CHRONOS_NODE_NAME=name, **settings).start())
            nodes[-1].login()
        wait_until(lambda: any(map(publishes, nodes)), what="a publisher")
        first, other = sorted(nodes, key=publishes, reverse=True)
        assert not publishes(other)
        create = [(f"key {i}", {"action": "create", "job": job}) for i, job in enumerate(dummies(12))]
        produce(broker, "cluster.requests", *create, *create)
        wait_until(lambda: sum(count(node, "done") + count(node, "repeated") for node in nodes) >= 2 * len(create),
                   PATIENCE, "requests read by the group")
        jobs = other.call("GET", "/jobs?size=100").json["content"]
        assert sorted(job["name"] for job in jobs) == sorted(job["name"] for job in dummies(12))
        runs = start_each(other, jobs)
        assert first.stop() == 0
        runs += start_each(other, jobs)
        wait_until(lambda: all_ended(events, runs), PATIENCE, "the end of every run among the events")
        check_order(events, runs)
        assert {event["source"] for event in events.events()} == {"/chronos/cluster"}
        assert publishes(other)
    finally:
        for node in nodes:
            node.stop()


def test_it_signs_in_and_keeps_the_password_to_itself(broker, chronos, reader, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(broker.sasl_password + "\n")
    sasl = dict(CHRONOS_KAFKA_BROKERS=f"127.0.0.1:{broker.sasl_port}", CHRONOS_KAFKA_SECURITY_PROTOCOL="sasl_plaintext",
                CHRONOS_KAFKA_SECURITY_MECHANISM="PLAIN", CHRONOS_KAFKA_SECURITY_USERNAME=broker.sasl_user,
                CHRONOS_LOG_LEVEL="debug")
    server = chronos("signed", CHRONOS_KAFKA_SECURITY_PASSWORD_FILE=str(secret), **sasl)
    events = reader("signed.events")
    job = server.create(**dummies(1)[0])
    wait_until(lambda: [event["data"]["jobId"] for event in events.events()] == [job["id"]], PATIENCE, "the event")
    wrong = chronos("unsigned", CHRONOS_KAFKA_SECURITY_PASSWORD="no word of the broker's", **sasl)
    wrong.create(**dummies(1)[0])
    wait_until(lambda: "events cannot be published" in wrong.log_text(), PATIENCE, "a word on the failed sign-in")
    line = next(line for line in wrong.log_text().splitlines() if "events cannot be published" in line)
    assert "uthentication" in line, line
    for server in (server, wrong):
        assert "word of the broker's" not in server.log_text()


def test_wrong_settings_are_named_and_a_missing_broker_is_no_reason_not_to_start(tmp_path):
    server = Server(tmp_path / "wrong", CHRONOS_KAFKA_BROKERS="127.0.0.1:1", CHRONOS_KAFKA_REQUESTSTOPIC="r")
    server.start(wait=False)
    assert server.process.wait(20) == 2 and "kafka.requestsUser" in server.log_text()
    server = Server(tmp_path / "alone", CHRONOS_KAFKA_BROKERS="127.0.0.1:1").start()
    server.login()
    server.create(**dummies(1)[0])
    wait_until(lambda: metric(server, "chronos_outbox_events") == 1, what="an event that waits")
    assert server.stop() == 0
