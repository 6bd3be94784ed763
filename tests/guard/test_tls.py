# SPDX-License-Identifier: Apache-2.0
"""TLS in the server: versions, ciphers, plain HTTP on its port, new certificates, and where it is insisted on."""
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess

import chronos
import edge
import pytest
from chronos import wait_until

EVERYWHERE = "0.0.0.0"


@pytest.fixture
def secure(tmp_path):
    made = edge.TlsServer(tmp_path / "server").start()
    yield made
    made.stop()


def handshake(server, version=None, ciphers=None):
    context = edge.trusting()
    context.set_ciphers((ciphers or "DEFAULT") + ":@SECLEVEL=0")
    if version:
        context.minimum_version = context.maximum_version = version
    with edge.connect(server.port) as s, context.wrap_socket(s, server_hostname="localhost") as t:
        return t.version(), t.cipher()[0], t.getpeercert(binary_form=True)


def shown(server):
    return handshake(server)[2]


def test_only_new_protocols_and_good_ciphers_are_spoken(secure):
    assert handshake(secure, ssl.TLSVersion.TLSv1_3)[0] == "TLSv1.3"
    version, cipher, _ = handshake(secure, ssl.TLSVersion.TLSv1_2)
    assert version == "TLSv1.2" and "ECDHE" in cipher and ("GCM" in cipher or "CHACHA20" in cipher)
    for old in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        with pytest.raises(OSError):
            handshake(secure, old)
    for weak in ("AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "AES256-GCM-SHA384"):
        with pytest.raises(OSError):
            handshake(secure, ssl.TLSVersion.TLSv1_2, weak)


def test_a_client_that_checks_the_certificate_is_content(secure):
    secure.login()
    connection = http.client.HTTPSConnection("127.0.0.1", secure.port, context=edge.trusting(secure.certificate))
    connection.request("GET", "/livez")
    answer = connection.getresponse()
    assert answer.status == 200
    assert "max-age=" in answer.headers["Strict-Transport-Security"]
    connection.close()
    assert secure.call("GET", "/jobs").status == 200


def test_plain_http_on_the_port_is_told_to_use_https(secure):
    for text in (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\n\r\n"):
        answer = edge.raw(secure.port, text)
        assert answer.startswith(b"HTTP/1.1 400 ") and b"https://" in answer, answer
    edge.raw(secure.port, b"\x16\x03\x01\x00\x05nonsense\r\n\r\n" * 50)
    edge.raw(secure.port, os.urandom(4000))
    assert secure.call("GET", "/livez", base="").status == 200


def test_slow_handshakes_end(tmp_path):
    server = edge.TlsServer(tmp_path / "server", CHRONOS_HTTP_REQUESTTIMEOUTSECONDS="2",
                            CHRONOS_HTTP_IDLETIMEOUTSECONDS="2").start()
    s = edge.connect(server.port, 20)
    s.sendall(b"\x16\x03\x01")
    assert s.recv(100) == b""  # closed, without a word in the clear
    s.close()
    server.stop()


def test_a_new_certificate_is_taken_without_dropping_anybody(secure):
    secure.login()
    kept = http.client.HTTPSConnection("127.0.0.1", secure.port, context=edge.trusting())
    kept.request("GET", "/livez")
    assert kept.getresponse().read()
    before, failed = shown(secure), []

    def ask():
        if secure.call("GET", "/livez", base="").status != 200:
            failed.append(1)

    with edge.Crowd(2, ask):
        edge.make_certificate(secure.folder / "tls", "second.example.com")
        secure.process.send_signal(signal.SIGHUP)
        wait_until(lambda: shown(secure) != before, what="the new certificate")
        for i in range(3 * edge.ROUNDS):
            now = shown(secure)
            edge.make_certificate(secure.folder / "tls", f"n{i}.example.com")
            secure.process.send_signal(signal.SIGHUP)
            wait_until(lambda: shown(secure) != now, what="the next certificate")
    kept.request("GET", "/livez")
    assert kept.getresponse().status == 200
    assert not failed


def test_a_bad_new_certificate_leaves_the_old_one(secure):
    before = shown(secure)
    secure.certificate.write_text("hello")
    secure.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "the old one stays" in secure.log_text(), what="the record in the log")
    assert shown(secure) == before


def test_the_expiry_is_logged_and_measured(tmp_path):
    server = edge.TlsServer(tmp_path / "server")
    edge.make_certificate(tmp_path / "server" / "tls", days=10)
    server.start()
    assert "the certificate expires soon" in server.log_text()
    text = server.call("GET", "/metrics", base="").body.decode()
    left = [float(line.split()[-1]) for line in text.splitlines() if line.startswith("chronos_tls_certificate_expiry")]
    assert left and 8 * 86400 < left[0] < 11 * 86400
    named = [f"http.tls.{name}={path}" for name, path in (("certificate", server.certificate), ("key", server.key))]
    found = server.cli("doctor", "-o", "json", "--set", named[0], "--set", named[1],
                       "--set", f"data.dir={server.folder}/data")
    checks = {c["name"]: c for c in json.loads(found.stdout)["checks"]}
    assert checks["certificate"]["state"] == "WARN", checks["certificate"]
    server.stop()


def component(server):
    server.login()
    return server.call("GET", "/actuator/health", base="").json["components"]["tls"]


def test_health_says_when_the_certificate_ends(secure):
    assert component(secure)["status"] == "UP" and component(secure)["details"]["daysLeft"] in (89, 90)
    edge.make_certificate(secure.folder / "tls", days=10)
    secure.process.send_signal(signal.SIGHUP)
    wait_until(lambda: component(secure)["status"] == "DEGRADED", what="the warning")
    edge.expire(secure.folder / "tls")
    secure.process.send_signal(signal.SIGHUP)
    wait_until(lambda: component(secure)["status"] == "DOWN", what="the end of the certificate")
    assert secure.call("GET", "/readyz", base="", auth=False).status == 200


def test_the_health_check_finds_a_server_with_tls(secure):
    """Its certificate is for a public name, and signed by nobody this machine trusts."""
    edge.make_certificate(secure.folder / "tls", "chronos.example.com")
    secure.process.send_signal(signal.SIGHUP)

    def check(*args):
        return subprocess.run([chronos.BINARY, *args], env=secure.environment(), capture_output=True, text=True)
    healthy = check("healthcheck")
    assert healthy.returncode == 0, healthy.stderr
    named = check("healthcheck", "--url", secure.url)  # who names an address is shown whom it belongs to
    assert named.returncode != 0 and "certificate" in named.stderr, named.stderr
    assert "certificate" in check("job", "list").stderr  # nor does anything else go to whoever answers there
    secure.stop()
    assert check("healthcheck").returncode != 0


def refused(tmp_path, **settings):
    """What a server that does not start says."""
    server = chronos.Server(tmp_path / "server", **settings)
    server.start(wait=False)
    assert server.process.wait(30) != 0
    return server.log_text()


def test_a_key_that_others_can_read_is_refused(tmp_path):
    certificate, key = edge.make_certificate(tmp_path / "tls")
    key.chmod(0o644)
    said = refused(tmp_path, CHRONOS_HTTP_TLS_CERTIFICATE=str(certificate), CHRONOS_HTTP_TLS_KEY=str(key))
    assert "http.tls.key" in said and "chmod 600" in said
    assert "http.tls.key" in refused(tmp_path, CHRONOS_HTTP_TLS_CERTIFICATE=str(certificate))


class Open(chronos.Server):
    """Listens on every address; asked over the loopback."""

    def environment(self):
        return {**super().environment(), "CHRONOS_HTTP_LISTEN": f"{EVERYWHERE}:{self.port}"}


@pytest.mark.parametrize("profile", ["staging", "production"])
def test_nobody_listens_beyond_the_machine_in_the_clear(tmp_path, profile):
    """S5: nothing configured."""
    server = Open(tmp_path / "server", CHRONOS_PROFILE=profile)
    server.start(wait=False)
    assert server.process.wait(30) != 0
    said = server.log_text()
    assert "http.listen" in said and "http.tls.certificate" in said and "http.plain=true" in said
    with socket.socket() as s:
        assert s.connect_ex(("127.0.0.1", server.port)) != 0


@pytest.mark.parametrize("settings", [{"CHRONOS_HTTP_PLAIN": "true"}, {"CHRONOS_HTTP_TRUSTEDPROXIES": "127.0.0.1"}])
def test_who_says_so_may_listen_in_the_clear(tmp_path, settings):
    server = Open(tmp_path / "server", CHRONOS_PROFILE="production", **settings).start()
    assert "in the clear" not in server.log_text()
    server.stop()


def test_development_warns(tmp_path):
    server = Open(tmp_path / "server").start()
    assert "in the clear" in server.log_text()
    server.stop()


def test_no_two_installations_share_a_secret(tmp_path):
    """S5: what nobody configured is drawn by chance, and nobody else may read it."""
    one, other = (chronos.Server(tmp_path / name, CHRONOS_PROFILE="production").start() for name in ("one", "other"))
    one.login()
    assert other.call("GET", "/auth/me", auth=False, headers={"Authorization": f"Bearer {one.token}"}).status == 401
    secrets = [p for p in (tmp_path / "one" / "data").rglob("*") if p.is_file()]
    assert secrets
    for path in secrets:
        assert path.stat().st_mode & 0o077 == 0, path
    assert one.call("POST", "/auth/login", {"email": "admin", "password": "admin"}, auth=False).status in (400, 401)
    assert one.call("GET", "/jobs").json["totalElements"] == 0
    one.stop()
    other.stop()
