# SPDX-License-Identifier: Apache-2.0
"""Who may do what, and what stands against hostile input: through the real binary. CHRONOS_ROUNDS scales the long proofs."""
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "e2e"), str(TESTS / "servers"), str(TESTS / "guard")]

from chronos import Server  # noqa: E402


@pytest.fixture
def server(tmp_path):
    made = Server(tmp_path / "server").start()
    made.login()
    yield made
    made.stop()
