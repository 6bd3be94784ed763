# SPDX-License-Identifier: Apache-2.0
"""Trusted proxies, other origins, headers of every answer, the access log and its level, profiles, no way in besides."""
import json
import pathlib
import re
import socket

import chronos
import edge
import pytest
from chronos import Nginx, Server, wait_until

ORIGIN = "https://console.example.com"
CANARY = "canary-4711-secret"
LISTENING = "0A"


@pytest.fixture
def logging(tmp_path):
    made = Server(tmp_path / "server", CHRONOS_LOG_ACCESS="on", CHRONOS_HTTP_TRUSTEDPROXIES="127.0.0.2/32",
                  CHRONOS_HTTP_CORS_ORIGINS=ORIGIN).start()
    made.login()
    yield made
    made.stop()


def last_address(server, marker):
    found = wait_until(lambda: [r for r in edge.records(server, "request") if r["request"] == marker],
                       what="the record of the access log")
    return found[-1]["address"]


# -- proxies --

class Proxy(Nginx):
    """Passes everything to the server, from an address of its own."""

    def __init__(self, folder, server, address):
        super().__init__(folder, f"proxy_bind {address}; proxy_pass {server.url}; proxy_http_version 1.1; "
                         'proxy_set_header Connection ""; '
                         "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; "
                         "proxy_set_header X-Forwarded-Proto https;")


@pytest.mark.parametrize("address, client", [("127.0.0.2", "127.0.0.1"), ("127.0.0.3", "127.0.0.3")])
def test_only_a_trusted_proxy_is_believed(logging, tmp_path, address, client):
    proxy = Proxy(tmp_path / "proxy", logging, address).start()
    marker = f"through-{address}"
    text = (f"GET /livez HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9\r\nX-Request-Id: {marker}\r\n"
            "Connection: close\r\n\r\n")
    answer = edge.raw(proxy.port, text.encode())
    proxy.stop()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert last_address(logging, marker) == client
    assert (b"Strict-Transport-Security" in answer) == (address == "127.0.0.2")


def test_a_client_cannot_say_who_it_is(logging):
    logging.call("GET", "/livez", base="", headers={"X-Forwarded-For": "9.9.9.9", "Forwarded": "for=9.9.9.9",
                                                    "X-Request-Id": "direct"})
    assert last_address(logging, "direct") == "127.0.0.1"


# -- other origins --

def test_a_preflight_of_a_known_origin_is_answered_before_any_sign_in(logging):
    ask = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    answer = logging.call("OPTIONS", "/jobs", auth=False, headers=ask)
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert answer.headers["Vary"] == "Origin"
    shown = logging.call("GET", "/jobs", headers={"Origin": ORIGIN})
    assert shown.status == 200 and shown.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Access-Control-Allow-Credentials" not in shown.headers


def test_unknown_origins_are_told_nothing(logging):
    for origin in ("https://evil.example.com", "null", ORIGIN + ".evil.com", "http://console.example.com", ORIGIN + ":8443"):
        for method in ("OPTIONS", "GET"):
            answer = logging.call(method, "/jobs", headers={"Origin": origin, "Access-Control-Request-Method": "GET"})
            assert not [h for h in answer.headers if h.lower().startswith("access-control-")], (origin, method)


@pytest.mark.parametrize("origin", ["*", "https://*.example.com", "https://a.example.com/path", "console.example.com"])
def test_origins_are_exact(tmp_path, origin):
    server = Server(tmp_path / "server", CHRONOS_HTTP_CORS_ORIGINS=origin)
    server.start(wait=False)
    assert server.process.wait(30) != 0 and "http.cors.origins" in server.log_text()


# -- headers --

def test_every_answer_is_safe_in_a_browser(server):
    asked = [server.call("GET", "/auth/me"), server.call("GET", "/auth/me", auth=False), server.call("GET", "/nothing"),
             server.call("DELETE", "/auth/me"), server.call("POST", "/jobs", b"{"), server.call("GET", "/", base=""),
             server.call("GET", "/setup", base=""), server.call("GET", "/metrics", base=""),
             server.call("GET", "/openapi.json", base=""), server.call("GET", "/docs/api", base=""),
             server.call("POST", "/auth/login", {"email": chronos.EMAIL, "password": chronos.PASSWORD}, auth=False)]
    for answer in asked:
        h = answer.headers
        assert h["X-Content-Type-Options"] == "nosniff"
        policy = h["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy and "unsafe-inline" not in policy and "unsafe-eval" not in policy, policy
        assert h["X-Frame-Options"] == "DENY" and h["Referrer-Policy"] == "no-referrer" and h["Permissions-Policy"]
        assert "Strict-Transport-Security" not in h
    assert asked[-1].headers["Cache-Control"] == "no-store" and asked[0].headers["Cache-Control"] == "no-store"
    for refused in (b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /x HTTP/1.1\r\n\r\n",
                    b"GET /x HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20000 + b"\r\n\r\n"):
        answer = edge.raw(server.port, refused)
        assert answer.startswith(b"HTTP/1.1 4") and b"nosniff" in answer, answer[:300]


# -- the log --

def test_the_access_log_tells_who_did_what_and_no_secret(logging):
    logging.call("GET", f"/jobs?name={CANARY}", headers={"User-Agent": CANARY, "X-Request-Id": "counted"})
    logging.call("GET", f"/jobs/{CANARY}")
    logging.call("GET", "/jobs", auth=False, headers={"Authorization": f"Bearer {CANARY}"})
    edge.raw(logging.port, f"GET /{CANARY}%0d%0aforged HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    edge.raw(logging.port, b"GET /\x1b[31m\xe2\x80\xa8 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    record = wait_until(lambda: [r for r in edge.records(logging, "request") if r["request"] == "counted"],
                        what="the record")[0]
    me = logging.call("GET", "/auth/me").json["id"]
    assert record["method"] == "GET" and record["route"] == "/jobs" and record["status"] == 200
    assert record["user"] == me and record["address"] == "127.0.0.1" and record["bytes"] > 10
    text = logging.log_text()
    assert CANARY not in text and logging.token not in text and chronos.PASSWORD not in text
    # S13: one record for each event, whatever it holds.
    assert all(json.loads(line) for line in text.splitlines() if line.startswith("{"))
    assert "forged" not in text and "\x1b" not in text


def test_the_log_level_changes_at_run_time(server):
    token = edge.user(server, "user@example.com")
    path = "/actuator/loglevel"
    assert server.call("GET", path, base="").json["level"] == "info"
    assert edge.as_user(server, token, "PUT", path, {"level": "debug"}, base="").status == 403
    assert server.call("PUT", path, {"level": "loud"}, base="").status == 400
    assert server.call("PUT", path, {"level": "error"}, base="").json["level"] == "error"
    assert server.call("GET", path, base="").json == {**server.call("GET", path, base="").json, "configured": "info"}


# -- profiles --

def test_profiles_differ_as_the_table_says_and_in_nothing_else(server):
    table = json.loads(server.cli("config", "profiles", "-o", "json", check=0).stdout)["content"]
    words, shown = ("development", "staging", "production"), {}
    for word in words:
        listed = json.loads(server.cli("config", "show", "--set", f"profile={word}", "-o", "json", check=0).stdout)
        shown[word] = {s["name"]: s["value"] for s in listed["content"]}
    differing = {name for name in shown["production"] if len({shown[w][name] for w in words}) > 1} - {"profile"}
    assert {row["name"] for row in table} == differing
    for row in table:
        for word in words:
            assert shown[word][row["name"]] == row[word], (row["name"], word)
    page = (chronos.ROOT / "docs/how-to/profiles.md").read_text()
    written = dict(re.findall(r"^\| `([\w.]+)` \| (.*?) \|$", page, re.M))
    assert written == {row["name"]: " | ".join([*(row[w] for w in words), row["why"]]) for row in table}


# -- S18: no other way in --

def listening(pid):
    """TCP ports that the process listens on."""
    sockets = set()
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(fd.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            sockets.add(target[8:-1])
    found = set()
    for table in ("tcp", "tcp6"):
        with open(f"/proc/{pid}/net/{table}") as f:
            for line in list(f)[1:]:
                part = line.split()
                if part[3] == LISTENING and part[9] in sockets:
                    found.add(int(part[1].rsplit(":", 1)[1], 16))
    return found


def test_nothing_but_the_api_listens_and_a_forged_node_does_nothing(server):
    assert listening(server.process.pid) == {server.port}
    forged = {"X-Node": "other", "X-Node-Token": "1", "X-Chronos-Token": "1"}
    for path in ("/cluster/nodes/other:drain", "/cluster/nodes/other:resume"):
        assert server.call("POST", path, auth=False, headers=forged).status == 401
    for path in ("/cluster/join", "/cluster/heartbeat", "/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV/result", "/internal/claim"):
        assert server.call("POST", path, {"nodeToken": 1, "status": "SUCCEEDED"}, headers=forged).status in (404, 405)
    token = edge.user(server, "user@example.com")
    assert edge.as_user(server, token, "POST", "/cluster/nodes/x:drain").status == 403
    body = {"name": "a", "type": "DUMMY", "schedule": {"scheduleType": "MANUAL"}, "nodeToken": 7, "runToken": 8}
    assert server.call("POST", "/jobs", body).status == 400
    with socket.socket() as s:
        assert s.connect_ex(("127.0.0.1", server.port)) == 0
