# SPDX-License-Identifier: Apache-2.0
"""A canary as a secret, used in every field of every job type that takes one, is found nowhere: not in logs, answers,
figures, process lists, files or cores. Its key can be replaced, and a wrong one stops the start."""
import base64
import glob
import http.server
import json
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time
import urllib.parse

import pytest

from attempts import attempt, begin, end, output, refused
from chronos import Server, wait_until

CANARY = 'canary "4711"/\\ +&=%41<\u00e4>~Z'
PLAIN = "kanarienvogel-0815"  # for places that take no blanks and quotes
KEY_OLD, KEY_NEW = "old-" * 10, "new-" * 10


def forms(value):
    """A value as it may be written somewhere, in bytes."""
    raw = value.encode()
    found = {raw, json.dumps(value)[1:-1].encode(), json.dumps(value, ensure_ascii=False)[1:-1].encode(),
             urllib.parse.quote(value, safe="").encode(), urllib.parse.quote_plus(value).encode(), raw.hex().encode(),
             raw.hex().upper().encode()}
    for before in range(3):  # what only the value decides, in each alignment
        text = base64.b64encode(b"\0" * before + raw)
        inner = text[-(-before * 8 // 6):(before + len(raw)) * 8 // 6]
        found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return found


FORMS = forms(CANARY) | forms(PLAIN)


def clean(data, where):
    data = data if isinstance(data, bytes) else data.encode()
    for form in FORMS:
        assert form not in data, f"{where} holds {form!r}: …{data[max(0, data.find(form) - 100):][:200]!r}"


class Echo(http.server.ThreadingHTTPServer):
    """Answers with all it was sent, written in every way."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        sent = self.requestline.encode() + b"\n" + bytes(self.headers) + b"\n" + body
        self.server.seen.append(sent)
        text = sent.decode("utf-8", "replace")
        parts = [sent, json.dumps(text).encode(), urllib.parse.quote(text).encode(), base64.b64encode(sent),
                 base64.urlsafe_b64encode(b"x" + sent), sent.hex().encode()]
        answer = b"\n".join(parts)
        self.send_response(500 if "fail" in self.path else 200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_PUT = do_POST

    def log_message(self, *_):
        pass


class ProcessList(threading.Thread):
    """Reads every command line of this machine again and again."""

    def __init__(self):
        super().__init__(daemon=True)
        self.going, self.rounds, self.found = True, 0, None
        self.start()

    def run(self):
        while self.going:
            for path in glob.glob("/proc/[0-9]*/cmdline"):
                try:
                    data = pathlib.Path(path).read_bytes()
                except OSError:
                    continue
                if any(form in data for form in FORMS):
                    self.found = data
            self.rounds += 1

    def check(self):
        self.going = False
        self.join()
        assert self.rounds > 0 and self.found is None, self.found


def put(server, name, value, **more):
    answer = server.call("PUT", f"/secrets/{name}", {"value": value, **more})
    assert answer.status == 200, answer.body
    clean(answer.body, "the answer")
    return answer.json


def files_clean(folder):
    for path in pathlib.Path(folder).rglob("*"):
        if path.is_file() and path.name != "admin-password":
            clean(path.read_bytes(), path)


def answers_clean(server, run):
    clean(json.dumps(run, ensure_ascii=False), "the run")
    for path in ("/jobs?size=200", "/runs?size=200", "/dlq?size=200", "/secrets", f"/jobs/{run['jobId']}",
                 f"/runs/{run['id']}", f"/jobs/{run['jobId']}/runs/{run['id']}/logs?size=1000", "/breakers", "/events?after=0"):
        if path.startswith("/events"):
            continue
        clean(server.call("GET", path).body, path)
    clean(server.call("GET", "/metrics", base="").body, "/metrics")
    clean(server.log_text(), "the server's log")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("secrets")
    made = Server(folder / "server", CHRONOS_LOG_LEVEL="debug")
    made.start().login()
    put(made, "canary", CANARY)
    put(made, "plain", PLAIN)
    yield made
    made.stop()
    files_clean(folder)


@pytest.fixture
def echo():
    made = Echo()
    yield made
    made.shutdown()
    made.server_close()


# ---- HTTP and SCRIPT, whose targets really get it ----

@pytest.mark.parametrize("path", ["/", "/fail"])
def test_a_target_gets_the_value_and_nobody_else(server, echo, path):
    watch = ProcessList()
    run = attempt(server, "HTTP", {
        "httpUrl": echo.url + path + "?key={{secret.plain}}", "httpMethod": "POST",
        "httpHeaders": {"Authorization": "Bearer {{secret.plain}}", "Cookie": "a={{ secret.plain }}; b=c"},
        "httpBody": '{"a":"x{{secret.canary}}y","b":"{{secret.plain}}"}'}, retryPolicy={"maxAttempts": 1})
    watch.check()
    assert run["status"] == ("FAILED" if path == "/fail" else "SUCCEEDED"), run
    sent = echo.seen[0]
    assert sent.count(PLAIN.encode()) == 4 and CANARY.encode() in sent
    assert any("***" in json.dumps(line) for line in run["lines"]), run["lines"]
    answers_clean(server, run)


def test_what_a_script_prints_is_masked(server):
    watch = ProcessList()
    text = """#!/usr/bin/env python3
import base64, binascii, json, os, sys, time, urllib.parse
v = os.environ["TOKEN"]
b = v.encode()
print("raw", v); print("json", json.dumps(v)); print("twice", json.dumps(json.dumps({"a": v})))
print("url", urllib.parse.quote(v), urllib.parse.quote_plus(v)); print("hex", b.hex(), b.hex(" "))
for i in range(4):
    print("base64", base64.b64encode(b"x" * i + b + b"yyy").decode(), base64.urlsafe_b64encode(b"x" * i + b).decode())
print("repr", repr(b)); print("error", v, file=sys.stderr)
for n in range(8186, 8193):
    print("." * n + os.environ["PLAIN"] + "." * n) # cut at every place
time.sleep(0.2)
sys.exit(3)
"""
    run = attempt(server, "SCRIPT", {"script": text, "environment": {"TOKEN": "{{secret.canary}}",
                                                                      "PLAIN": "{{secret.plain}}"}})
    watch.check()
    assert run["exitCode"] == 3, run
    lines = output(run)
    assert any(line == "raw ***" for line in lines) and any(line.startswith("url *** ***") for line in lines)
    assert sum(line.count("***") for line in lines) >= 15
    assert "error ***" in output(run, "stderr")
    clean("".join(line["message"] for line in run["lines"]), "the log as one text")
    answers_clean(server, run)


def test_what_others_could_see_takes_no_secret(server):
    where = refused(server, "SCRIPT", {"script": "echo {{secret.plain}}", "args": ["a", "{{secret.plain}}"],
                                       "interpreter": "/bin/sh {{secret.plain}}", "workingDirectory": "/{{secret.plain}}"})
    assert set(where) == {"/payload/script", "/payload/args/1", "/payload/interpreter", "/payload/workingDirectory"}


# ---- every type, every field ----

WORDS = {"script": "true", "databaseUrl": "postgresql://nobody:{{secret.plain}}@127.0.0.1:9/x", "httpUrl": "http://127.0.0.1:9/{{secret.plain}}",
         "query": "SELECT '{{secret.plain}}'", "toAddresses": ["{{secret.plain}}@example.org"]}
MAPS = {"cacheConfig": {"type": "REDIS", "host": "127.0.0.1", "port": "9", "password": "{{secret.plain}}"},
        "queueConfig": {"type": "RABBITMQ", "host": "127.0.0.1", "port": "9", "password": "{{secret.plain}}"}}


def filled(schema):
    """A payload with the canary wherever a text may stand."""
    payload = {}
    for name, field in schema["properties"].items():
        kind = field.get("type")
        if name in MAPS:
            payload[name] = MAPS[name]
        elif name in WORDS:
            payload[name] = WORDS[name]
        elif kind == "string" and "enum" in field:
            if name in schema.get("required", []):
                payload[name] = field["enum"][0]
        elif kind == "string":
            payload[name] = "{{secret.plain}}"
        elif kind == "array":
            payload[name] = ["{{secret.plain}}"]
        elif kind == "object" and "additionalProperties" in field and "properties" not in field:
            payload[name] = {"a": "{{secret.plain}}"}
    return payload


def accepted(server, name, payload):
    """Leaves out the fields that are refused until the rest is taken."""
    for _ in range(12):
        answer = server.call("POST", "/jobs", {"name": f"all of {name}", "type": name, "payload": payload,
                                               "schedule": {"scheduleType": "MANUAL"}})
        if answer.status == 201:
            return answer.json["id"], {name for name, value in payload.items() if "{{secret" in json.dumps(value)}
        clean(answer.body, "the refusal")
        fields = {e["pointer"].split("/")[2] for e in answer.json["errors"] if e["pointer"].count("/") >= 2}
        if "queueConfig" in fields:  # another kind of broker
            payload["queueConfig"] = {**MAPS["queueConfig"], "type": "REDIS"}
            fields.remove("queueConfig")
            if not fields:
                continue
        if not fields & set(payload):
            break
        payload = {k: v for k, v in payload.items() if k not in fields}
    print(name, answer.body)
    return None, set()


def test_every_field_of_every_type(server):
    used, watch = {}, ProcessList()
    for kind in server.call("GET", "/job-types").json["content"]:
        name, enums = kind["name"], kind["payloadSchema"]["properties"].get("operation", {}).get("enum", [None])
        for operation in enums:
            payload = filled(kind["payloadSchema"])
            if operation:
                payload["operation"] = operation
            job, fields = accepted(server, name, payload)
            used.setdefault(name, set()).update(fields)
            if not job:
                continue
            answer = server.call("POST", f"/jobs/{job}:run-now", {})
            assert answer.status == 202, answer.body
            run = end(server, answer.json["id"], 60)
            answers_clean(server, run)
            assert run["errorClass"] != "SECRET_ERROR", run
    watch.check()
    print({name: sorted(fields) for name, fields in used.items()})
    assert used.pop("DUMMY") == used.pop("MONITOR") == set()  # have no field that takes one
    assert used["SCRIPT"] == {"environment"} and used["HTTP"] >= {"httpUrl", "httpHeaders", "httpBody"}
    assert all(used.values()), [name for name in used if not used[name]]
    files_clean(server.folder)


# ---- failures, restart, cores ----

def test_a_deleted_secret_fails_the_run_in_one_sentence(server, echo):
    put(server, "short.lived", "soon-gone")
    job = server.create(name="late", type="HTTP", schedule={"scheduleType": "MANUAL"},
                        payload={"httpUrl": echo.url, "httpHeaders": {"A": "{{secret.short.lived}}"}})
    assert server.call("DELETE", "/secrets/short.lived").status == 204
    run = end(server, server.call("POST", f"/jobs/{job['id']}:run-now", {}).json["id"])
    assert run["errorClass"] == "SECRET_ERROR" and "short.lived" in run["errorMessage"], run
    assert not echo.seen


def test_a_new_value_is_used_by_the_next_run(server, echo):
    put(server, "turning", "first-value")
    payload = {"httpUrl": echo.url, "httpHeaders": {"A": "{{secret.turning}}"}}
    job = server.create(name="turns", type="HTTP", schedule={"scheduleType": "MANUAL"}, payload=payload)
    for value in ("first-value", "second-value", "third-value", "fourth-value"):  # past what the definitions remember
        put(server, "turning", value)
        assert end(server, server.call("POST", f"/jobs/{job['id']}:run-now", {}).json["id"])["status"] == "SUCCEEDED"
        assert value.encode() in echo.seen[-1]


def test_a_crash_leaves_no_core(server, tmp_path):
    limits = pathlib.Path(f"/proc/{server.process.pid}/limits").read_text()
    assert "Max core file size        0                    0" in limits
    assert int(pathlib.Path(f"/proc/{server.process.pid}/coredump_filter").read_text(), 16) == 0
    server.process.send_signal(signal.SIGABRT)
    server.process.wait()
    for folder in (os.getcwd(), server.folder, server.folder / "data"):
        assert not [name for name in os.listdir(folder) if name == "core" or name.startswith("core.")]
    server.start().login()


def test_values_of_ended_runs_do_not_stay_in_memory(server):
    """Arenas and masks are wiped. A few newest values may linger in dead stack frames and in buffers of libraries."""
    if not os.access(f"/proc/{server.process.pid}/mem", os.R_OK):
        pytest.skip("the memory of the server cannot be read by this user")
    values = [f"memory-canary-{n}-{os.urandom(8).hex()}" for n in range(20)]
    put(server, "memory", values[0])
    job = server.create(name="forgets", type="SCRIPT", schedule={"scheduleType": "MANUAL"},
                        payload={"script": "true", "environment": {"A": "{{secret.memory}}"}})
    for value in values:
        put(server, "memory", value)
        assert end(server, server.call("POST", f"/jobs/{job['id']}:run-now", {}).json["id"])["status"] == "SUCCEEDED"
    wait_until(lambda: sum(copies(server.process.pid, value) > 0 for value in values) <= 4, seconds=5,
               what="fewer values of ended runs in memory")


def copies(pid, value):
    n = 0
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            if not rights.startswith("rw") or "[v" in line:
                continue
            first, last = (int(x, 16) for x in span.split("-"))
            try:
                memory.seek(first)
                n += memory.read(last - first).count(value.encode())
            except OSError:
                pass
    return n


# ---- keys ----

def key_server(folder, key=None, **more):
    settings = {}
    if key:
        path = pathlib.Path(folder) / f"key-{abs(hash(key))}"
        path.write_text(key + "\n")
        settings["CHRONOS_SECRETS_KEY_FILE"] = str(path)
    return Server(folder, **settings, **more)


def works(server, echo, job=None):
    job = job or server.create(name="uses", type="HTTP", schedule={"scheduleType": "MANUAL"},
                               payload={"httpUrl": echo.url, "httpHeaders": {"A": "{{secret.kept}}"}})
    run = end(server, server.call("POST", f"/jobs/{job['id']}:run-now", {}).json["id"])
    assert run["status"] == "SUCCEEDED", run
    assert PLAIN.encode() in echo.seen[-1]
    return job


def does_not_start(server, *parts):
    server.start(wait=False)
    assert server.process.wait(30) == 1
    for part in parts:
        assert part in server.log_text(), server.log_text()[-2000:]
    clean(server.log_text(), "the server's log")


def test_keys_are_replaced_while_everything_runs(tmp_path, echo):
    server = key_server(tmp_path, KEY_OLD)
    server.start().login()
    put(server, "kept", PLAIN)
    put(server, "for.all", CANARY, shared=True)
    job = works(server, echo)
    server.stop()
    both = key_server(tmp_path, f"{KEY_NEW}, {KEY_OLD}")
    both.start().login()
    works(both, echo, job)
    both.stop()
    does_not_start(key_server(tmp_path, KEY_NEW), "secrets.key is not the key")  # too early
    both.start().login()
    done = both.cli("secret", "rotate", check=0)
    assert "2 sealed again" in done.stderr
    works(both, echo, job)
    both.stop()
    new = key_server(tmp_path, KEY_NEW)
    new.start().login()
    works(new, echo, job)
    assert new.cli("secret", "rotate", check=0).stderr.startswith("2 looked at, 0 sealed")
    new.stop()
    does_not_start(key_server(tmp_path, KEY_OLD), "secrets.key is not the key")
    does_not_start(key_server(tmp_path), "secrets.key is not the key")
    files_clean(tmp_path)


def test_a_key_of_our_own_is_kept_and_missed(tmp_path, echo):
    server = Server(tmp_path)
    server.start().login()
    put(server, "kept", PLAIN)
    job = works(server, echo)
    key = tmp_path / "data/secrets.key"
    assert key.stat().st_mode & 0o777 == 0o600
    server.stop()
    server.start().login()
    works(server, echo, job)
    server.stop()
    shutil.move(key, tmp_path / "kept-key")
    does_not_start(server, "secrets.key", "missing")
    assert not key.exists()
    forgotten = subprocess.run([os.environ.get("CHRONOS_BINARY", "chronos"), "admin", "forget-secrets"],
                               env=server.environment(), capture_output=True, text=True, timeout=60)
    assert forgotten.returncode == 0 and "1 secrets deleted" in forgotten.stdout, forgotten
    server.start().login()
    assert server.call("GET", "/secrets").json["content"] == []
    server.stop()


# ---- the command line ----

def test_values_come_from_files_and_standard_input_only(server, tmp_path):
    path = tmp_path / "value"
    path.write_text(PLAIN + "\n")
    server.cli("secret", "set", "from.file", "--value-file", str(path), check=0)
    server.cli("secret", "set", "from.stdin", stdin=PLAIN + "\n", check=0)
    run = attempt(server, "SCRIPT", {"script": 'test "$A" = "$B" && test ${#A} = 18',
                                     "environment": {"A": "{{secret.from.file}}", "B": "{{secret.from.stdin}}"}})
    assert run["status"] == "SUCCEEDED", run
    listed = server.cli("secret", "list", "--all", check=0).stdout
    assert "from.file" in listed and "from.stdin" in listed
    clean(listed, "the list")
    assert server.cli("secret", "set", "x", "value-as-an-argument").returncode == 2
    assert server.cli("secret", "set", "x", stdin="abc").returncode == 2
    server.cli("secret", "delete", "from.file", "from.stdin", check=0)
    assert server.cli("secret", "delete", "from.file").returncode != 0
