# SPDX-License-Identifier: Apache-2.0
"""deploy/nginx as it stands, with other addresses, in front of three real nodes: any node answers any request."""
import re
import subprocess
import urllib.request

import pytest

from chronos import ROOT, SLOW, Server, free_port, wait_until
from cluster import Cluster, database

DEPLOY = ROOT / "deploy/nginx"
TIMES = 100
LEASE_S = 15 * SLOW


class Balancer(Server):
    """nginx with the project's own configuration; called as if it were a node."""

    def __init__(self, folder, nodes):
        super().__init__(folder)
        self.nodes = nodes

    def write(self):
        for name in ("body", "proxy", "fastcgi", "uwsgi", "scgi"):
            (self.folder / name).mkdir(exist_ok=True)
        text = (DEPLOY / "chronos.conf").read_text()
        addresses = re.findall(r"server (10\.0\.0\.\d+:8080) ", text)
        assert len(addresses) == len(self.nodes) == 3
        for address, node in zip(addresses, self.nodes):
            text = text.replace(address, f"{node.host}:{node.port}")
        text = text.replace("listen 80;", f"listen 127.0.0.1:{self.port};").replace("    listen [::]:80;\n", "")
        text = text.replace("/etc/nginx/conf.d/", f"{self.folder}/")
        (self.folder / "chronos.conf").write_text(text)
        (self.folder / "chronos-proxy.inc").write_text((DEPLOY / "chronos-proxy.inc").read_text())
        (self.folder / "nginx.conf").write_text(f"""
daemon off; worker_processes 2; pid {self.folder}/nginx.pid; error_log {self.folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
  log_format upstreams '$request_method $uri $status $upstream_addr $upstream_status';
  access_log {self.folder}/access.log upstreams;
  client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy; fastcgi_temp_path {self.folder}/fastcgi;
  uwsgi_temp_path {self.folder}/uwsgi; scgi_temp_path {self.folder}/scgi;
  include {self.folder}/chronos.conf;
}}""")

    def start(self, wait=True):
        self.write()
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")],
                                        stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        wait_until(self.ready, what="nginx")
        return self

    def asked(self):
        """How many requests each node was given."""
        counts = {}
        for line in (self.folder / "access.log").read_text().splitlines():
            for address in re.findall(r"127\.0\.0\.1:\d+", line):
                counts[address] = counts.get(address, 0) + 1
        return counts


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with database("postgres") as server:
        made = Cluster(tmp_path_factory.mktemp("nodes"), 3, server.env()["CHRONOS_TEST_DB_URL"],
                       CHRONOS_CLUSTER_LEASESECONDS=str(LEASE_S), CHRONOS_CLUSTER_HEARTBEATSECONDS=str(LEASE_S // 5))
        try:
            yield made.start()
        finally:
            made.close()


@pytest.fixture
def balancer(cluster, tmp_path):
    for node in cluster.nodes:
        if not node.running:
            node.start()
            node.login()
    made = Balancer(tmp_path / "nginx", cluster.nodes).start()
    made.login()
    yield made
    made.stop()


def test_what_one_node_wrote_the_next_one_reads(balancer):
    for i in range(TIMES):
        job = balancer.create(name=f"job {i}", type="DUMMY", schedule={"scheduleType": "MANUAL"})
        answer = balancer.call("GET", f"/jobs/{job['id']}")
        assert answer.status == 200 and answer.json == job, (i, answer.status)
        changed = balancer.call("PATCH", f"/jobs/{job['id']}", {"name": f"job {i} again"})
        assert changed.status == 200 and changed.json["version"] == 2, changed.body
        assert balancer.call("GET", f"/jobs/{job['id']}").json["name"] == f"job {i} again"
        assert balancer.call("DELETE", f"/jobs/{job['id']}").status == 204
        assert balancer.call("GET", f"/jobs/{job['id']}").status == 404
    counts = balancer.asked()
    assert len(counts) == 3 and min(counts.values()) > TIMES, counts


def test_a_session_holds_on_every_node(balancer):
    for _ in range(6):
        assert balancer.call("GET", "/auth/me").status == 200
    assert balancer.call("POST", "/auth/logout", {}).status == 204
    assert [balancer.call("GET", "/auth/me").status for _ in range(6)] == [401] * 6, "signed out everywhere"


def test_a_log_is_followed_through_the_balancer(balancer, tmp_path):
    """The script goes on only when its first line has come through: nothing is held back on the way."""
    gate = tmp_path / "gate"
    job = balancer.create(name="talks", type="SCRIPT", schedule={"scheduleType": "MANUAL"}, payload={
        "script": f"#!/bin/sh\necho first\nwhile [ ! -e {gate} ]; do sleep 0.1; done\necho second\n", "timeoutSeconds": 60})
    try:
        for _ in range(3):  # whichever nodes answer and run it
            run = balancer.call("POST", f"/jobs/{job['id']}:run-now").json
            request = urllib.request.Request(
                f"{balancer.url}/api/v1/jobs/{job['id']}/runs/{run['id']}/logs:stream",
                headers={"Authorization": f"Bearer {balancer.token}", "Accept-Encoding": "gzip"})
            with urllib.request.urlopen(request, timeout=30 * SLOW) as answer:
                assert answer.headers["Content-Type"].startswith("text/event-stream")
                lines = []
                for line in answer:
                    lines.append(line.decode())
                    if '"message":"first"' in lines[-1]:
                        gate.touch()
            text = "".join(lines)
            assert '"message":"second"' in text and text.endswith('event: end\ndata: {"status":"SUCCEEDED"}\n\n')
            gate.unlink()
    finally:
        gate.touch()


def test_no_read_fails_when_a_node_dies(balancer, cluster):
    job = balancer.create(name="there", type="DUMMY", schedule={"scheduleType": "MANUAL"})
    answers = []
    for i in range(TIMES):
        if i == TIMES // 5:
            cluster.nodes[1].kill()
        answers.append(balancer.call("GET", f"/jobs/{job['id']}").status)
    assert answers == [200] * TIMES
    dead = f"127.0.0.1:{cluster.nodes[1].port}"
    assert any(dead in line and " 502, 200" in line for line in (balancer.folder / "access.log").read_text().splitlines()), \
        "the dead node was tried and another one answered"
    for i in range(20):
        balancer.create(name=f"made without it {i}", type="DUMMY", schedule={"scheduleType": "MANUAL"})
    wait_until(lambda: balancer.call("GET", "/actuator/cluster-info", base="").json["nodes"] == 2, 2 * LEASE_S,
               "the others know that it is gone")


def test_limits_and_figures_stay_outside(balancer):
    assert balancer.call("GET", "/metrics", base="").status == 404
    assert balancer.call("GET", "/actuator/prometheus", base="").status == 404
    assert balancer.call("POST", "/jobs", b"x" * (1024 * 1024 + 1)).status == 413
    assert balancer.call("GET", "/readyz", base="", auth=False).status == 200


def test_the_example_with_tls_is_sound(balancer, tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
                    "-keyout", tmp_path / "privkey.pem", "-out", tmp_path / "fullchain.pem"], check=True, capture_output=True)
    example = (DEPLOY / "chronos-tls.conf.example").read_text()
    text = "\n".join(line[1:] if line.startswith("#") and not line.startswith("# ") else line for line in example.splitlines())
    text = re.sub(r"listen (\[::\]:)?(80|443)( ssl http2)?;", lambda m: f"listen 127.0.0.1:{free_port()}{m[3] or ''};", text)
    text = text.replace("/etc/ssl/chronos/", f"{tmp_path}/").replace("/etc/nginx/conf.d/", f"{balancer.folder}/")
    assert "ssl_certificate" in text
    whole = (balancer.folder / "chronos.conf").read_text()
    (tmp_path / "tls.conf").write_text(whole[:whole.index("server {\n    listen")] + text)
    main = (balancer.folder / "nginx.conf").read_text().replace(f"include {balancer.folder}/chronos.conf", f"include {tmp_path}/tls.conf")
    (tmp_path / "nginx.conf").write_text(main.replace(f"pid {balancer.folder}/nginx.pid", f"pid {tmp_path}/nginx.pid"))
    tested = subprocess.run(["/usr/sbin/nginx", "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")],
                            capture_output=True, text=True)
    assert tested.returncode == 0, tested.stderr
