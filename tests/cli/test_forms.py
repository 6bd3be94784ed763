# SPDX-License-Identifier: Apache-2.0
"""Forms of output: the API's JSON unchanged, tables by display width, names, and what never reaches a terminal."""
import json

from fake import page

A = {"id": "01KA3V5J8M2C000000000000AA", "name": "hello", "type": "HTTP", "status": "RUNNING",
     "schedule": {"scheduleType": "CRON", "cronExpression": "0 2 * * *", "timezone": "Europe/Berlin"},
     "nextFireTime": None, "tags": ["x", "y"], "runCount": 12345678901234567}
B = {"id": "01KA3V5J8M2C000000000000BB", "name": "日本語のジョブ", "type": "DUMMY", "status": "SCHEDULED",
     "schedule": {"scheduleType": "INTERVAL", "intervalMs": 1500}, "nextFireTime": "2020-01-01T00:00:00.000Z", "tags": []}


def test_json_is_the_answer_of_the_api_byte_for_byte(server, cli):
    raw = b'{"content": [ {"z":1,"a":1.50,"n":9007199254740993} ],"page":0,"size":20,"nextCursor":null}'
    server.on("GET", "/api/v1/jobs", (200, raw))
    assert cli("job", "list", "-o", "json").stdout.encode() == raw + b"\n"


def test_jsonl_is_one_line_for_each_element(server, cli):
    server.on("GET", "/api/v1/jobs", page([A, B]))
    lines = cli("job", "list", "-o", "jsonl").stdout.splitlines()
    assert [json.loads(line) for line in lines] == [A, B]


def test_name_is_one_name_for_each_element(server, cli):
    server.on("GET", "/api/v1/jobs", page([A, B]))
    assert cli("job", "list", "-o", "name").stdout.splitlines() == ["hello", "日本語のジョブ"]


def test_yaml_reads_back_as_the_same_value(server, cli):
    server.on("GET", f"/api/v1/jobs/{A['id']}", (200, A))
    text = cli("job", "get", A["id"], "-o", "yaml").stdout
    assert "name: hello" in text and "timezone: Europe/Berlin" in text


def test_tables_are_aligned_by_display_width(server, cli):
    server.on("GET", "/api/v1/jobs", page([A, B]))
    head, first, second = cli("job", "list").stdout.splitlines()
    # Seven wide characters take fourteen cells; "hello" takes five.
    assert head.startswith("NAME            STATUS     TYPE   SCHEDULE")
    assert first.startswith("hello           RUNNING    HTTP   0 2 * * * Europe/Berlin")
    assert second.startswith("日本語のジョブ  SCHEDULED  DUMMY  every 1s500ms")
    assert "d 0" in second or " d " in second  # "2517 d 14 h ago"
    assert cli("job", "list", "--no-headers").stdout.splitlines()[0].startswith("hello")


def test_utc_shows_instants(server, cli):
    server.on("GET", "/api/v1/jobs", page([B]))
    assert "2020-01-01T00:00:00.000Z" in cli("job", "list", "--utc").stdout


def test_more_rows_than_shown_are_told_on_standard_error_only(server, cli):
    server.on("GET", "/api/v1/jobs", page([A], cursor="next", total=312))
    result = cli("job", "list")
    assert "1 of 312" in result.stderr and "312" not in result.stdout
    assert cli("job", "list", "-o", "json").stderr == ""


def test_all_follows_the_cursor(server, cli):
    server.on("GET", "/api/v1/jobs", lambda r: page([B]) if r.query.get("cursor") == "c/1" else page([A], cursor="c/1"))
    assert cli("job", "list", "--all", "-o", "name").stdout.splitlines() == ["hello", "日本語のジョブ"]
    assert "--all" in cli("job", "list", "--all", "-o", "json", code=2).stderr


def test_filters_are_encoded_into_the_query(server, cli):
    server.on("GET", "/api/v1/jobs", page([]))
    cli("job", "list", "--tag", "a&b=c", "--status", "FAILED", "--sort", "name,desc", "-n", "7", "--cursor", "x y")
    assert server.seen[-1].query == {"tag": "a&b=c", "status": "FAILED", "sort": "name,desc", "size": "7", "cursor": "x y"}


def test_text_of_a_server_cannot_steer_the_terminal(server, cli):
    evil = dict(A, name="a\x1b[31mb\u202ec\nd\x9be")
    server.on("GET", "/api/v1/jobs", page([evil]))
    out = cli("job", "list").stdout
    assert "\x1b" not in out and "\u202e" not in out and "\x9b" not in out
    assert "a␛[31mb\\u{202e}c␊d" in out
    assert len(out.splitlines()) == 2


def test_colour_is_off_when_piped_and_can_be_forced(server, cli):
    server.on("GET", "/api/v1/jobs", page([A]))
    assert "\x1b[" not in cli("job", "list").stdout
    assert "\x1b[34mRUNNING\x1b[0m" in cli("job", "list", "--color", "always").stdout
    assert "\x1b[" not in cli("job", "list", CLICOLOR_FORCE="1", NO_COLOR="1").stdout
    assert "\x1b[" in cli("job", "list", CLICOLOR_FORCE="1").stdout


def test_version_in_every_form(alone):
    assert alone("version").stdout.startswith("chronos  ")
    assert alone("--version").stdout == alone("version").stdout
    assert json.loads(alone("version", "-o", "json").stdout)["name"] == "chronos"
