# SPDX-License-Identifier: Apache-2.0
"""Nodes of the cluster: list, drain with and without waiting, resume."""
import json

import pytest

from fake import page, problem

NODES = "/api/v1/cluster/nodes"


def node(name="n1", state="ACTIVE", beat=1, **more):
    return {"name": name, "address": "10.0.0.1:8080", "version": "0.1.0", "state": state, "drainWanted": False,
            "slots": 128 if state == "ACTIVE" else 0, "running": 0, "startedAt": "2026-01-01T00:00:00.000Z",
            "renewedAt": f"2026-01-01T00:00:0{beat}.000Z", "leaseUntil": "2026-01-01T00:00:31.000Z",
            "leaseAgeMs": 4200, "clockOffsetMs": -3, "self": name == "n1", **more}


def pages(*contents):
    """One list after the other; the last one stays."""
    left = list(contents)
    return lambda request: page(left.pop(0) if len(left) > 1 else left[0])


def test_a_list_shows_each_node(server, cli):
    server.on("GET", NODES, page([node(), node("n2", "DEAD")]))
    lines = cli("node", "list").stdout.splitlines()
    assert lines[0].split() == ["NAME", "STATE", "SLOTS", "RUNNING", "STARTED", "HEARTBEAT", "VERSION", "ADDRESS"]
    assert lines[1].split()[:4] == ["n1", "ACTIVE", "128", "0"] and "4.2 s" in lines[1]
    assert lines[2].split()[:3] == ["n2", "DEAD", "0"]


def test_every_form_of_output(server, cli):
    server.on("GET", NODES, page([node(), node("n2")]))
    assert json.loads(cli("nodes", "ls", "-o", "json").stdout)["content"][1]["name"] == "n2"
    assert "name: n2" in cli("node", "list", "-o", "yaml").stdout
    assert cli("node", "list", "-o", "name").stdout == "n1\nn2\n"


def test_drain_and_resume_name_the_node(server, cli):
    server.on("POST", NODES + "/n2:drain", (202, node("n2", drainWanted=True)))
    server.on("POST", NODES + "/n2:resume", (202, node("n2")))
    assert cli("node", "drain", "n2").stdout == "node n2 is asked to hand its jobs over\n"
    assert cli("node", "resume", "n2").stdout == "node n2 is asked to take part again\n"
    assert json.loads(cli("node", "drain", "n2", "-o", "json").stdout)["drainWanted"] is True
    assert server.calls() == [f"POST {NODES}/n2:drain", f"POST {NODES}/n2:resume", f"POST {NODES}/n2:drain"]


def test_waiting_ends_with_a_heartbeat_that_came_after_it_stopped_deciding(server, cli):
    server.on("POST", NODES + "/n2:drain", (202, node("n2")))
    server.on("GET", NODES, pages(
        [node("n2", "DEAD"), node("n2")],                      # an earlier life of it is not the one that drains
        [node("n2", "DRAINING", slots=5)],                     # it has not let go of everything
        [node("n2", "DRAINING", beat=2)],                      # "nothing runs" is older than its letting go
        [node("n2", "DRAINING", beat=3, running=2)],
        [node("n2", "DRAINING", beat=4)]))
    result = cli("node", "drain", "n2", "--wait")
    assert "2 still running" in result.stderr and "node n2 is empty" in result.stderr
    assert len(server.calls("GET")) == 5


def test_a_node_that_left_is_empty(server, cli):
    server.on("POST", NODES + "/n2:drain", (202, node("n2")))
    server.on("GET", NODES, pages([node("n2", running=1)], [node()]))
    assert "node n2 is empty" in cli("node", "drain", "n2", "--wait").stderr


def test_waiting_too_long_is_code_6(server, cli):
    server.on("POST", NODES + "/n2:drain", (202, node("n2")))
    server.on("GET", NODES, page([node("n2", "DRAINING", running=1)]))
    assert "goes on draining" in cli("node", "drain", "n2", "--wait", "--timeout", "1ms", code=6).stderr


@pytest.mark.parametrize("status,code", [(403, 4), (404, 3), (409, 5), (503, 6)])
def test_refusals_have_their_codes(server, cli, status, code):
    server.on("POST", NODES + "/n9:drain", problem(status, "CODE", "no"))
    assert "chronos: no" in cli("node", "drain", "n9", "--wait", code=code).stderr
    assert server.calls("GET") == []


def test_a_timeout_without_waiting_is_wrong_usage(cli):
    assert "--wait" in cli("node", "drain", "n2", "--timeout", "1m", code=2).stderr
