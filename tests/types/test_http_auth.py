# SPDX-License-Identifier: Apache-2.0
"""HTTP jobs that prove who they are, look at what comes back, send forms and go through proxies: against a real nginx
with TLS, and services of our own that check what they are sent."""
import base64
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import socket
import subprocess
import threading
import urllib.parse

import pytest

from attempts import attempt, begin, end, log, refused
from chronos import Nginx, Server, free_port, wait_until

PASSWORD = "pa:ss wörd&=canary-8812"


class Service:
    """An HTTP server that keeps every request and answers as `answer` says."""

    def __init__(self, answer=None, host="127.0.0.1"):
        self.seen, self.answer = [], answer or (lambda request: (200, {}, b"fine"))
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = {"method": self.command, "path": self.path, "headers": self.headers, "body": body}
                service.seen.append(request)
                status, headers, text = service.answer(request)
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_HEAD = handle_any

            def log_message(self, *unused):
                pass

        self.server = http.server.ThreadingHTTPServer((host, 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://{host}:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def service():
    made = []

    def make(answer=None, host="127.0.0.1"):
        made.append(Service(answer, host))
        return made[-1]
    yield make
    for s in made:
        s.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("http")
    (folder / "root").mkdir()
    made = Server(folder / "server", CHRONOS_FILES_ROOTS=str(folder / "root"), CHRONOS_EGRESS_DENY="127.0.0.2")
    made.root = folder / "root"
    made.start().login()
    yield made
    made.stop()


def http_job(server, url, parameters=None, **payload):
    return attempt(server, "HTTP", {"httpUrl": url, **payload}, parameters)


def context(run):
    line = next(line for line in run["lines"] if line.get("context"))
    return line["context"] if isinstance(line["context"], dict) else json.loads(line["context"])


# ---- basic and bearer ----

def test_basic_and_bearer_reach_the_service_and_no_log(server, service):
    s = service()
    run = http_job(server, s.url, auth={"type": "BASIC", "username": "ada", "password": PASSWORD})
    assert run["status"] == "SUCCEEDED", run
    sent = s.seen[-1]["headers"]["Authorization"]
    assert base64.b64decode(sent.removeprefix("Basic ")).decode() == f"ada:{PASSWORD}"
    assert "canary" not in json.dumps(run["lines"])
    run = http_job(server, s.url, {"t": "tok-1"}, auth={"type": "BEARER", "token": "{{param.t}}"})
    assert run["status"] == "SUCCEEDED" and s.seen[-1]["headers"]["Authorization"] == "Bearer tok-1"
    job = server.call("GET", f"/jobs/{http_job(server, s.url, auth={'type': 'BASIC', 'username': 'ada', 'password': PASSWORD})['jobId']}").json
    assert job["payload"]["auth"] == {"type": "BASIC", "username": "ada", "password": "***"}
    s.answer = lambda request: (401, {}, b"no")
    run = http_job(server, s.url, auth={"type": "BASIC", "username": "ada", "password": "wrong"})
    assert (run["errorClass"], run["exitCode"]) == ("HTTP_4XX", 401) and len(s.seen) == 4


# ---- OAuth 2.0 ----

class Tokens:
    """A token service: clients prove themselves, each token is another."""

    def __init__(self, life=3600):
        self.made, self.life, self.status = [], life, 200

    def __call__(self, request):
        if self.status != 200:
            return self.status, {}, b'{"error":"invalid_client"}'
        form = urllib.parse.parse_qs(request["body"].decode())
        if request["headers"]["Authorization"]:
            pair = base64.b64decode(request["headers"]["Authorization"].removeprefix("Basic ")).decode()
            client, secret = (urllib.parse.unquote(x) for x in pair.split(":"))
        else:
            client, secret = form["client_id"][0], form["client_secret"][0]
        good = secret == PASSWORD and form["grant_type"] == ["client_credentials"]
        if not good:
            return 401, {}, b'{"error":"invalid_client"}'
        self.made.append((client, form.get("scope", [""])[0]))
        token = f"token-{client}-{len(self.made)}"
        return 200, {"Content-Type": "application/json"}, json.dumps(
            {"access_token": token, "token_type": "Bearer", "expires_in": self.life}).encode()


def oauth(tokens_url, client, **more):
    return {"type": "OAUTH2", "tokenUrl": tokens_url + "/token", "clientId": client, "clientSecret": PASSWORD, **more}


def test_a_token_is_fetched_once_kept_and_asked_for_anew_after_a_401(server, service):
    tokens = Tokens()
    t, s = service(tokens), service()
    for _ in range(3):
        assert http_job(server, s.url, auth=oauth(t.url, "one", scope="a b"))["status"] == "SUCCEEDED"
    assert tokens.made == [("one", "a b")] and {r["headers"]["Authorization"] for r in s.seen} == {"Bearer token-one-1"}
    assert http_job(server, s.url, auth=oauth(t.url, "one"))["status"] == "SUCCEEDED"  # another scope, another token
    assert len(tokens.made) == 2
    revoked = "Bearer token-one-1"
    s.answer = lambda r: (401, {}, b"") if r["headers"]["Authorization"] == revoked else (200, {}, b"")
    assert http_job(server, s.url, auth=oauth(t.url, "one", scope="a b"))["status"] == "SUCCEEDED"
    assert len(tokens.made) == 3 and s.seen[-1]["headers"]["Authorization"] == "Bearer token-one-3"
    s.answer = lambda r: (401, {}, b"")
    before = len(s.seen)
    run = http_job(server, s.url, auth=oauth(t.url, "one", scope="a b"))
    assert run["errorClass"] == "HTTP_4XX" and len(s.seen) == before + 2  # once more, not for ever
    assert "token-one" not in json.dumps(run["lines"]) and "canary" not in json.dumps(run["lines"])


def test_tokens_that_end_soon_are_not_kept_and_clients_may_prove_themselves_in_the_form(server, service):
    tokens = Tokens(life=20)
    t, s = service(tokens), service()
    for _ in range(2):
        assert http_job(server, s.url, auth=oauth(t.url, "form", secretInBody=True))["status"] == "SUCCEEDED"
    assert len(tokens.made) == 2 and t.seen[-1]["headers"]["Authorization"] is None


def test_failures_of_the_token_service_are_told_apart(server, service):
    tokens = Tokens()
    t, s = service(tokens), service()
    run = http_job(server, s.url, auth={**oauth(t.url, "bad"), "clientSecret": "wrong"})
    assert run["errorClass"] == "HTTP_4XX" and "token service" in run["errorMessage"] and not s.seen
    tokens.status = 503
    assert http_job(server, s.url, auth=oauth(t.url, "down"))["errorClass"] == "HTTP_5XX"
    t.answer = lambda r: (200, {}, b"<html>")
    assert "not JSON" in http_job(server, s.url, auth=oauth(t.url, "html"))["errorMessage"]
    run = http_job(server, s.url, auth=oauth(f"http://127.0.0.1:{free_port()}", "gone"))
    assert run["errorClass"] == "CONNECTION_ERROR"
    run = http_job(server, s.url, auth=oauth("http://127.0.0.2:9", "denied"))
    assert run["errorClass"] == "EGRESS_DENIED" and not s.seen
    hold = threading.Event()
    t.answer = lambda r: hold.wait(30) and (200, {}, b"")
    run = http_job(server, s.url, auth=oauth(t.url, "slow"), timeoutSeconds=1)
    assert run["status"] == "TIMED_OUT"
    run_id = begin(server, "HTTP", {"httpUrl": s.url, "auth": oauth(t.url, "slow")})
    seen = len(t.seen)
    wait_until(lambda: len(t.seen) > seen - 1 and server.call("GET", f"/runs/{run_id}").json["status"] == "RUNNING",
               what="the token request")
    server.call("POST", f"/runs/{run_id}:cancel")
    assert end(server, run_id, 5)["status"] == "CANCELLED"
    hold.set()


# ---- AWS signatures ----

def signature_of(request, secret, region, name):
    """The signature that AWS Signature Version 4 says belongs to the request, worked out from its description."""
    auth = request["headers"]["Authorization"]
    signed = auth.split("SignedHeaders=")[1].split(",")[0].split(";")
    date = request["headers"]["X-Amz-Date"]
    path, _, query = request["path"].partition("?")
    canonical = "\n".join([request["method"], path, query,
                           *[f"{h}:{' '.join(request['headers'][h].split())}" for h in signed], "", ";".join(signed),
                           hashlib.sha256(request["body"]).hexdigest()])
    scope = f"{date[:8]}/{region}/{name}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = ("AWS4" + secret).encode()
    for part in (date[:8], region, name, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize("method,body", [("GET", None), ("POST", '{"a":1}'), ("PUT", "text")])
def test_requests_are_signed_for_aws(server, service, method, body):
    s = service()
    auth = {"type": "AWS_SIGV4", "accessKeyId": "AKIDEXAMPLE", "secretAccessKey": PASSWORD, "region": "eu-central-1",
            "service": "execute-api", "sessionToken": "session-1"}
    payload = {"httpBody": body} if body else {}
    run = http_job(server, s.url + "/stage/thing?a=1", httpMethod=method, auth=auth, **payload)
    assert run["status"] == "SUCCEEDED", run
    request = s.seen[-1]
    sent = request["headers"]["Authorization"]
    assert sent.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") and "/eu-central-1/execute-api/" in sent
    assert request["headers"]["X-Amz-Security-Token"] == "session-1" and "x-amz-security-token" in sent
    assert sent.split("Signature=")[1] == signature_of(request, PASSWORD, "eu-central-1", "execute-api")


# ---- redirects ----

def test_nothing_of_ours_goes_along_to_another_origin(server, service):
    other = service()
    first = service(lambda r: (302, {"Location": other.url + "/there"}, b""))
    run = http_job(server, first.url, followRedirects=True, httpHeaders={
        "Authorization": "Bearer canary", "Cookie": "canary=1", "X-Api-Key": "canary", "X-Anything": "canary",
        "Accept": "text/plain"})
    assert run["status"] == "SUCCEEDED"
    assert "canary" in str(first.seen[0]["headers"]) and "canary" not in str(other.seen[0]["headers"])
    assert other.seen[0]["headers"]["Accept"] == "text/plain" and other.seen[0]["headers"]["Chronos-Run-Key"]
    for auth in ({"type": "BASIC", "username": "canary", "password": "canary"}, {"type": "BEARER", "token": "canary"}):
        http_job(server, first.url, followRedirects=True, auth=auth)
        assert other.seen[-1]["headers"]["Authorization"] is None
    assert len(other.seen) == 3
    same = service(lambda r: (302, {"Location": "/there"}, b"") if r["path"] == "/" else (200, {}, b""))
    http_job(server, same.url, followRedirects=True, httpHeaders={"X-Api-Key": "kept"})
    assert same.seen[-1]["path"] == "/there" and same.seen[-1]["headers"]["X-Api-Key"] == "kept"
    back = service()  # and not again after a way round by another origin
    away = service(lambda r: (302, {"Location": back.url + "/end"}, b""))
    back.answer = lambda r: (302, {"Location": away.url}, b"") if r["path"] == "/" else (200, {}, b"")
    http_job(server, back.url, followRedirects=True, httpHeaders={"X-Api-Key": "canary"})
    assert [r["headers"]["X-Api-Key"] for r in back.seen] == ["canary", None]


def test_a_redirect_to_a_denied_address_is_not_followed(server, service):
    with socket.socket() as listener:
        listener.bind(("127.0.0.2", 0))
        listener.listen()
        listener.settimeout(0.2)
        target = f"127.0.0.2:{listener.getsockname()[1]}"
        first = service(lambda r: (302, {"Location": f"http://{target}/"}, b""))
        assert http_job(server, first.url, followRedirects=True)["errorClass"] == "EGRESS_DENIED"
        for url in (f"http://{target}/", f"http://0x7f000002:{target.split(':')[1]}/", f"http://2130706434:{target.split(':')[1]}/",
                    f"http://[::ffff:127.0.0.2]:{target.split(':')[1]}/"):
            assert http_job(server, url)["errorClass"] == "EGRESS_DENIED", url
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a process a hosts file of its own")
def test_every_address_of_a_name_is_judged_when_it_is_connected_to(tmp_path, service):
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.3 turn.test\n127.0.0.2 turn.test\n127.0.0.1 moving.test\n")
    server = Server(tmp_path / "server", CHRONOS_EGRESS_DENY="127.0.0.2", CHRONOS_NET_LOOPS="1")
    server.prefix = ("unshare", "-m", "sh", "-c", f"mount --bind {hosts} /etc/hosts && exec \"$@\"", "sh")
    if subprocess.run([*server.prefix, "true"], capture_output=True).returncode:
        pytest.skip("this machine gives us no mount namespace")
    try:
        server.start().login()
        denied = service(host="127.0.0.2")
        port = denied.url.rsplit(":", 1)[1]
        # The first address of the name is allowed and refuses the connection, the second would take it.
        run = http_job(server, f"http://turn.test:{port}/")
        assert run["status"] == "FAILED" and run["errorClass"] in ("CONNECTION_ERROR", "EGRESS_DENIED")
        assert not denied.seen
        # An allowed name that means another address when it is asked for again.
        allowed = service(lambda r: (200, {"Connection": "close"}, b""))
        assert http_job(server, f"http://moving.test:{allowed.url.rsplit(':', 1)[1]}/")["status"] == "SUCCEEDED"
        hosts.write_text("127.0.0.2 moving.test other.test\n")
        run = http_job(server, f"http://moving.test:{port}/")
        assert run["status"] == "FAILED" and not denied.seen  # the old address, or the new one judged
        assert http_job(server, f"http://other.test:{port}/")["errorClass"] == "EGRESS_DENIED" and not denied.seen
    finally:
        server.stop()


# ---- TLS ----

class Certificates:
    """An authority of our own with certificates for a server and a client."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key",
                     "-out", "ca.pem", "-days", "2", "-subj", "/CN=Test CA")
        for name, more in (("server", "subjectAltName=IP:127.0.0.1,DNS:localhost"), ("client", "extendedKeyUsage=clientAuth"),
                           ("elsewhere", "subjectAltName=DNS:elsewhere.example")):
            (folder / f"{name}.ext").write_text(more)
            self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key",
                         "-out", f"{name}.csr", "-subj", f"/CN={name}")
            self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
                         "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem")
        self.openssl("ec", "-in", "client.key", "-aes256", "-passout", "pass:open sesame", "-out", "client-locked.key")

    def openssl(self, *args):
        subprocess.run(["openssl", *args], cwd=self.folder, check=True, capture_output=True)

    def text(self, name):
        return (self.folder / name).read_text()


class TlsNginx(Nginx):
    def __init__(self, folder, certificates, name="server"):
        super().__init__(folder)
        self.tls_port = free_port()
        c = certificates.folder
        self.answers = (f"return 200 plain; }} }} server {{ listen 127.0.0.1:{self.tls_port} ssl; ssl_certificate {c}/{name}.pem; "
                        f"ssl_certificate_key {c}/{name}.key; ssl_client_certificate {c}/ca.pem; ssl_verify_client optional; "
                        "location / { return 200 \"$ssl_client_verify $ssl_client_s_dn\"; } location /mine { "
                        "if ($ssl_client_verify != SUCCESS) { return 403; } return 200 in;")
        self.tls_url = f"https://127.0.0.1:{self.tls_port}"


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    certificates = Certificates(folder / "certificates")
    made = TlsNginx(folder / "nginx", certificates).start()
    made.certificates = certificates
    yield made
    made.stop()


def test_the_certificate_of_the_server_is_always_checked(server, tls, tmp_path):
    c = tls.certificates
    run = http_job(server, tls.tls_url)
    assert run["errorClass"] == "CONNECTION_ERROR" and run["errorMessage"].startswith("no trusted TLS connection")
    run = http_job(server, tls.tls_url, tls={"caCertificate": c.text("ca.pem")})
    assert run["status"] == "SUCCEEDED", run
    (server.root / "ca.pem").write_text(c.text("ca.pem"))
    assert http_job(server, tls.tls_url, tls={"caFile": f"{server.root}/ca.pem"})["status"] == "SUCCEEDED"
    # Trust in one job is not trust in the next.
    assert http_job(server, tls.tls_url)["errorClass"] == "CONNECTION_ERROR"
    other = TlsNginx(tmp_path / "nginx", c, "elsewhere").start()
    try:
        run = http_job(server, other.tls_url, tls={"caCertificate": c.text("ca.pem")})
        assert run["errorClass"] == "CONNECTION_ERROR", run
    finally:
        other.stop()
    for field in ("insecure", "verify", "skipVerify"):
        assert f"/payload/tls/{field}" in refused(server, "HTTP", {"httpUrl": tls.tls_url, "tls": {field: True}})


def test_client_certificates(server, tls):
    c = tls.certificates
    ca = {"caCertificate": c.text("ca.pem")}
    assert http_job(server, tls.tls_url + "/mine", tls=ca)["exitCode"] == 403
    mine = {**ca, "clientCertificate": c.text("client.pem"), "clientKey": c.text("client.key")}
    run = http_job(server, tls.tls_url + "/mine", tls=mine)
    assert run["status"] == "SUCCEEDED", run
    assert http_job(server, tls.tls_url + "/mine", tls=ca)["exitCode"] == 403  # its connection is no other job's
    for name in ("client.pem", "client-locked.key"):
        (server.root / name).write_text(c.text(name))
    files = {**ca, "clientCertificateFile": f"{server.root}/client.pem", "clientKeyFile": f"{server.root}/client-locked.key"}
    assert http_job(server, tls.tls_url + "/mine", tls={**files, "clientKeyPassword": "open sesame"})["status"] == "SUCCEEDED"
    run = http_job(server, tls.tls_url + "/mine", tls={**files, "clientKeyPassword": "wrong"})
    assert run["errorClass"] == "CONNECTION_ERROR" and "wrong" not in json.dumps(run["lines"])
    run = http_job(server, tls.tls_url, tls={**ca, "clientCertificateFile": "/etc/passwd", "clientKeyFile": "/etc/shadow"})
    assert run["errorClass"] == "FILE_ERROR", run
    (server.root / "link.pem").symlink_to("/etc/passwd")
    assert http_job(server, tls.tls_url, tls={"caFile": f"{server.root}/link.pem"})["errorClass"] == "FILE_ERROR"
    job = server.call("GET", f"/jobs/{run['jobId']}").json
    assert "PRIVATE KEY" not in json.dumps(job)


# ---- bodies ----

def test_forms_carry_texts_and_files(server, service):
    s = service()
    data = os.urandom(300_000)
    (server.root / "data.bin").write_bytes(data)
    run = http_job(server, s.url, httpMethod="POST", multipart=[
        {"name": "note", "value": "über"}, {"name": "file", "file": f"{server.root}/data.bin", "contentType": "application/x-test"},
        {"name": "named", "value": "{}", "filename": "a.json", "contentType": "application/json"}])
    assert run["status"] == "SUCCEEDED", run
    request = s.seen[-1]
    kind = request["headers"]["Content-Type"]
    assert kind.startswith("multipart/form-data; boundary=")
    parts = request["body"].split(b"--" + kind.split("boundary=")[1].encode())[1:-1]
    assert len(parts) == 3
    assert b'name="note"' in parts[0] and parts[0].rstrip(b"\r\n").endswith("über".encode())
    assert b'filename="data.bin"' in parts[1] and b"application/x-test" in parts[1]
    assert parts[1].split(b"\r\n\r\n", 1)[1][:-2] == data
    assert b'filename="a.json"' in parts[2]
    run = http_job(server, s.url, {"x": "é", "f": "data.bin"}, httpMethod="POST", multipart=[
        {"name": "a", "value": "{{param.x}} of {{job.name}}"}, {"name": "b", "file": f"{server.root}/{{{{param.f}}}}"}])
    assert run["status"] == "SUCCEEDED" and "é of http-".encode() in s.seen[-1]["body"] and data in s.seen[-1]["body"]
    run = http_job(server, s.url, {"t": "a\r\nX: y"}, httpMethod="POST",
                   multipart=[{"name": "a", "value": "", "contentType": "{{param.t}}"}])
    assert run["errorClass"] == "DEFINITION_ERROR" and "line break" in run["errorMessage"]
    seen = len(s.seen)  # templates that are no good never reach the service
    for file in ("/etc/passwd", f"{server.root}/missing"):
        run = http_job(server, s.url, httpMethod="POST", multipart=[{"name": "x", "file": file}])
        assert run["errorClass"] == "FILE_ERROR", run
    assert len(s.seen) == seen == 2


@pytest.mark.parametrize("expected,body,good", [
    ({"contains": "UP"}, b"it is UP now", True),
    ({"contains": "UP"}, b"it is down", False),
    ({"regex": "^\\{.*\"n\": ?[0-9]+.*\\}$"}, b'{"n": 17}', True),
    ({"regex": "^[0-9]+$"}, b"12x", False),
    ({"pointer": "/a/0/b~1c"}, b'{"a":[{"b/c":null}]}', True),
    ({"pointer": "/a/1"}, b'{"a":[1]}', False),
    ({"pointer": "/status", "equals": "UP"}, b'{"status":"UP"}', True),
    ({"pointer": "/status", "equals": "UP"}, b'{"status":"DOWN"}', False),
    ({"pointer": "/n", "equals": {"x": [1, 2]}}, b'{"n":{"x":[1,2]}}', True),
    ({"pointer": "/n"}, b"<html>", False),
    ({"contains": "a", "regex": "z"}, b"a", False),
])
def test_the_body_decides_too(server, service, expected, body, good):
    s = service(lambda r: (200, {}, body))
    run = http_job(server, s.url, expectedBody=expected)
    assert run["status"] == ("SUCCEEDED" if good else "FAILED"), run
    if not good:
        assert run["errorClass"] == "UNEXPECTED_BODY" and run["exitCode"] == 200, run


def test_answers_are_bounded(server, service):
    s = service(lambda r: (200, {}, b"x" * 200_000))
    assert http_job(server, s.url, maxResponseBytes=200_000)["status"] == "SUCCEEDED"
    run = http_job(server, s.url, maxResponseBytes=199_999)
    assert run["errorClass"] == "CONNECTION_ERROR" and "199999" in run["errorMessage"]
    assert http_job(server, s.url, expectedBody={"contains": "y"})["errorClass"] == "UNEXPECTED_BODY"


# ---- proxies ----

class Proxy:
    """Forwards http requests and tunnels, and keeps what it was asked."""

    def __init__(self):
        self.asked = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.handle, args=(client,), daemon=True).start()

    def handle(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            more = client.recv(65536)
            if not more:
                return
            head += more
        self.asked.append(head.decode("latin-1"))
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        if method == "CONNECT":
            host, port = target.rsplit(":", 1)
        else:
            host, port = urllib.parse.urlsplit(target).netloc.rsplit(":", 1)
        upstream = socket.create_connection((host, int(port)))
        if method == "CONNECT":
            client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        else:
            path = urllib.parse.urlsplit(target).path or "/"
            upstream.sendall(head.replace(target.encode(), path.encode(), 1))
        pump = lambda a, b: [b.sendall(data) for data in iter(lambda: a.recv(65536), b"")]
        threading.Thread(target=pump, args=(client, upstream), daemon=True).start()
        pump(upstream, client)
        client.close()

    def close(self):
        self.listener.close()


@pytest.fixture
def proxy():
    made = Proxy()
    yield made
    made.close()


def test_requests_go_through_a_proxy(server, service, proxy, tls):
    s = service(lambda r: (200, {"Connection": "close"}, b"through"))
    run = http_job(server, s.url + "/x", proxy=proxy.url, proxyUser="ada", proxyPassword=PASSWORD)
    assert run["status"] == "SUCCEEDED", run
    assert proxy.asked[0].startswith(f"GET {s.url}/x HTTP/1.1")
    sent = proxy.asked[0].split("Proxy-Authorization: Basic ")[1].split("\r\n")[0]
    assert base64.b64decode(sent).decode() == f"ada:{PASSWORD}"
    assert "canary" not in json.dumps(run["lines"])
    run = http_job(server, tls.tls_url, proxy=proxy.url, tls={"caCertificate": tls.certificates.text("ca.pem")})
    assert run["status"] == "SUCCEEDED" and proxy.asked[1].startswith("CONNECT 127.0.0.1:"), run
    assert http_job(server, tls.tls_url, proxy=proxy.url)["errorClass"] == "CONNECTION_ERROR"  # the check reaches through
    asked = len(proxy.asked)
    assert http_job(server, s.url, proxy="http://127.0.0.2:3128")["errorClass"] == "EGRESS_DENIED"
    for host in ("127.0.0.2", "169.254.169.254", "2130706434"):
        assert http_job(server, f"http://{host}/", proxy=proxy.url)["errorClass"] == "EGRESS_DENIED"
    assert len(proxy.asked) == asked


# ---- at save ----

def test_faults_are_told_at_save(server):
    url = "http://127.0.0.1:1/"
    faults = refused(server, "HTTP", {
        "httpUrl": url, "auth": {"type": "BASIC", "username": "a", "token": "t"}, "httpHeaders": {"authorization": "x"},
        "tls": {"clientCertificate": "x", "caFile": "../x", "clientKeyPassword": "p"}, "proxy": "ftp://x",
        "expectedBody": {"regex": "(", "pointer": "x"}, "multipart": [{"name": "a"}], "maxResponseBytes": 0})
    assert set(faults) >= {"/payload/maxResponseBytes"}
    faults = refused(server, "HTTP", {
        "httpUrl": url, "auth": {"type": "BASIC", "username": "a", "token": "t"}, "httpHeaders": {"authorization": "x"},
        "tls": {"clientCertificate": "x", "caFile": "../x"}, "proxy": "ftp://x",
        "expectedBody": {"regex": "(", "pointer": "x"}, "multipart": [{"name": "a"}]})
    assert set(faults) == {
        "/payload/auth/password", "/payload/auth/token", "/payload/httpHeaders/Authorization", "/payload/tls/caFile",
        "/payload/tls/clientKey", "/payload/proxy", "/payload/expectedBody/regex", "/payload/expectedBody/pointer",
        "/payload/multipart", "/payload/multipart/0"}, faults
    assert "/payload/auth/type" in refused(server, "HTTP", {"httpUrl": url, "auth": {"token": "t"}})
    assert "/payload/auth/type" in refused(server, "HTTP", {"httpUrl": url, "auth": {"type": "NTLM"}})
    for regex in ("(a)\\1", "((a{1,100}){1,100}){1,100}", "a{2"):
        assert "/payload/expectedBody/regex" in refused(server, "HTTP", {"httpUrl": url, "expectedBody": {"regex": regex}})
    for auth in ({"type": "OAUTH2", "tokenUrl": "gopher://x", "clientId": "a", "clientSecret": "b"},):
        assert set(refused(server, "HTTP", {"httpUrl": url, "auth": auth})) == {"/payload/auth/tokenUrl"}
    faults = refused(server, "HTTP", {"httpUrl": url, "httpMethod": "POST", "multipart": [
        {"name": "a", "value": "x", "file": "/y"}, {"value": "x"}, {"name": "a\r\nX: y", "value": ""}, 7, {"name": "b", "file": "c"},
        {"name": "c", "value": "{{secret.X}}"}, {"name": "d", "value": "{{nobody}}"}]})
    assert set(faults) == {"/payload/multipart/0", "/payload/multipart/1/name", "/payload/multipart/2/name",
                           "/payload/multipart/3", "/payload/multipart/4/file", "/payload/multipart/5/value", "/payload/multipart/6/value"}, faults
