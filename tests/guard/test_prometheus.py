# SPDX-License-Identifier: Apache-2.0
"""The rules and dashboards of deploy/ against promtool and a real Prometheus server that scrapes three nodes."""
import json
import re

import pytest
import yaml
from chronos import ROOT, Server, metric, wait_until
from observe import Prometheus, promtool, scrape

DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus/alerts.yml"
NAME = re.compile(r"\b((?:chronos|process)_[a-z_]+)\b")
SUFFIX = re.compile(r"_(bucket|sum|count)$")


def rules():
    return [r for g in yaml.safe_load(RULES.read_text())["groups"] for r in g["rules"]]


def expressions():
    """(where, expression) of every rule, panel and variable."""
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for path in sorted((DEPLOY / "grafana").glob("*.json")):
        board = json.loads(path.read_text())
        for panel in board["panels"]:
            for target in panel["targets"]:
                yield f"{path.name}: {panel['title']}", target["expr"]
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                yield f"{path.name}: ${variable['name']}", variable["query"]["query"]


def test_promtool_accepts_rules_configuration_and_their_tests():
    folder = DEPLOY / "prometheus"
    for command in (("check", "rules", "alerts.yml"), ("check", "config", "prometheus.yml"), ("test", "rules", "alerts_test.yml")):
        done = promtool(*command, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_runbook_and_a_test():
    headings = {h.lower() for h in re.findall(r"^## (\S+)", (ROOT / "docs/runbooks.md").read_text(), re.M)}
    tested = {t["name"] for t in yaml.safe_load((DEPLOY / "prometheus/alerts_test.yml").read_text())["tests"]}
    for rule in rules():
        notes = rule["annotations"]
        assert notes["summary"] and notes["description"] and rule["labels"]["severity"] in ("critical", "warning")
        file, anchor = notes["runbook_url"].split("#")
        assert (ROOT / file).exists() and anchor == rule["alert"].lower() and anchor in headings, rule["alert"]
    assert tested == {r["alert"] for r in rules()}
    assert headings == {r["alert"].lower() for r in rules()}, "a runbook without an alert"


def test_dashboards_stand_by_themselves():
    boards = [json.loads(p.read_text()) for p in (DEPLOY / "grafana").glob("*.json")]
    assert len(boards) == 3 and len({b["uid"] for b in boards}) == 3
    for board in boards:
        assert board["timezone"] == ""
        names = {v["name"] for v in board["templating"]["list"]}
        assert {"datasource", "cluster"} <= names
        assert len({p["id"] for p in board["panels"]}) == len(board["panels"])
        for panel in board["panels"]:
            grid = panel["gridPos"]
            assert grid["x"] + grid["w"] <= 24 and panel["datasource"]["uid"] == "${datasource}"
            used = set(re.findall(r"\$(\w+)", "".join(t["expr"] for t in panel["targets"]))) - {"__rate_interval"}
            assert used <= names, (board["title"], panel["title"])


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """Three servers on one PostgreSQL."""
    import postgres
    folder = tmp_path_factory.mktemp("prometheus")
    database = postgres.Server().start()
    made = []
    try:
        url = database.url()
        for i in (1, 2, 3):
            made.append(Server(folder / f"n{i}", CHRONOS_DB_URL=url, CHRONOS_NODE_NAME=f"n{i}", CHRONOS_METRICS_JOBS="10",
                               CHRONOS_AUTH_KEY="k" * 40, CHRONOS_SECRETS_KEY="s" * 40,
                               CHRONOS_OTEL_ENDPOINT="http://127.0.0.1:1").start())
        made[0].login()
        for i in range(6):
            made[0].create(name=f"job-{i}", type="DUMMY", payload={},
                           schedule={"scheduleType": "INTERVAL", "intervalSeconds": 1})
        yield made
    finally:
        for server in made:
            server.stop()
        database.close()


def test_a_prometheus_server_scrapes_three_nodes_and_every_name_exists(nodes):
    wait_until(lambda: sum(metric(n, "chronos_runs_total") for n in nodes) > 5, what="runs")
    wait_until(lambda: all("chronos_job_last_success_timestamp_seconds{" in scrape(n)[0] for n in nodes), 40, "series of jobs")
    wait_until(lambda: any("chronos_leader{" in scrape(n)[0] for n in nodes), 40, "a duty")
    for node in nodes:
        plain = scrape(node, "text/plain")[0]
        checked = promtool("check", "metrics", stdin=plain)
        assert checked.returncode == 0, checked.stdout + checked.stderr
    targets = [node.url.removeprefix("http://") for node in nodes]
    with Prometheus(None, targets, RULES.read_text()) as server:
        wait_until(lambda: sum(float(r["value"][1]) for r in server.query("up")) == 3, what="three targets up")
        found = server.api("targets")["activeTargets"]
        assert [t["lastError"] for t in found] == ["", "", ""]
        there = set(server.api("label/__name__/values"))
        missing = {(where, name) for where, text in expressions() for name in NAME.findall(text)
                   if name not in there and SUFFIX.sub("", name) + "_bucket" not in there}
        assert missing == set()
        for where, text in expressions():
            if text.startswith("label_values("):
                continue
            text = text.replace("$__rate_interval", "1m")
            for variable in ("cluster", "instance", "type", "job"):
                text = text.replace(f"${variable}", ".*")
            server.query(text)  # refused when it is no PromQL
        judged = [r for g in server.api("rules")["groups"] for r in g["rules"]]
        assert len(judged) == len(rules()) and all(r["health"] in ("ok", "unknown") for r in judged)
        assert {r["metric"]["exported_job"] for r in server.query("chronos_job_next_fire_timestamp_seconds")} >= {"job-0"}
