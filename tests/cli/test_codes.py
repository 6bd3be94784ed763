# SPDX-License-Identifier: Apache-2.0
"""Exit codes and what is said with them (docs: the public contract, section 6)."""
import socket

import pytest

from fake import page, problem

JOB = {"id": "01KA3V5J8M2C000000000000AA", "name": "hello", "type": "DUMMY", "status": "SCHEDULED", "version": 1,
       "schedule": {"scheduleType": "INTERVAL", "intervalSeconds": 5}, "nextFireTime": "2099-01-01T00:00:00.000Z",
       "tags": ["a", "b"]}
JOB_PATH = f"/api/v1/jobs/{JOB['id']}"

STATUSES = [(200, 0), (400, 1), (401, 4), (403, 4), (404, 3), (409, 5), (412, 5), (413, 1), (422, 1), (429, 1),
            (500, 1), (502, 6), (503, 6), (504, 6)]


@pytest.mark.parametrize("status,code", STATUSES)
def test_each_status_has_its_exit_code(server, cli, status, code):
    server.on("GET", JOB_PATH, (200, JOB) if status == 200 else problem(status, "CODE", "it did not work"))
    result = cli("job", "get", JOB["id"], code=code)
    assert status == 200 or "chronos: it did not work" in result.stderr
    assert status == 200 or result.stdout == ""


def test_every_fault_of_a_problem_is_told_with_its_pointer(server, cli):
    server.on("POST", "/api/v1/jobs", problem(400, "INVALID", "the job is not valid", [
        {"pointer": "/schedule/cronExpression", "detail": "minute: expected 0-59"},
        {"pointer": "/name", "detail": "is required"}, {"parameter": "size", "detail": "is too large"}]))
    result = cli("job", "create", "x", "--dummy", code=1)
    assert "chronos: the job is not valid (400 INVALID)" in result.stderr
    assert "  /schedule/cronExpression: minute: expected 0-59" in result.stderr
    assert "  /name: is required" in result.stderr
    assert "  size: is too large" in result.stderr


def test_a_401_names_the_next_step(server, cli):
    server.on("GET", "/api/v1/auth/me", problem(401, "UNAUTHENTICATED", "no token"))
    assert "chronos login" in cli("whoami", code=4).stderr


def test_an_answer_that_is_no_problem_document_is_told_by_its_status(server, cli):
    server.on("GET", JOB_PATH, (500, b"<html>oops</html>", {"Content-Type": "text/html"}))
    assert "500 Internal Server Error" in cli("job", "get", JOB["id"], code=1).stderr


def test_a_success_that_is_not_json_is_refused(server, cli):
    server.on("GET", JOB_PATH, (200, b"<html>hello</html>", {"Content-Type": "text/html"}))
    assert "is a Chronos server there?" in cli("job", "get", JOB["id"], code=1).stderr


def test_nobody_listening_is_unreachable(alone):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))  # bound, not listening: refused
        result = alone("job", "list", "--url", f"http://127.0.0.1:{s.getsockname()[1]}", code=6)
    assert "chronos server" in result.stderr


@pytest.mark.parametrize("args,part", [
    (["jbo", "list"], 'did you mean "job"?'),
    (["job", "lits"], 'did you mean "chronos job list"?'),
    (["job", "list", "--staus", "x"], 'did you mean "--status"?'),
    (["job", "list", "--limit", "0"], "1 to 200"),
    (["job", "list", "--limit"], "--limit N"),
    (["job", "list", "-o", "xml"], "table, json, yaml, jsonl or name"),
    (["job", "get"], "chronos job get JOB"),
    (["job", "get", "a", "b"], '"b" is too much'),
    (["job", "create", "x"], "--http URL"),
    (["job", "create", "--dummy"], "what is it to be called"),
    (["job", "create", "x", "--dummy", "--http", "http://h"], "exclude each other"),
    (["job", "create", "x", "--dummy", "--every", "5m", "--cron", "* * * * *"], "exclude each other"),
    (["job", "create", "x", "--dummy", "--every", "1h30"], "--every"),
    (["job", "create", "x", "--dummy", "--timeout", "500ms"], "whole seconds"),
    (["job", "create", "x", "--dummy", "--at", "tomorrow"], "+10m"),
    (["job", "create", "x", "--dummy", "--header", "A: b"], "belong to --http"),
    (["job", "create", "x", "-f", "y"], "not both"),
    (["job", "run", "x", "--param", "y"], "NAME=VALUE"),
    (["dlq", "replay"], "--all"),
    (["dlq", "resolve", "x"], "--reason"),
    (["job", "list", "--url", "ftp://x"], "CHRONOS_URL"),
    (["schedule", "next", "61 * * * *"], "minute"),
    (["job"], "Usage"),
])
def test_wrong_usage_is_code_2_with_a_remedy(cli, args, part):
    assert part in cli(*args, code=2).stderr


def test_flags_may_stand_anywhere(server, cli):
    server.on("GET", "/api/v1/jobs", page([JOB]))
    expected = cli("job", "list", "-o", "json").stdout
    assert cli("-o", "json", "job", "list").stdout == expected
    assert cli("job", "-ojson", "list").stdout == expected
    assert cli("job", "--output=json", "list").stdout == expected
    assert cli("jobs", "ls", CHRONOS_OUTPUT="json").stdout == expected


def test_help_opens_with_examples_for_every_command(alone):
    names = [line.split()[0] for line in alone("help").stdout.split("Commands:")[1].split("Topics")[0].splitlines() if line]
    assert "job" in names and "doctor" in names
    for name in names:
        assert alone(name, "-h").stdout.startswith("Examples:\n  chronos "), name
    for verb in ("create", "list", "get", "edit", "delete", "pause", "resume", "cancel", "run"):
        assert alone("job", verb, "-h").stdout.startswith("Examples:\n  chronos job"), verb
    for topic in ("exit-codes", "environment", "formats", "schedules"):
        assert len(alone("help", topic).stdout) > 100


def test_a_full_disk_behind_stdout_is_a_failure(server, cli, tmp_path):
    import subprocess
    from fake import BINARY
    with open("/dev/full", "w") as full:
        assert subprocess.run([BINARY, "version"], env=cli.env, stdout=full, stderr=subprocess.PIPE).returncode == 1
