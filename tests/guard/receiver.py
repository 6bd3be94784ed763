# SPDX-License-Identifier: Apache-2.0
"""An HTTP receiver that keeps what it is sent and answers as it is told."""
import http.server
import json
import threading


class Receiver:
    def __init__(self):
        receiver = self
        self.requests, self.answers = [], {}  # answers: path → (status, headers, body)

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                receiver.requests.append((self.command, self.path, dict(self.headers.items()), body))
                status, headers, text = receiver.answers.get(self.path, (200, {}, b"ok"))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_POST = do_PUT = do_PATCH = do_GET = answer

            def log_message(self, *unused):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def url(self, path="/"):
        return f"http://127.0.0.1:{self.port}{path}"

    def last(self):
        """Headers by lower-case name, and the body."""
        _, _, headers, body = self.requests[-1]
        return {name.lower(): value for name, value in headers.items()}, body

    def last_json(self):
        return json.loads(self.last()[1])
