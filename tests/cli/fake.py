# SPDX-License-Identifier: Apache-2.0
"""A tiny stand-in for the API, and a way to call the built binary against it.

The stand-in answers from a table (method, path without query) -> function(request) -> (status, body[, headers]);
a body that is a list of bytes is sent as an event stream. It keeps every request it saw.
"""
import http.server
import json
import os
import pathlib
import subprocess
import threading
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("CHRONOS_BINARY", str(ROOT / "build/test/chronos"))
TIMEOUT_S = 60


class Request:
    def __init__(self, handler, body):
        self.method = handler.command
        self.path, _, query = handler.path.partition("?")
        self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        self.headers = handler.headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)


def problem(status, code, detail, errors=()):
    body = {"type": "about:blank", "title": code, "status": status, "code": code, "detail": detail,
            "traceId": "4bf92f35", "errors": list(errors)}
    return status, body, {"Content-Type": "application/problem+json"}


def page(content, cursor=None, total=None):
    return 200, {"content": content, "page": 0, "size": 20, "totalElements": total or len(content), "totalPages": 1,
                 "nextCursor": cursor}


class FakeServer:
    def __init__(self):
        self.routes, self.seen = {}, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.answer(self, Request(self, body))

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

            def log_message(self, *args):
                pass

        self.httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.daemon_threads = True
        threading.Thread(target=self.httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.httpd.server_address[1]}"

    def on(self, method, path, answer):
        """answer: a tuple, or a function of the request that gives one."""
        self.routes[(method, path)] = answer if callable(answer) else lambda request: answer

    def answer(self, handler, request):
        self.seen.append(request)
        route = self.routes.get((request.method, request.path))
        status, body, *rest = route(request) if route else problem(404, "NOT_FOUND", f"no route {request.path}")
        headers = {"Content-Type": "application/json", **(rest[0] if rest else {})}
        stream = isinstance(body, list)
        data = b"".join(body) if stream else body if isinstance(body, bytes) else \
            b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
        if stream:
            headers["Content-Type"] = "text/event-stream"
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Connection", "close")
        if not stream:
            handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)
        handler.close_connection = True

    def calls(self, method=None):
        return [f"{r.method} {r.path}" for r in self.seen if method in (None, r.method)]

    def stop(self):
        self.httpd.shutdown()
        self.httpd.server_close()


class Cli:
    """The binary with an environment of its own."""

    def __init__(self, home, url=None):
        self.home = pathlib.Path(home)
        self.env = {"PATH": "/usr/bin:/bin", "HOME": str(home), "LC_ALL": "C.UTF-8"}
        if "ASAN_OPTIONS" in os.environ:
            self.env["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"]
        if url:
            self.env["CHRONOS_URL"] = url

    def __call__(self, *args, stdin=None, code=0, **env):
        result = subprocess.run([BINARY, *args], env={**self.env, **env}, input=stdin, capture_output=True,
                                text=not isinstance(stdin, bytes), timeout=TIMEOUT_S, cwd=self.home)
        assert code is None or result.returncode == code, (args, result.returncode, result.stdout, result.stderr)
        return result

    @property
    def credentials(self):
        return self.home / ".config/chronos/credentials.json"

    def sign_in(self, url, access="access-1", refresh="refresh-1", expires="2099-01-01T00:00:00Z"):
        self.credentials.parent.mkdir(parents=True, exist_ok=True)
        self.credentials.write_text(json.dumps({url: {"email": "me@example.org", "accessToken": access,
                                                      "refreshToken": refresh, "expiresAt": expires}}))
        self.credentials.chmod(0o600)
