# SPDX-License-Identifier: Apache-2.0
"""What works without a server: schedules, settings, doctor, accounts."""
import json
import os
import pty
import select
import socket
import subprocess

import pytest

from fake import BINARY, Cli

LINES = [
    ({"id": 1, "expr": "30 2 * * *", "tz": "Europe/Berlin", "from": "2027-03-27T12:00:00Z", "count": 2},
     {"id": 1, "valid": True, "next": ["2027-03-28T03:00:00+02:00", "2027-03-29T02:30:00+02:00"]}),
    ({"id": "x", "expr": "0 0 12 ? * MON-FRI", "from": "2027-03-26T12:00:00Z", "count": 1},
     {"id": "x", "valid": True, "next": ["2027-03-29T12:00:00Z"]}),
    ({"id": 3, "expr": "0 0 30 2 *", "from": "2027-01-01T00:00:00Z"}, {"id": 3, "valid": True, "next": []}),
    ({"id": 4, "expr": "*/15 * * * *", "from": "2027-01-01T00:00:00Z", "count": 2},
     {"id": 4, "valid": True, "next": ["2027-01-01T00:15:00Z", "2027-01-01T00:30:00Z"]}),
]


def normal(answer):
    return {**answer, "next": [t.replace("+00:00", "Z") for t in answer["next"]]} if "next" in answer else answer


def test_each_line_gets_one_answer_in_order(alone):
    text = "".join(json.dumps(q) + "\n" for q, _ in LINES)
    answers = [normal(json.loads(a)) for a in alone("schedule", "next", "--jsonl", stdin=text).stdout.splitlines()]
    assert answers == [a for _, a in LINES]


def test_wrong_lines_get_an_answer_too(alone):
    text = '{"id":1,"expr":"61 * * * *"}\nno json\n\n[]\n{"id":2}\n{"id":3,"expr":"* * * * *","tz":"Mars/Base"}'
    answers = [json.loads(a) for a in alone("schedule", "next", "--jsonl", stdin=text).stdout.splitlines()]
    assert [a["valid"] for a in answers] == [False] * 5
    assert [a["id"] for a in answers] == [1, None, None, 2, 3]
    assert answers[0]["position"] == 0 and "minute" in answers[0]["error"]
    assert all(a["error"] for a in answers)


def test_a_line_longer_than_the_limit_is_answered_and_passed_over(alone):
    text = "{" + " " * (3 << 20) + "}\n" + json.dumps(LINES[0][0]) + "\n"
    answers = [json.loads(a) for a in alone("schedule", "next", "--jsonl", stdin=text).stdout.splitlines()]
    assert len(answers) == 2 and "longer" in answers[0]["error"] and answers[1]["valid"]


def test_many_lines_keep_their_order_and_number(alone):
    count = 20000
    text = "".join(json.dumps({**LINES[0][0], "id": i}) + "\n" for i in range(count))
    out = alone("schedule", "next", "--jsonl", stdin=text).stdout.splitlines()
    assert len(out) == count and all(f'"id":{i},' in line for i, line in enumerate(out))


def test_an_answer_comes_before_the_next_line_is_asked(alone):
    process = subprocess.Popen([BINARY, "schedule", "next", "--jsonl"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               env=alone.env)
    for question, answer in LINES:
        process.stdin.write(json.dumps(question).encode() + b"\n")
        process.stdin.flush()
        assert normal(json.loads(process.stdout.readline())) == answer
    process.stdin.close()
    assert process.wait() == 0
    process.stdout.close()


def test_next_shows_the_fires_and_what_the_clock_change_does(alone):
    args = ["schedule", "next", "30 2 * * *", "--tz", "Europe/Berlin", "--from", "2027-03-27T12:00:00Z", "-n", "2"]
    out = alone(*args).stdout
    assert "2027-03-28T03:00:00+02:00" in out and "CEST" in out and "does not exist" in out
    data = json.loads(alone(*args, "-o", "json").stdout)
    assert [f["at"] for f in data["content"]] == ["2027-03-28T03:00:00+02:00", "2027-03-29T02:30:00+02:00"]
    assert data["content"][0]["utc"] == "2027-03-28T01:00:00.000Z"
    assert alone(*args, "-o", "name").stdout.split() == ["2027-03-28T03:00:00+02:00", "2027-03-29T02:30:00+02:00"]
    skipped = alone(*args, "--dst-gap", "skip", "-o", "name").stdout.split()
    assert skipped == ["2027-03-29T02:30:00+02:00", "2027-03-30T02:30:00+02:00"]


def test_a_wrong_expression_is_marked_where_it_is_wrong(alone):
    err = alone("schedule", "next", "0 25 * * *", code=2).stderr.splitlines()
    assert "hour" in err[0] and err[1] == "  0 25 * * *" and err[2] == "    ^"
    assert "never fires" in alone("schedule", "next", "0 0 30 2 *").stderr
    assert "AUTO, OR, AND" in alone("schedule", "next", "* * * * *", "--day-match", "x", code=2).stderr


# ---- settings ----

def test_config_show_names_the_origin_of_every_value_and_masks_secrets(alone, tmp_path):
    (tmp_path / "c.yaml").write_text("http:\n  threads: 3\nadmin: {email: a@example.org, passwordFile: pw}\n")
    (tmp_path / "pw").write_text("correct horse battery\n")
    shown = json.loads(alone("config", "show", "--config", "c.yaml", "--set", "log.level=debug", "-o", "json",
                             CHRONOS_HTTP_WORKERS="5").stdout)["content"]
    by_name = {s["name"]: s for s in shown}
    assert by_name["http.threads"]["value"] == "3" and by_name["http.threads"]["origin"] == "file c.yaml line 2"
    assert by_name["http.workers"]["origin"] == "environment CHRONOS_HTTP_WORKERS"
    assert by_name["log.level"]["origin"] == "flag --set"
    assert by_name["data.dir"]["origin"] == "default" and by_name["data.dir"]["variable"] == "CHRONOS_DATA_DIR"
    assert by_name["admin.password"]["value"] == "***"
    assert "correct horse" not in json.dumps(shown)
    assert "CHRONOS_HTTP_BODYMAXBYTES" in alone("config", "env").stdout


def test_config_check_tells_all_faults_at_once(alone, tmp_path):
    (tmp_path / "c.yaml").write_text("http:\n  listn: x\nlog:\n  level: loud\n")
    err = alone("config", "check", "-c", "c.yaml", CHRONOS_HTTP_THREADS="many", CHRONOS_HTP_LISTEN="x", code=2).stderr
    assert 'http.listn: unknown setting (line 2); did you mean "http.listen"?' in err
    assert "log.level" in err and "http.threads" in err
    assert 'warning: CHRONOS_HTP_LISTEN: unknown variable, ignored; did you mean "CHRONOS_HTTP_LISTEN"?' in err
    alone("config", "check")


def test_a_wrong_setting_stops_every_command_that_needs_settings(alone):
    for command in (["server"], ["db", "check"], ["admin", "create", "a@example.org"], ["setup-link"]):
        assert "http.threads" in alone(*command, stdin="", code=2, CHRONOS_HTTP_THREADS="0").stderr


# ---- doctor ----

def findings(result):
    return {c["name"]: c for c in json.loads(result.stdout)["checks"]}


def test_doctor_finds_a_taken_port_and_open_rights_with_the_fix(alone, tmp_path):
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    (data / "token.key").write_text("x")
    (data / "token.key").chmod(0o644)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        listen = f"127.0.0.1:{s.getsockname()[1]}"
        # What listens there never answers, so the probe of the server must give up by itself.
        result = alone("doctor", "--json", code=1, CHRONOS_HTTP_LISTEN=listen, CHRONOS_DATA_DIR=str(data))
    found = findings(result)
    assert found["port"]["state"] == "FAIL" and "ss -ltnp" in found["port"]["fix"]
    assert found["file rights"]["state"] == "FAIL" and found["file rights"]["fix"].startswith("chmod 600")
    assert found["data folder"]["state"] == "PASS" and found["settings"]["state"] == "PASS"
    assert json.loads(result.stdout)["ok"] is False


def test_doctor_needs_no_rights_of_files_inside_a_closed_folder(alone, tmp_path):
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "chronos.db").write_text("x")
    found = findings(alone("doctor", "--json", code=None, CHRONOS_HTTP_LISTEN="127.0.0.1:1", CHRONOS_DATA_DIR=str(data)))
    assert found["file rights"]["state"] == "PASS"


def test_doctor_compares_the_clocks(server, cli):
    server.on("GET", "/readyz", (200, {"status": "UP"}))
    found = findings(cli("doctor", "-o", "json", code=None))
    assert found["server"]["state"] == "PASS" and found["clock of the server"]["state"] == "PASS"
    assert found["time zones"]["state"] == "PASS" and "202" in found["time zones"]["detail"]


def test_doctor_reports_wrong_settings_with_a_remedy(alone):
    out = alone("doctor", code=1, CHRONOS_LOG_LEVEL="loud").stdout
    assert out.startswith("FAIL settings — log.level") and "→" in out


# ---- accounts ----

def test_a_password_is_typed_without_echo(tmp_path):
    cli = Cli(tmp_path)
    parent, child = pty.openpty()
    process = subprocess.Popen([BINARY, "login", "--email", "me@example.org", "--url", "http://127.0.0.1:1"],
                               env=cli.env, stdin=child, stdout=child, stderr=child)
    os.close(child)
    shown = read_until(parent, b"Password: ")
    os.write(parent, b"secret words\n")
    shown += read_until(parent, b"no answer")
    assert b"secret" not in shown
    assert process.wait() == 6
    os.close(parent)


def read_until(fd, part):
    seen = b""
    while part not in seen:
        assert select.select([fd], [], [], 30)[0], seen
        seen += os.read(fd, 1024)
    return seen


@pytest.mark.parametrize("flag", ["--password", "--token", "--secret"])
def test_secrets_are_never_flags(alone, flag):
    assert "unknown flag" in alone("admin", "create", "a@example.org", flag, "x", code=2).stderr
