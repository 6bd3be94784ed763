# SPDX-License-Identifier: Apache-2.0
import pytest

from fake import Cli, FakeServer


@pytest.fixture
def server():
    made = FakeServer()
    yield made
    made.stop()


@pytest.fixture
def cli(server, tmp_path):
    return Cli(tmp_path, server.url)


@pytest.fixture
def alone(tmp_path):
    """Without a server."""
    return Cli(tmp_path)
