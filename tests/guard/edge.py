# SPDX-License-Identifier: Apache-2.0
"""What the tests of the edge share: certificates, a server that speaks TLS, raw requests, records of the log."""
import json
import os
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request

import chronos

ROUNDS = int(os.environ.get("CHRONOS_ROUNDS", "1"))
PASSWORD = "another long password, 7 words"


def make_certificate(folder, name="localhost", days=90):
    """A certificate that signs itself, and its key; returns both paths."""
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    fresh_key, fresh = folder / "fresh-key.pem", folder / "fresh.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", fresh_key, "-out", fresh, "-days", str(days), "-subj", f"/CN={name}",
                    "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"], check=True, capture_output=True)
    fresh_key.chmod(0o600)
    fresh_key.rename(key)
    fresh.rename(certificate)
    return certificate, key


def expire(folder):
    """The certificate there ends in the second in which it is signed anew."""
    certificate, fresh = folder / "certificate.pem", folder / "fresh.pem"
    subprocess.run(["openssl", "x509", "-in", certificate, "-signkey", folder / "key.pem", "-days", "0", "-out", fresh],
                   check=True, capture_output=True)
    fresh.rename(certificate)


def trusting(certificate=None):
    context = ssl.create_default_context(cafile=certificate)
    if certificate is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class TlsServer(chronos.Server):
    def __init__(self, folder, **settings):
        self.certificate, self.key = make_certificate(folder / "tls")
        super().__init__(folder, CHRONOS_HTTP_TLS_CERTIFICATE=str(self.certificate),
                         CHRONOS_HTTP_TLS_KEY=str(self.key), **settings)

    @property
    def url(self):
        return f"https://{self.host}:{self.port}"

    def call(self, method, path, body=None, base="/api/v1", auth=True, headers=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + base + path, data=data, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        if auth and self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        for key, value in (headers or {}).items():
            request.add_header(key, value)
        try:
            with urllib.request.urlopen(request, timeout=30, context=trusting()) as answer:
                return chronos.Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            return chronos.Answer(error.code, error.headers, error.read())


def connect(port, timeout=10):
    s = socket.create_connection(("127.0.0.1", port), timeout)
    s.settimeout(timeout)
    return s


def raw(port, data, timeout=10):
    """Sends bytes and reads until the server closes; what came so far when it does not close in time."""
    got = b""
    with connect(port, timeout) as s:
        try:
            s.sendall(data)
        except OSError:
            pass  # refused before it was all read: the answer is what counts
        try:
            while part := s.recv(65536):
                got += part
        except OSError:
            pass
    return got


def records(server, event):
    """The log's records of this event, oldest first; every line must be JSON."""
    found = []
    for line in server.log_text().splitlines():
        if line.startswith("{"):
            record = json.loads(line)
            if record.get("event") == event or record.get("msg") == event:
                found.append(record)
    return found


def user(server, email, roles=("USER",)):
    """Another account, made by the administrator of `server` and signed in; a client like the server itself."""
    made = server.call("POST", "/auth/register", {"email": email, "password": PASSWORD, "roles": list(roles)})
    assert made.status == 201, made.body
    answer = server.call("POST", "/auth/login", {"email": email, "password": PASSWORD}, auth=False)
    assert answer.status == 200, answer.body
    return answer.json["accessToken"]


def as_user(server, token, method, path, body=None, base="/api/v1"):
    return server.call(method, path, body, base, auth=False, headers={"Authorization": f"Bearer {token}"})


def quantile(values, q):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * q))]


def latencies(ask, seconds):
    """Seconds that each call took, one after another, for about this long."""
    found, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.monotonic()
        ask()
        found.append(time.monotonic() - begin)
    return found


class Crowd:
    """Threads that repeat something until the block ends."""

    def __init__(self, n, act):
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.body, args=(act,), daemon=True) for _ in range(n)]

    def body(self, act):
        while not self.stop.is_set():
            act()

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for t in self.threads:
            t.join(30)
