# SPDX-License-Identifier: Apache-2.0
"""A database server that is killed and comes back: what the store says meanwhile, and that it works again by itself."""
import importlib
import os
import pathlib
import subprocess
import sys
import threading
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "servers"))
base = importlib.import_module("base")

BACK_SECONDS = 5
OPERATIONS = {"setting_put", "setting_get", "flush", "node_renew", "nodes_list", "duty_hold", "changes_wait"}


def program():
    binary = os.environ.get("CHRONOS_BINARY", str(HERE.parent.parent / "build/test/chronos"))
    return pathlib.Path(binary).parent / "tests/store/store_away"


class Away:
    """The program, with the last result of each operation."""

    def __init__(self, server, mode):
        self.process = subprocess.Popen([program(), mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **server.env()})
        self.last, self.history, self.dots = {}, [], 0
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                if line.strip() == ".":
                    self.dots += 1
                else:
                    name, code = line.split()[:2]
                    self.last[name] = code
                    self.history.append(line.strip())
                self.changed.notify_all()

    def wait(self, condition, seconds, what):
        with self.changed:
            ok = self.changed.wait_for(lambda: condition(self), seconds * base.SLOW)
        assert ok, f"{what}: {self.last}\n" + "\n".join(self.history[-40:])

    def step(self):
        """Every operation once: their results."""
        expected = self.dots + 1
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.wait(lambda a: a.dots == expected, 60, "one step")
        return dict(self.last)

    def close(self):
        self.process.stdin.close()
        code = self.process.wait(60 * base.SLOW)
        self.reader.join()
        assert code == 0, "\n".join(self.history[-40:])


@pytest.fixture(params=["postgres", "mariadb"])
def server(request):
    with importlib.import_module(request.param).Server() as s:
        yield s


def all_are(code):
    # What waits for changes is not asked of a store that cannot tell.
    return lambda a: all(a.last.get(name) == code for name in OPERATIONS - {"changes_wait"})


def test_killed_under_load(server):
    a = Away(server, "load")
    a.wait(all_are("OK"), 30, "all operations work")
    for _ in range(3):
        server.kill()
        a.wait(all_are("UNAVAILABLE"), 30, "the loss is noticed")
        server.start()
        start = time.monotonic()
        a.wait(lambda x: all_are("OK")(x) and x.last["changes_wait"] == "OK", 30, "operations work again")
        assert time.monotonic() - start < BACK_SECONDS * base.SLOW, "\n".join(a.history[-40:])
    a.close()


def test_restart_while_idle_is_not_noticed(server):
    a = Away(server, "step")
    assert set(a.step().values()) == {"OK"}
    for end in (server.stop, server.kill):
        end()
        server.start()
        assert set(a.step().values()) == {"OK"}, "\n".join(a.history[-20:])
    a.close()


def test_nobody_waits_for_a_server_that_is_away(server):
    a = Away(server, "step")
    a.step()
    server.kill()
    a.step()
    start = time.monotonic()
    for _ in range(20):
        results = {k: v for k, v in a.step().items() if k != "changes_wait"}
        assert set(results.values()) == {"UNAVAILABLE"}
    assert time.monotonic() - start < 5 * base.SLOW
    server.start()
    base.wait_until(lambda: set(a.step().values()) == {"OK"}, BACK_SECONDS, "operations work again")
    a.close()
