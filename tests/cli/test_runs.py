# SPDX-License-Identifier: Apache-2.0
"""Runs and dead letters: start, wait, follow the log, exit code 7."""
import json

import pytest

from fake import page, problem

JOB, RUN, NEXT = "01KA3V5J8M2C000000000000AA", "01KA3V5J8M2C000000000000R1", "01KA3V5J8M2C000000000000R2"
STREAM = f"/api/v1/jobs/{JOB}/runs/{RUN}/logs:stream"


def run(status, **more):
    return {"id": RUN, "jobId": JOB, "jobName": "hello", "status": status, "attempt": 1, "runKey": "KEY",
            "durationMs": 1234, "errorMessage": "it broke" if status == "FAILED" else None, **more}


def event(number, message, **more):
    line = {"id": number, "runId": RUN, "level": "INFO", "stream": "STDOUT", "message": message, **more}
    return f"id: {number}\ndata: {json.dumps(line)}\n\n".encode()


def end(status):
    return f"event: end\ndata: {{\"status\":\"{status}\"}}\n\n".encode()


def answers(*values):
    """One answer after the other; the last one stays."""
    left = list(values)
    return lambda request: (200, left.pop(0) if len(left) > 1 else left[0])


def test_run_starts_and_says_how_to_watch(server, cli):
    server.on("POST", f"/api/v1/jobs/{JOB}:run-now", (202, run("QUEUED")))
    result = cli("job", "run", JOB, "--param", "month=3", "--param", "x=a=b")
    assert result.stdout == f"started run {RUN}\n" and f"chronos run logs -f {RUN}" in result.stderr
    assert server.seen[-1].json == {"parameters": {"month": "3", "x": "a=b"}}
    assert json.loads(cli("job", "run", JOB, "-o", "json").stdout)["id"] == RUN
    assert server.seen[-1].body == b""


@pytest.mark.parametrize("status,code", [("SUCCEEDED", 0), ("FAILED", 7), ("TIMED_OUT", 7), ("CANCELLED", 7),
                                         ("LOST", 7), ("SKIPPED", 7), ("MISSED", 7)])
def test_waiting_ends_with_code_7_unless_it_succeeded(server, cli, status, code):
    server.on("POST", f"/api/v1/jobs/{JOB}:run-now", (202, run("QUEUED")))
    server.on("GET", f"/api/v1/runs/{RUN}", answers(run("RUNNING"), run(status)))
    server.on("GET", STREAM, (200, [event(1, "working"), end(status)]))
    server.on("GET", f"/api/v1/jobs/{JOB}/runs", page([run(status)]))
    result = cli("job", "run", JOB, "--wait", "-o", "json", code=code)
    assert json.loads(result.stdout)["status"] == status
    assert "working" not in result.stdout


def test_a_run_that_is_over_needs_no_stream(server, cli):
    server.on("GET", f"/api/v1/runs/{RUN}", (200, run("SUCCEEDED")))
    assert "SUCCEEDED" in cli("run", "wait", RUN).stdout
    assert server.calls() == [f"GET /api/v1/runs/{RUN}"]


def test_waiting_goes_on_with_the_next_attempt(server, cli):
    second = run("SUCCEEDED", id=NEXT, attempt=2)
    server.on("GET", f"/api/v1/runs/{RUN}", (200, run("FAILED")))
    server.on("GET", f"/api/v1/runs/{NEXT}", (200, second))
    server.on("GET", f"/api/v1/jobs/{JOB}/runs", page([second, run("FAILED")]))
    result = cli("run", "wait", RUN)
    assert "attempt 1 failed" in result.stderr and NEXT in result.stdout
    cli("run", "wait", RUN, "--this-attempt", code=7)


def test_logs_follow_resumes_where_the_stream_broke(server, cli):
    def stream(request):
        if request.headers.get("Last-Event-ID") == "2":
            return 200, [event(3, "three"), end("SUCCEEDED")]
        return 200, [b": hello\n\n", event(1, "one"), event(2, "two"), b"id: 3\ndata: {\"mess"]  # cut

    server.on("GET", f"/api/v1/runs/{RUN}", answers(run("RUNNING"), run("SUCCEEDED")))
    server.on("GET", STREAM, stream)
    result = cli("run", "logs", "-f", RUN)
    assert result.stdout == "one\ntwo\nthree\n"
    assert "SUCCEEDED in 1.2 s" in result.stderr


def test_following_a_failed_run_is_no_failure_of_reading(server, cli):
    server.on("GET", f"/api/v1/runs/{RUN}", (200, run("FAILED")))
    server.on("GET", STREAM, (200, [event(1, "one", stream="STDERR"), end("FAILED")]))
    result = cli("run", "logs", "-f", RUN)
    assert result.stdout == "one\n" and "FAILED" in result.stderr and "it broke" in result.stderr


def test_logs_read_page_after_page(server, cli):
    def lines(request):
        after = int(request.query["after"])
        return page([{"id": i, "message": f"line {i}"} for i in range(after + 1, min(after + 1000, 2300) + 1)])

    server.on("GET", f"/api/v1/runs/{RUN}", (200, run("SUCCEEDED")))
    server.on("GET", f"/api/v1/jobs/{JOB}/runs/{RUN}/logs", lines)
    out = cli("run", "logs", RUN).stdout.splitlines()
    assert len(out) == 2300 and out[0] == "line 1" and out[-1] == "line 2300"
    assert len(cli("run", "logs", RUN, "-o", "jsonl").stdout.splitlines()) == 2300


def test_a_run_that_is_gone_ends_the_wait_with_its_code(server, cli):
    server.on("GET", f"/api/v1/runs/{RUN}", problem(404, "NOT_FOUND", "no such run"))
    cli("run", "wait", RUN, code=3)
    cli("run", "logs", RUN, code=3)


def test_a_wait_that_takes_too_long_is_code_6(server, cli):
    server.on("GET", f"/api/v1/runs/{RUN}", (200, run("RUNNING")))
    server.on("GET", STREAM, (200, [b": nothing\n\n"]))
    assert "in time" in cli("run", "wait", RUN, "--timeout", "300ms", code=6).stderr


def test_lists_of_runs_by_name_of_the_job(server, cli):
    server.on("GET", "/api/v1/jobs", page([{"id": JOB, "name": "hello"}]))
    server.on("GET", f"/api/v1/jobs/{JOB}/runs", page([run("FAILED")]))
    out = cli("run", "list", "hello", "--status", "FAILED").stdout
    assert "it broke" in out and "1.2 s" in out
    assert server.seen[-1].query["status"] == "FAILED"


def test_cancel_and_retry(server, cli):
    server.on("POST", f"/api/v1/runs/{RUN}:cancel", (200, run("RUNNING")))
    server.on("POST", f"/api/v1/runs/{RUN}:retry", (202, run("QUEUED", id=NEXT)))
    server.on("GET", f"/api/v1/runs/{NEXT}", (200, run("FAILED", id=NEXT)))
    server.on("GET", f"/api/v1/jobs/{JOB}/runs", page([]))
    assert "asked to end" in cli("run", "cancel", RUN).stdout
    assert NEXT in cli("run", "retry", RUN).stdout
    cli("run", "retry", RUN, "--wait", code=7)


def test_dead_letters(server, cli):
    letter = {"id": RUN, "jobName": "hello", "reason": "attempts used up", "errorClass": "HTTP_5XX", "attempts": 3,
              "resolved": False, "createdAt": "2026-01-01T00:00:00Z"}
    server.on("GET", "/api/v1/dlq", page([letter]))
    server.on("GET", f"/api/v1/dlq/{RUN}", (200, letter))
    server.on("POST", f"/api/v1/dlq/{RUN}:replay", (202, run("QUEUED", id=NEXT)))
    server.on("POST", f"/api/v1/dlq/{RUN}:resolve", (200, dict(letter, resolved=True)))
    server.on("POST", "/api/v1/dlq:replay-all", (200, {"replayed": 4, "failed": 1, "more": False}))
    server.on("GET", "/api/v1/jobs", page([{"id": JOB, "name": "hello"}]))
    assert "attempts used up" in cli("dlq", "list").stdout and server.seen[-1].query["resolved"] == "false"
    cli("dlq", "list", "--any", "--job", "hello")
    assert server.seen[-1].query["jobId"] == JOB and "resolved" not in server.seen[-1].query
    assert "HTTP_5XX" in cli("dlq", "get", RUN).stdout
    assert NEXT in cli("dlq", "replay", RUN).stdout
    cli("dlq", "resolve", RUN, "--reason", 'by "hand"')
    assert server.seen[-1].json == {"reason": 'by "hand"'}
    assert "4" in cli("dlq", "replay", "--all", "--job", "hello").stdout and server.seen[-1].json == {"jobId": JOB}
    cli("dlq", "replay", "--all", "--class", "HTTP_5XX", "--before", "2027-01-31T08:00:00Z", "--limit", "5", "--expect",
        "3", "--current")
    assert server.seen[-1].json == {"errorClass": "HTTP_5XX", "before": "2027-01-31T08:00:00Z", "limit": 5, "expect": 3,
                                    "version": "current"}
    cli("dlq", "list", "--class", "LOST")
    assert server.seen[-1].query["errorClass"] == "LOST"


def test_replay_with_edits(server, cli, tmp_path):
    server.on("POST", f"/api/v1/dlq/{RUN}:replay", (202, run("QUEUED", id=NEXT)))
    cli("dlq", "replay", RUN)
    assert server.seen[-1].body == b""
    cli("dlq", "replay", RUN, "--current", "--param", "day=monday", "--param", "n=7")
    assert server.seen[-1].json == {"version": "current", "parameters": {"day": "monday", "n": "7"}}
    patch = tmp_path / "patch.json"
    patch.write_text('{"httpBody": null}')
    cli("dlq", "replay", RUN, "--payload", str(patch))
    assert server.seen[-1].json == {"payload": {"httpBody": None}}
    patch.write_text("{")
    assert "patch.json" in cli("dlq", "replay", RUN, "--payload", str(patch), code=2).stderr
    cli("dlq", "replay", "--all", "--param", "a=b", code=2)
    cli("dlq", "replay", "--all", "--limit", "x", code=2)


def test_breakers(server, cli):
    one = {"id": RUN, "target": "https://api.example.com:443", "state": "OPEN", "failures": 5, "opens": 1, "node": "n1",
           "since": "2026-01-01T00:00:00Z", "nextProbe": "2026-01-01T00:00:30Z"}
    server.on("GET", "/api/v1/breakers", page([one]))
    server.on("POST", f"/api/v1/breakers/{RUN}:reset", (200, dict(one, state="CLOSED")))
    out = cli("breaker", "list").stdout
    assert "https://api.example.com:443" in out and "OPEN" in out and "n1" in out
    assert "api.example.com" in cli("breaker", "reset", "HTTPS://api.example.com:443").stdout
    cli("breakers", "reset", RUN)
    assert server.seen[-1].path == f"/api/v1/breakers/{RUN}:reset"
    cli("breaker", "reset", code=2)
