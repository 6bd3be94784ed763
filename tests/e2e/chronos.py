# SPDX-License-Identifier: Apache-2.0
"""A real Chronos server, a real nginx as its target, and a small client, for the tests beside this file."""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("CHRONOS_BINARY", str(ROOT / "build/test/chronos"))
SLOW = 10 if os.environ.get("CHRONOS_SANITIZED") else 1
EMAIL, PASSWORD = "admin@example.com", "correct horse battery staple"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(condition, seconds=20, what="the condition"):
    """Polls from outside until it holds; fails loudly when it never does."""
    end = time.monotonic() + seconds * SLOW
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come true within {seconds * SLOW} s")


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


class Server:
    """One chronos process on a data folder; may be killed and started again on it."""

    host = "127.0.0.1"
    prefix = ()  # of the command that starts it

    def __init__(self, folder, **settings):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.settings = settings
        self.process = self.token = None
        self.log = open(self.folder / "server.log", "ab")

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    def environment(self):
        password = self.folder / "admin-password"
        password.write_text(PASSWORD)
        env = {k: v for k, v in os.environ.items() if not k.startswith("CHRONOS_")}
        env.update(CHRONOS_DATA_DIR=str(self.folder / "data"), CHRONOS_HTTP_LISTEN=f"{self.host}:{self.port}",
                   CHRONOS_ADMIN_EMAIL=EMAIL, CHRONOS_ADMIN_PASSWORD_FILE=str(password),
                   CHRONOS_LOG_FORMAT="json")
        env.update(self.settings)
        return env

    def start(self, wait=True):
        self.process = subprocess.Popen([*self.prefix, BINARY, "server"], env=self.environment(), stdout=self.log,
                                        stderr=self.log, stdin=subprocess.DEVNULL)
        if wait:
            wait_until(self.ready, what="readiness of the server")
        return self

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}: {self.log_text()[-2000:]}")
        try:
            return self.call("GET", "/readyz", base="", auth=False).status == 200
        except OSError:
            return False

    def log_text(self):
        return (self.folder / "server.log").read_text(errors="replace")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds=40):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(seconds * SLOW)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError("the server did not end after SIGTERM")
        return self.process.returncode if self.process else None

    def call(self, method, path, body=None, base="/api/v1", auth=True, headers=None):
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + base + path, data=data, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        if auth and self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        for key, value in (headers or {}).items():
            request.add_header(key, value)
        try:
            with urllib.request.urlopen(request, timeout=30 * SLOW) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, error.read())

    def login(self):
        answer = self.call("POST", "/auth/login", {"email": EMAIL, "password": PASSWORD}, auth=False)
        assert answer.status == 200, answer.body
        self.token = answer.json["accessToken"]
        return answer.json

    def create(self, **job):
        answer = self.call("POST", "/jobs", job)
        assert answer.status == 201, answer.body
        return answer.json

    def create_many(self, jobs):
        made = []
        for start in range(0, len(jobs), 1000):
            answer = self.call("POST", "/jobs:batch", {"jobs": jobs[start:start + 1000]})
            assert answer.status == 201, answer.body[:2000]
            made += answer.json["content"]
        return made

    def runs(self, job_id=None, status=None):
        """All runs, newest first, by cursor."""
        path = f"/jobs/{job_id}/runs" if job_id else "/runs"
        query, cursor, found = f"?size=200{f'&status={status}' if status else ''}", None, []
        while True:
            answer = self.call("GET", path + query + (f"&cursor={cursor}" if cursor else ""))
            assert answer.status == 200, answer.body
            found += answer.json["content"]
            cursor = answer.json.get("nextCursor")
            if not cursor:
                return found

    def cli(self, *args, stdin=None, check=None):
        env = {k: v for k, v in os.environ.items() if not k.startswith("CHRONOS_")}
        env.update(CHRONOS_URL=self.url, XDG_CONFIG_HOME=str(self.folder / "config"), NO_COLOR="1")
        if self.token:
            env["CHRONOS_TOKEN"] = self.token
        result = subprocess.run([BINARY, *args], env=env, input=stdin, capture_output=True, text=True,
                                timeout=60 * SLOW)
        if check is not None:
            assert result.returncode == check, (args, result.returncode, result.stdout, result.stderr)
        return result


class Nginx:
    """The target: answers 204 (or what `answers` says) and writes one log line a request, the evidence of each call."""

    host = "127.0.0.1"
    modules = ""  # lines of the configuration
    log_format = "$msec $request_uri $http_chronos_run_key $http_chronos_attempt $http_chronos_run_id"

    def __init__(self, folder, answers="return 204;"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.answers = answers
        self.process = None

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    def start(self):
        for name in ("body", "proxy", "fastcgi", "uwsgi", "scgi"):
            (self.folder / name).mkdir(exist_ok=True)
        (self.folder / "nginx.conf").write_text(f"""
{self.modules}
daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 20000;
pid {self.folder}/nginx.pid; error_log {self.folder}/error.log warn;
events {{ worker_connections 12000; }}
http {{
  log_format evidence '{self.log_format}';
  access_log {self.folder}/access.log evidence;
  client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy; fastcgi_temp_path {self.folder}/fastcgi;
  uwsgi_temp_path {self.folder}/uwsgi; scgi_temp_path {self.folder}/scgi; keepalive_requests 1000000;
  server {{ listen {self.host}:{self.port} backlog=4096; location / {{ {self.answers} }} }}
}}""")
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.listening, what="nginx")
        return self

    def listening(self):
        with socket.socket() as s:
            return s.connect_ex((self.host, self.port)) == 0

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def calls(self):
        """(instant in seconds, uri, run key, attempt) of every request so far."""
        path = self.folder / "access.log"
        found = []
        for line in path.read_text().splitlines() if path.exists() else []:
            part = line.split(" ")
            if len(part) == 5 and part[2] != "-":
                found.append((float(part[0]), part[1], part[2], int(part[3])))
        return found


def metric(server, name):
    """Sum of a metric over its labels."""
    text = server.call("GET", "/metrics", base="").body.decode()
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.M))
