# SPDX-License-Identifier: Apache-2.0
"""Bad requests and bad surroundings: a clear answer or a clean close, and the server lives."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

import pytest

from chronos import BINARY, SLOW, Server, free_port

JOB = {"name": "a", "type": "DUMMY", "schedule": {"scheduleType": "MANUAL"}}


@pytest.fixture(scope="module")
def impatient(tmp_path_factory):
    """Lets go of a request that has not arrived whole after two seconds (a half-closed one included)."""
    made = Server(tmp_path_factory.mktemp("impatient"), CHRONOS_HTTP_IDLETIMEOUTSECONDS="2",
                  CHRONOS_HTTP_REQUESTTIMEOUTSECONDS="2").start()
    yield made
    made.stop()


def raw(server, data, half_close=True):
    """Sends bytes as they are, returns everything that comes back."""
    with socket.create_connection(("127.0.0.1", server.port), 10 * SLOW) as s:
        s.settimeout(20 * SLOW)
        try:
            s.sendall(data)
            if half_close:
                s.shutdown(socket.SHUT_WR)
            answer = b""
            while chunk := s.recv(65536):
                answer += chunk
            return answer
        except TimeoutError:
            raise
        except OSError:  # closed or reset before we had said all
            return b""


@pytest.mark.parametrize("body, pointer", [
    ({**JOB, "name": ""}, "/name"),
    ({**JOB, "name": "x" * 201}, "/name"),
    ({**JOB, "name": 7}, "/name"),
    ({**JOB, "colour": "red"}, "/colour"),
    ({**JOB, "type": "TELEPORT"}, "/type"),
    ({**JOB, "priority": "URGENT"}, "/priority"),
    ({**JOB, "schedule": {"scheduleType": "CRON", "cronExpression": "61 * * * *"}}, "/schedule/cronExpression"),
    ({**JOB, "schedule": {"scheduleType": "CRON", "cronExpression": "0 2 * * *", "timezone": "Europe/Berlinn"}},
     "/schedule/timezone"),
    ({**JOB, "schedule": {"scheduleType": "INTERVAL", "intervalSeconds": 0}}, "/schedule/intervalSeconds"),
    ({**JOB, "schedule": {"scheduleType": "ONCE", "runAt": "tomorrow"}}, "/schedule/runAt"),
    ({**JOB, "retryPolicy": {"maxAttempts": 1000}}, "/retryPolicy/maxAttempts"),
    ({**JOB, "type": "HTTP", "payload": {}}, "/payload/httpUrl"),
    ({**JOB, "type": "HTTP", "payload": {"httpUrl": "gopher://x/"}}, "/payload/httpUrl"),
    ({**JOB, "type": "HTTP", "payload": {"httpUrl": "http://x/{{nothing}}"}}, "/payload/httpUrl"),
    ({**JOB, "payload": {"type": "HTTP"}}, "/payload/type"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_a_refused_job_names_its_field(server, body, pointer):
    answer = server.call("POST", "/jobs", body)
    assert answer.status == 400
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert pointer in [fault["pointer"] for fault in answer.json["errors"]], answer.json
    assert answer.json["traceId"] and answer.json["code"]


def test_all_faults_are_told_at_once(server):
    answer = server.call("POST", "/jobs", {"name": "", "type": "DUMMY", "x": 1, "schedule": {"scheduleType": "CRON"}})
    assert {"/name", "/x"} <= {fault["pointer"] for fault in answer.json["errors"]}


def test_a_cron_error_tells_the_position(server):
    answer = server.call("POST", "/jobs", {**JOB, "schedule": {"scheduleType": "CRON", "cronExpression": "0 0 32 * *"}})
    assert "position" in json.dumps(answer.json)


@pytest.mark.parametrize("body, status", [
    (b"{", 400), (b"", 400), (b"[1,2", 400), (b"nul", 400), (b'{"name":"\xff\xfe"}', 400),
    (b'{"name":"a","name":"b"}', 400), (b"[" * 100000, 400), (b'{"a":' * 70 + b"1" + b"}" * 70, 400),
    (b'{"name":"' + b"x" * (2 << 20) + b'"}', 413), (b'{"name":1e999}', 400), (b'"text"', 400), (b"null", 400),
], ids=lambda value: repr(value[:16]) if isinstance(value, bytes) else str(value))
def test_malformed_bodies_get_a_clear_answer(server, body, status):
    answer = server.call("POST", "/jobs", body)
    assert answer.status == status, answer.body[:300]
    assert answer.json["detail"]


@pytest.mark.parametrize("data", [
    b"\x00\x01\x02\x03", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET " + b"/a" * 40000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-A: " + b"b" * 60000 + b"\r\n\r\n",
    b"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
    b"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    b"GET /api/v1/../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /api/v1/jobs%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
], ids=lambda value: repr(value[:24]))
def test_broken_requests_leave_the_server_alive(impatient, data):
    server = impatient
    answer = raw(server, data)
    assert answer == b"" or answer.split(b" ")[1][:1] in (b"4", b"5"), answer[:200]
    assert server.call("GET", "/livez", base="").status == 200
    assert server.process.poll() is None


def test_a_client_that_stalls_is_let_go(impatient):
    answer = raw(impatient, b"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{\"na", half_close=False)
    assert answer == b"" or b" 408 " in answer.split(b"\r\n")[0]
    assert impatient.call("GET", "/livez", base="").status == 200


def test_no_token_and_a_foreign_token_are_refused(server):
    for token in (None, "x", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."):
        server.token = token
        answer = server.call("GET", "/jobs")
        assert answer.status == 401 and "Bearer" in answer.headers["WWW-Authenticate"]


def start_and_fail(tmp_path, code, **settings):
    server = Server(tmp_path / "s", **settings)
    server.start(wait=False)
    assert server.process.wait(20 * SLOW) == code, server.log_text()
    text = server.log_text()
    assert text.strip(), "no word on why it did not start"
    return text


def test_a_taken_port_is_one_sentence(tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        text = start_and_fail(tmp_path, 1, CHRONOS_HTTP_LISTEN=f"127.0.0.1:{s.getsockname()[1]}")
    assert "listen" in text


def test_a_wrong_setting_is_named(tmp_path):
    text = start_and_fail(tmp_path, 2, CHRONOS_LOG_LEVEL="loud")
    assert "log.level" in text


def test_an_unknown_key_in_the_file_gets_a_suggestion(tmp_path):
    config = tmp_path / "chronos.yaml"
    config.write_text("http:\n  lisen: 127.0.0.1:1\n")
    result = subprocess.run([BINARY, "server", "--config", str(config)], capture_output=True, text=True, timeout=20 * SLOW)
    assert result.returncode == 2 and "http.listen" in result.stderr


def test_a_data_folder_that_is_no_folder_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    text = start_and_fail(tmp_path, 1, CHRONOS_DATA_DIR=str(tmp_path / "file" / "data"))
    assert "data" in text


def test_a_corrupt_data_file_is_one_sentence(tmp_path):
    folder = tmp_path / "s" / "data"
    folder.mkdir(parents=True)
    (folder / "chronos.db").write_bytes(os.urandom(8192))
    text = start_and_fail(tmp_path, 1)
    assert "chronos.db" in text


def test_a_folder_it_may_not_write_is_one_sentence():
    """Root may write everywhere, so the server runs as nobody here."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="chronos-read-only-"))
    try:
        folder.chmod(0o755)
        binary = shutil.copy(BINARY, folder / "chronos")
        who = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        (folder / "data").mkdir(mode=0o555)
        result = subprocess.run([binary, "server"], capture_output=True, text=True, timeout=20 * SLOW,
                                env={"CHRONOS_DATA_DIR": str(folder / "data"), "CHRONOS_HTTP_LISTEN": "127.0.0.1:0"}, **who)
    finally:
        shutil.rmtree(folder)
    assert result.returncode == 1
    assert "permission" in result.stderr.lower() and "data" in result.stderr


def test_a_second_server_on_the_same_folder_is_refused(server, tmp_path):
    second = Server(server.folder)
    second.port = free_port()
    second.start(wait=False)
    assert second.process.wait(20 * SLOW) == 1
    assert server.call("GET", "/livez", base="").status == 200


def test_a_production_profile_refuses_scripts_and_registration(tmp_path):
    server = Server(tmp_path, CHRONOS_PROFILE="production").start()
    try:
        server.login()
        answer = server.call("POST", "/jobs", {**JOB, "type": "SCRIPT", "payload": {"script": "true"}})
        if answer.status == 201:  # saved, but it must not run
            run_id = server.call("POST", f"/jobs/{answer.json['id']}:run-now", {}).json["id"]
            from chronos import wait_until
            run = wait_until(lambda: (r := server.call("GET", f"/runs/{run_id}").json)["status"] == "FAILED" and r)
            assert "script" in run["errorMessage"]
        refused = server.call("POST", "/auth/register", {"email": "x@example.com", "password": "long enough password"},
                              auth=False)
        assert refused.status == 403
    finally:
        server.stop()
