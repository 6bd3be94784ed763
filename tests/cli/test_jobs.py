# SPDX-License-Identifier: Apache-2.0
"""Jobs: definitions from flags and files, names instead of ids, changes."""
import stat

import pytest

from fake import page, problem

ID, OTHER = "01KA3V5J8M2C000000000000AA", "01KA3V5J8M2C000000000000BB"
JOB = {"id": ID, "name": "hello", "type": "HTTP", "status": "SCHEDULED", "version": 3, "enabled": True,
       "schedule": {"scheduleType": "CRON", "cronExpression": "0 2 * * *", "timezone": "UTC"},
       "payload": {"httpUrl": "http://h/", "httpHeaders": {"Authorization": "***"}}, "tags": ["a"],
       "createdAt": "2026-01-01T00:00:00.000Z"}

BY_FLAGS = [
    (["--http", "http://h/x", "--every", "5m"],
     {"type": "HTTP", "payload": {"httpUrl": "http://h/x"},
      "schedule": {"scheduleType": "INTERVAL", "intervalSeconds": 300}}),
    (["--http", "http://h/x", "--header", "A: b:c", "-H", "D:e", "--body", "{}", "--every", "500ms"],
     {"type": "HTTP", "payload": {"httpUrl": "http://h/x", "httpMethod": "POST", "httpBody": "{}",
                                  "httpHeaders": {"A": "b:c", "D": "e"}},
      "schedule": {"scheduleType": "INTERVAL", "intervalMs": 500}}),
    (["--http", "http://h/x", "--method", "PUT", "--body", "@body.txt"],
     {"type": "HTTP", "payload": {"httpUrl": "http://h/x", "httpMethod": "PUT", "httpBody": "from a file\n"},
      "schedule": {"scheduleType": "MANUAL"}}),
    (["--script", "body.txt", "--cron", "30 2 * * *", "--tz", "Europe/Berlin", "--misfire", "RESCHEDULE"],
     {"type": "SCRIPT", "payload": {"script": "from a file\n"},
      "schedule": {"scheduleType": "CRON", "cronExpression": "30 2 * * *", "timezone": "Europe/Berlin",
                   "misfirePolicy": "RESCHEDULE"}}),
    (["--dummy", "--at", "2027-03-28T02:30:00+02:00", "--retries", "3", "--backoff", "1m30s", "--exponential",
      "--timeout", "2h", "--tag", "x", "--tag", "y", "--priority", "HIGH", "--concurrency", "FORBID", "--disabled",
      "--description", "words"],
     {"type": "DUMMY", "payload": {}, "schedule": {"scheduleType": "ONCE", "runAt": "2027-03-28T00:30:00.000Z"},
      "retryPolicy": {"maxAttempts": 4, "backoffStrategy": "EXPONENTIAL", "backoffSeconds": 90},
      "timeoutSeconds": 7200, "tags": ["x", "y"], "priority": "HIGH", "concurrencyPolicy": "FORBID", "enabled": False,
      "description": "words"}),
    (["--dummy", "--rrule", "FREQ=DAILY", "--at", "2027-01-01T00:00:00Z"],
     {"type": "DUMMY", "payload": {}, "schedule": {"scheduleType": "RRULE", "rrule": "FREQ=DAILY",
                                                   "dtstart": "2027-01-01T00:00:00.000Z"}}),
]


@pytest.mark.parametrize("flags,expected", BY_FLAGS)
def test_flags_become_a_definition(server, cli, tmp_path, flags, expected):
    (tmp_path / "body.txt").write_text("from a file\n")
    server.on("POST", "/api/v1/jobs", (201, JOB))
    out = cli("job", "create", "n", *flags).stdout
    assert server.seen[-1].json == {"name": "n", **expected}
    assert len(server.seen[-1].headers["Idempotency-Key"]) == 26
    assert out.startswith(f"created hello ({ID})")


def test_warnings_of_the_server_are_shown(server, cli):
    server.on("POST", "/api/v1/jobs", (201, dict(JOB, warnings=["retryOn: FOO is unknown"])))
    assert "warning: retryOn: FOO is unknown" in cli("job", "create", "n", "--dummy").stderr


def test_a_dry_run_asks_for_one_and_shows_the_fires(server, cli):
    server.on("POST", "/api/v1/jobs", (200, dict(JOB, dryRun=True, nextFireTimes=["2027-01-01T02:00:00Z"])))
    assert "2027-01-01T02:00:00Z" in cli("job", "create", "n", "--dummy", "--dry-run").stdout
    assert server.seen[-1].query == {"dryRun": "true"} and "Idempotency-Key" not in server.seen[-1].headers


FILES = {
    "one.yaml": "name: a\ntype: DUMMY\nschedule: {scheduleType: MANUAL}\n",
    "one.json": '{"name":"a","type":"DUMMY","schedule":{"scheduleType":"MANUAL"}}',
    "many.yaml": "---\nname: a\ntype: DUMMY\n---\nname: b\ntype: DUMMY\n",
    "list.yaml": "- {name: a, type: DUMMY}\n- {name: b, type: DUMMY}\n",
    "many.json": '[{"name":"a","type":"DUMMY"},{"name":"b","type":"DUMMY"}]',
    "batch.json": '{"jobs":[{"name":"a","type":"DUMMY"},{"name":"b","type":"DUMMY"}]}',
}


@pytest.mark.parametrize("name", FILES)
def test_files_hold_one_job_or_many(server, cli, tmp_path, name):
    (tmp_path / name).write_text(FILES[name])
    server.on("POST", "/api/v1/jobs", (201, JOB))
    server.on("POST", "/api/v1/jobs:batch", (201, {"content": [JOB, JOB]}))
    cli("job", "create", "-f", name)
    cli("job", "create", "-f", "-", stdin=FILES[name])
    one = name.startswith("one")
    assert {r.path for r in server.seen} == {"/api/v1/jobs" if one else "/api/v1/jobs:batch"}
    names = [server.seen[0].json["name"]] if one else [j["name"] for j in server.seen[0].json["jobs"]]
    assert names == (["a"] if one else ["a", "b"])


@pytest.mark.parametrize("text,part", [("", "no job"), ("just words", "no job"), ("a: [1", "line 2"), ("{\"a\":", "line 1")])
def test_a_file_without_a_job_is_refused(cli, tmp_path, text, part):
    (tmp_path / "x.yaml").write_text(text)
    result = cli("job", "create", "-f", "x.yaml", code=2)
    assert "x.yaml" in result.stderr and part in result.stderr
    assert "does not exist" in cli("job", "create", "-f", "gone.yaml", code=3).stderr


def test_a_name_stands_for_the_one_job_of_exactly_that_name(server, cli):
    server.on("GET", "/api/v1/jobs", lambda r: page([dict(JOB, id=OTHER, name="hello2")], cursor="2")
              if "cursor" not in r.query else page([JOB]))
    server.on("GET", f"/api/v1/jobs/{ID}", (200, JOB))
    assert ID in cli("job", "get", "hello").stdout
    assert [r.query.get("name") for r in server.seen] == ["hello", "hello", None]


def test_an_id_is_used_as_it_is(server, cli):
    server.on("GET", f"/api/v1/jobs/{ID}", (200, JOB))
    cli("job", "get", ID)
    assert server.calls() == [f"GET /api/v1/jobs/{ID}"]


def test_an_unknown_name_is_code_3_and_an_ambiguous_one_lists_the_ids(server, cli):
    server.on("GET", "/api/v1/jobs", page([]))
    assert 'no job is called "nobody"' in cli("job", "get", "nobody", code=3).stderr
    server.on("GET", "/api/v1/jobs", page([JOB, dict(JOB, id=OTHER)]))
    result = cli("job", "get", "hello", code=5)
    assert ID in result.stderr and OTHER in result.stderr


def test_several_jobs_are_handled_and_the_failure_is_kept(server, cli):
    server.on("POST", f"/api/v1/jobs/{ID}:pause", (200, dict(JOB, status="PAUSED")))
    server.on("POST", f"/api/v1/jobs/{OTHER}:pause", problem(409, "CONFLICT", "it is cancelled"))
    result = cli("job", "pause", OTHER, ID, code=5)
    assert f"paused hello ({ID})" in result.stdout and "it is cancelled" in result.stderr
    for verb, tail in (("resume", ":resume"), ("cancel", ":cancel")):
        server.on("POST", f"/api/v1/jobs/{ID}{tail}", (200, JOB))
        cli("job", verb, ID)
    server.on("DELETE", f"/api/v1/jobs/{ID}", (204, None))
    assert "deleted" in cli("job", "delete", ID).stderr


def test_flags_of_edit_become_a_merge_patch(server, cli):
    server.on("PATCH", f"/api/v1/jobs/{ID}", (200, JOB))
    cli("job", "edit", ID, "--retries", "2", "--every", "10m")
    assert server.seen[-1].json == {
        "retryPolicy": {"maxAttempts": 3},
        "schedule": {"scheduleType": "INTERVAL", "intervalSeconds": 600, "cronExpression": None, "rrule": None,
                     "runAt": None, "dtstart": None, "intervalMs": None, "timezone": None}}


def test_an_editor_sends_only_what_was_changed_with_the_version_it_saw(server, cli, tmp_path):
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\ncp \"$2\" seen.yaml\nsed -i -e 's/0 2/0 3/' -e '/^tags/,/^  *- /d' \"$2\"\n")
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    server.on("GET", f"/api/v1/jobs/{ID}", (200, JOB, {"ETag": '"3"'}))
    server.on("PATCH", f"/api/v1/jobs/{ID}", (200, dict(JOB, version=4)))
    cli("job", "edit", ID, EDITOR=f"{editor} --wait", TMPDIR=str(tmp_path))
    assert server.seen[-1].json == {"schedule": {"cronExpression": "0 3 * * *"}, "tags": None}
    assert server.seen[-1].headers["If-Match"] == '"3"'
    shown = (tmp_path / "seen.yaml").read_text()
    assert "name: hello" in shown and "version" not in shown and ID not in shown and "createdAt" not in shown
    assert not list(tmp_path.glob("chronos-job-*"))


def test_an_editor_that_changes_nothing_or_fails_sends_nothing(server, cli, tmp_path):
    server.on("GET", f"/api/v1/jobs/{ID}", (200, JOB))
    assert "nothing was changed" in cli("job", "edit", ID, EDITOR="true", TMPDIR=str(tmp_path)).stderr
    assert "kept in" in cli("job", "edit", ID, EDITOR="false", TMPDIR=str(tmp_path), code=1).stderr
    assert server.calls("PATCH") == []


def test_a_stale_edit_keeps_the_text(server, cli, tmp_path):
    server.on("GET", f"/api/v1/jobs/{ID}", (200, JOB, {"ETag": '"3"'}))
    server.on("PATCH", f"/api/v1/jobs/{ID}", problem(412, "STALE", "the job has changed"))
    result = cli("job", "edit", ID, EDITOR="sed -i s/hello/bye/", TMPDIR=str(tmp_path), code=5)
    kept = list(tmp_path.glob("chronos-job-*"))
    assert len(kept) == 1 and str(kept[0]) in result.stderr and "name: bye" in kept[0].read_text()


def test_a_saved_answer_can_be_sent_back_as_a_file(server, cli, tmp_path):
    server.on("GET", f"/api/v1/jobs/{ID}", (200, JOB))
    server.on("PUT", f"/api/v1/jobs/{ID}", (200, JOB))
    (tmp_path / "job.yaml").write_text(cli("job", "get", ID, "-o", "yaml").stdout)
    cli("job", "edit", ID, "-f", "job.yaml")
    assert server.seen[-1].json == {k: v for k, v in JOB.items()
                                    if k not in ("id", "status", "version", "createdAt")}


def test_strange_names_are_encoded(server, cli):
    server.on("GET", "/api/v1/jobs", page([]))
    cli("job", "get", "a/b?c=d&e #f", code=3)
    assert server.seen[-1].query["name"] == "a/b?c=d&e #f"
