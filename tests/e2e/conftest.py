# SPDX-License-Identifier: Apache-2.0
import pytest

from chronos import Nginx, Server


@pytest.fixture
def server(tmp_path):
    made = Server(tmp_path / "server").start()
    made.login()
    yield made
    made.stop()


@pytest.fixture
def target(tmp_path):
    made = Nginx(tmp_path / "nginx").start()
    yield made
    made.stop()
