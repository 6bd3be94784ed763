# SPDX-License-Identifier: Apache-2.0
"""MONITOR: work that runs elsewhere pings, late, badly, twice, or not at all."""
import datetime
import re
import subprocess
import threading
import time

import pytest

import chronos as e2e
from attempts import end as ended_run

GRACE = 30


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = e2e.Server(tmp_path_factory.mktemp("monitor")).start()
    made.login()
    yield made
    made.stop()


def monitor(server, name, grace=GRACE, **more):
    job = server.create(name=name, type="MONITOR", payload={"graceSeconds": grace, **more}, schedule={"scheduleType": "MANUAL"})
    return job["id"], server.call("GET", f"/jobs/{job['id']}/ping-url").json["path"]


def begin(server, job_id):
    return server.call("POST", f"/jobs/{job_id}:run-now", {}).json["id"]


def waiting(server, run_id):
    e2e.wait_until(lambda: server.call("GET", f"/runs/{run_id}").json["status"] == "RUNNING", 20, "the run")


def ping(server, path, method="GET", body=None):
    return server.call(method, path, body and body.encode(), base="", auth=False, headers={"Content-Type": "text/plain"})


def test_a_ping_ends_the_waiting_run_and_its_body_is_the_log(server):
    job_id, path = monitor(server, "good")
    run_id = begin(server, job_id)
    waiting(server, run_id)
    assert ping(server, path + "/start").status == 200
    answer = ping(server, path, "POST", "copied 12 files\nall is well\n")
    assert answer.status == 200 and answer.body == b"OK\n"
    run = ended_run(server, run_id)
    assert run["status"] == "SUCCEEDED", run
    said = [line["message"] for line in run["lines"]]
    assert said[:2] == ["copied 12 files", "all is well"] and re.fullmatch(r"the work took \d+ ms", said[2])


@pytest.mark.parametrize("word,code", [("fail", 1), ("75", 75)])
def test_work_that_tells_of_its_failure_fails_at_once(server, word, code):
    job_id, path = monitor(server, f"bad {word}")
    run_id = begin(server, job_id)
    waiting(server, run_id)
    assert ping(server, f"{path}/{word}", "POST", "no space left").status == 200
    run = ended_run(server, run_id)
    assert (run["status"], run["errorClass"]) == ("FAILED", "PING_FAILED") and f"exit code {code}" in run["errorMessage"]
    assert [line["message"] for line in run["lines"]] == ["no space left"]


def test_no_ping_and_work_that_hangs_are_told_apart(server):
    silent, _ = monitor(server, "silent", 1)
    hanging, path = monitor(server, "hangs", 1)
    runs = [begin(server, silent), begin(server, hanging)]
    assert ping(server, path + "/start").status == 200
    none, hangs = (ended_run(server, r) for r in runs)
    assert none["errorClass"] == hangs["errorClass"] == "PING_MISSING"
    assert "whether the work ran at all" in none["errorMessage"] and "see whether it hangs" in hangs["errorMessage"]


def test_a_ping_just_before_the_time_counts_and_an_old_one_does_not(server):
    job_id, path = monitor(server, "early", 1)
    assert ping(server, path).status == 200
    assert ended_run(server, begin(server, job_id))["status"] == "SUCCEEDED"
    strict, path = monitor(server, "strict", 1, earlySeconds=0)
    assert ping(server, path).status == 200
    assert ended_run(server, begin(server, strict))["errorClass"] == "PING_MISSING"


def test_what_came_while_the_server_was_away_counts(server):
    """The run of a monitor goes on after a restart; the ping of the moment before it is kept."""
    job_id, path = monitor(server, "restart")
    first = begin(server, job_id)
    waiting(server, first)
    server.kill()
    server.start()
    e2e.wait_until(lambda: any(r["status"] == "RUNNING" for r in server.call("GET", f"/jobs/{job_id}/runs").json["content"]), 60,
                   "the next attempt")
    assert ping(server, path).status == 200
    e2e.wait_until(lambda: server.call("GET", f"/jobs/{job_id}/runs").json["content"][0]["status"] == "SUCCEEDED", 20, "the end")


def test_a_cancelled_monitor_ends_at_once(server):
    job_id, _ = monitor(server, "cancelled")
    run_id = begin(server, job_id)
    waiting(server, run_id)
    begun = time.monotonic()
    assert server.call("POST", f"/runs/{run_id}:cancel").status == 202
    assert ended_run(server, run_id)["status"] == "CANCELLED"
    assert time.monotonic() - begun < GRACE / 2


def test_a_schedule_says_when_the_ping_is_due(server):
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
    job = server.create(name="due", type="MONITOR", payload={"graceSeconds": GRACE},
                        schedule={"scheduleType": "ONCE", "runAt": soon.isoformat()})
    path = server.call("GET", f"/jobs/{job['id']}/ping-url").json["path"]
    e2e.wait_until(lambda: server.call("GET", f"/jobs/{job['id']}").json["status"] == "RUNNING", 20, "the run")
    assert ping(server, path).status == 200
    e2e.wait_until(lambda: server.call("GET", f"/jobs/{job['id']}").json["status"] == "SUCCEEDED", 20, "the end")


def test_only_addresses_of_monitors_answer(server):
    other = server.create(name="no monitor", type="DUMMY", schedule={"scheduleType": "MANUAL"}, payload={})
    assert server.call("GET", f"/jobs/{other['id']}/ping-url").status == 400
    job_id, path = monitor(server, "addresses")
    wrong = path[:-1] + ("3" if path[-1] != "3" else "4")
    for bad in (wrong, "/ping/x", f"/ping/{job_id}", path + "/late", path + "/256", path + "/-1"):
        assert ping(server, bad).status == 404, bad
    assert server.call("GET", f"/jobs/{job_id}/ping-url", auth=False).status == 401
    server.call("DELETE", f"/jobs/{job_id}")
    assert ping(server, path).status == 404


def test_any_body_is_taken_and_its_end_is_kept(server):
    job_id, path = monitor(server, "bodies")
    for body in (b"\xff\xfe", b"\x00" * 10, ("ä" * 20000).encode(), b'{"not": "json"'):
        run_id = begin(server, job_id)
        waiting(server, run_id)
        out = subprocess.run(["curl", "-fsS", "-m", "10", "--data-binary", "@-", server.url + path + "/success"], input=body,
                             capture_output=True)
        assert out.stdout == b"OK\n", out
        run = ended_run(server, run_id)
        assert run["status"] == "SUCCEEDED", (body[:10], run)
        assert sum(len(line["message"].encode()) for line in run["lines"]) <= 10 * 1024 + 100
        server.call("PATCH", f"/jobs/{job_id}", {"payload": {"graceSeconds": GRACE, "earlySeconds": 0}})


def test_a_hundred_wait_without_holding_a_thread(server):
    made = [monitor(server, f"many {i}") for i in range(100)]
    runs = [begin(server, job_id) for job_id, _ in made]
    for run_id in runs:
        waiting(server, run_id)
    threads = [threading.Thread(target=ping, args=(server, path)) for _, path in made]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert {ended_run(server, r)["status"] for r in runs} == {"SUCCEEDED"}
