# SPDX-License-Identifier: Apache-2.0
"""What a newcomer does first: an HTTP job, a target that fails, retries, the dead letter, its replay; scripts; the command line."""
import json
import time

from chronos import wait_until


def test_an_http_job_runs_fails_retries_and_is_replayed(server, target):
    job = server.create(name="ping", type="HTTP", schedule={"scheduleType": "INTERVAL", "intervalSeconds": 1},
                        payload={"httpUrl": target.url + "/ping"},
                        retryPolicy={"maxAttempts": 2, "backoffSeconds": 0})
    wait_until(lambda: len(server.runs(job["id"], "SUCCEEDED")) >= 2, what="two good runs")
    target.stop()
    letter = wait_until(lambda: server.call("GET", "/dlq?resolved=false").json["content"], what="a dead letter")[-1]
    assert letter["errorClass"] == "CONNECTION_ERROR"
    assert letter["attempts"] == 2
    assert server.call("POST", f"/jobs/{job['id']}:pause").status == 200
    attempts = [r for r in server.runs(job["id"]) if r["runKey"] == letter["runKey"]]
    assert sorted(r["attempt"] for r in attempts) == [1, 2]
    assert {r["status"] for r in attempts} == {"FAILED"}
    target.start()
    replay = server.call("POST", f"/dlq/{letter['id']}:replay")
    assert replay.status in (200, 202), replay.body
    wait_until(lambda: any(r["trigger"] == "REPLAY" and r["status"] == "SUCCEEDED" for r in server.runs(job["id"])),
               what="the replay")
    assert server.call("GET", f"/dlq/{letter['id']}").json["resolved"] is True
    assert server.call("POST", f"/dlq/{letter['id']}:replay").status == 409


def test_once_job_ends_succeeded_and_its_log_tells_the_response(server, target):
    job = server.create(name="once", type="HTTP", payload={"httpUrl": target.url + "/once"},
                        schedule={"scheduleType": "ONCE", "runAt": "2020-01-01T00:00:00Z"})
    wait_until(lambda: server.call("GET", f"/jobs/{job['id']}").json["status"] == "SUCCEEDED", what="the run")
    run, = server.runs(job["id"])
    assert run["exitCode"] == 204 and run["outcome"] == "SUCCESS" and run["attempt"] == 1
    lines = server.call("GET", f"/jobs/{job['id']}/runs/{run['id']}/logs").json["content"]
    assert any("204" in line["message"] for line in lines)
    assert [c for c in target.calls() if c[1] == "/once"][0][2:] == (run["runKey"], 1)


def test_a_script_keeps_output_streams_and_exit_code(server):
    job = server.create(name="script", type="SCRIPT", schedule={"scheduleType": "MANUAL"},
                        payload={"script": "#!/bin/sh\necho out $1\necho err >&2\nexit 3\n", "args": ["a b"]})
    started = server.call("POST", f"/jobs/{job['id']}:run-now", {})
    assert started.status == 202, started.body
    run_id = started.json["id"]
    run = wait_until(lambda: (r := server.call("GET", f"/runs/{run_id}").json)["status"] == "FAILED" and r, what="the end")
    assert run["exitCode"] == 3 and run["errorClass"] == "SCRIPT_ERROR"
    lines = server.call("GET", f"/jobs/{job['id']}/runs/{run_id}/logs").json["content"]
    assert ("stdout", "out a b") in [(line["stream"], line["message"]) for line in lines]
    assert ("stderr", "err") in [(line["stream"], line["message"]) for line in lines]


def test_a_running_script_is_followed_live_and_cancelled(server):
    job = server.create(name="slow", type="SCRIPT", schedule={"scheduleType": "MANUAL"},
                        payload={"script": "#!/bin/sh\necho begun\nexec sleep 600\n"})
    run_id = server.call("POST", f"/jobs/{job['id']}:run-now", {}).json["id"]
    wait_until(lambda: server.call("GET", f"/jobs/{job['id']}/runs/{run_id}/logs").json["content"], what="the first line")
    assert server.call("GET", f"/runs/{run_id}").json["status"] == "RUNNING"
    assert server.call("POST", f"/runs/{run_id}:cancel").status in (200, 202)
    wait_until(lambda: server.call("GET", f"/runs/{run_id}").json["status"] == "CANCELLED", what="the cancelled run")


def test_an_attempt_is_ended_at_its_time_out(server):
    job = server.create(name="hang", type="SCRIPT", timeoutSeconds=1, schedule={"scheduleType": "MANUAL"},
                        payload={"script": "#!/bin/sh\nsleep 600 & sleep 600\n"})
    run_id = server.call("POST", f"/jobs/{job['id']}:run-now", {}).json["id"]
    run = wait_until(lambda: (r := server.call("GET", f"/runs/{run_id}").json)["status"] == "TIMED_OUT" and r,
                     what="the time-out")
    assert run["errorClass"] == "TIMEOUT"


def test_the_command_line_does_the_same(server, target, tmp_path):
    password = tmp_path / "password"
    password.write_text("correct horse battery staple")
    server.token = None
    server.cli("login", "--email", "admin@example.com", "--password-file", str(password), check=0)
    server.cli("job", "create", "hello", "--http", target.url + "/hello", "--every", "1h", check=0)
    server.cli("job", "run", "hello", "--wait", check=0)
    listed = json.loads(server.cli("job", "list", "-o", "json", check=0).stdout)
    assert [job["name"] for job in listed["content"]] == ["hello"]
    server.cli("job", "create", "bad", "--script", "-", stdin="#!/bin/sh\nexit 4\n", check=0)
    assert server.cli("job", "run", "bad", "--wait").returncode == 7
    assert server.cli("job", "get", "nothing").returncode == 3
    assert "hello" in server.cli("job", "list", check=0).stdout
    letters = json.loads(server.cli("dlq", "list", "-o", "json", check=0).stdout)["content"]
    server.cli("dlq", "resolve", letters[0]["id"], "--reason", "known", check=0)
    assert server.cli("whoami", check=0).stdout.strip() != ""
    server.cli("logout", check=0)
    assert server.cli("job", "list").returncode == 4


def test_a_drain_finishes_what_runs_and_starts_nothing_twice(server, target):
    job = server.create(name="two seconds", type="SCRIPT", schedule={"scheduleType": "MANUAL"},
                        payload={"script": "#!/bin/sh\nsleep 2\necho finished\n"})
    run_id = server.call("POST", f"/jobs/{job['id']}:run-now", {}).json["id"]
    wait_until(lambda: server.call("GET", f"/runs/{run_id}").json["status"] == "RUNNING", what="the start")
    begun = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - begun < 30
    server.start()
    server.login()
    run = server.call("GET", f"/runs/{run_id}").json
    assert run["status"] == "SUCCEEDED", run
