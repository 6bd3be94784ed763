# SPDX-License-Identifier: Apache-2.0
"""Reading /metrics strictly, a collector of spans, and a Prometheus server of the tests' own."""
import http.server
import json
import re
import subprocess
import threading
import urllib.parse
import urllib.request

import base

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"')
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "info": ("_info",), "histogram": ("_bucket", "_sum", "_count")}


def openmetrics(text):
    """Families of an OpenMetrics text: {name: (type, {(sample, labels): value})}. Fails at whatever the format forbids."""
    assert text.endswith("# EOF\n"), text[-200:]
    families, name, kind, seen = {}, None, None, set()
    for line in text.splitlines()[:-1]:
        if line.startswith("# HELP "):
            name = line.split(" ", 3)[2]
            assert name not in families, f"{name} comes twice"
            families[name] = [None, {}]
        elif line.startswith("# TYPE "):
            _, _, of, kind = line.split(" ")
            assert of == name, line
            families[name][0] = kind
        else:
            found = SAMPLE.match(line)
            assert found and name, line
            sample, labels, value = found.group(1), tuple(LABEL.findall(found.group(2) or "")), float(found.group(3))
            assert sample in [name + s for s in SUFFIXES[kind]], (sample, name, kind)
            assert (sample, labels) not in seen, line
            seen.add((sample, labels))
            families[name][1][sample, labels] = value
    for name, (kind, samples) in families.items():
        if kind == "histogram":
            check_histogram(name, samples)
    return families


def check_histogram(name, samples):
    """Buckets rise, the last one is +Inf and equals the count."""
    groups = {}
    for (sample, labels), value in samples.items():
        rest = tuple(l for l in labels if l[0] != "le")
        groups.setdefault(rest, {}).setdefault(sample, []).append((dict(labels).get("le"), value))
    for rest, parts in groups.items():
        buckets = parts[name + "_bucket"]
        values = [v for _, v in buckets]
        assert values == sorted(values) and buckets[-1][0] == "+Inf", (name, rest)
        bounds = [float(le) for le, _ in buckets]
        assert bounds == sorted(bounds) and values[-1] == parts[name + "_count"][0][1], (name, rest)


def scrape(server, accept="application/openmetrics-text; version=1.0.0"):
    answer = server.call("GET", "/metrics", base="", auth=False, headers={"Accept": accept})
    assert answer.status == 200
    return answer.body.decode(), answer.headers["Content-Type"]


class Collector:
    """Takes spans as an OpenTelemetry collector does; `answers` are the statuses of the next requests, then 200."""

    def __init__(self, answers=()):
        self.requests, self.answers, outer = [], list(answers), self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = outer.answers.pop(0) if outer.answers else 200
                outer.requests.append((self.path, dict(self.headers), json.loads(body), status))
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *unused):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def spans(self):
        return [span for _, _, body, status in list(self.requests) if status == 200
                for resource in body["resourceSpans"] for scope in resource["scopeSpans"] for span in scope["spans"]]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Prometheus(base.Server):
    """A Prometheus server from the package, with the rules of deploy/ and the given targets."""

    users = ("prometheus", "nobody")

    def __init__(self, folder, targets, rules):
        super().__init__(folder)
        self.targets, self.rules = targets, rules

    def prepare(self):
        targets = ", ".join(f"'{t}'" for t in self.targets)
        (self.folder / "alerts.yml").write_text(self.rules)
        (self.folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [alerts.yml]\n"
            f"scrape_configs:\n  - job_name: chronos\n    static_configs:\n      - targets: [{targets}]\n")
        data = self.folder / "data"
        data.mkdir()
        if self.user:
            import os
            os.chown(data, self.user.pw_uid, self.user.pw_gid)

    def command(self):
        return ["/usr/bin/prometheus", f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data",
                f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"]

    def ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False

    def api(self, path, **query):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression):
        return self.api("query", query=expression)["result"]


def promtool(*args, stdin=None, cwd=None):
    return subprocess.run(["/usr/bin/promtool", *args], input=stdin, capture_output=True, text=True, cwd=cwd)
