# SPDX-License-Identifier: Apache-2.0
import pathlib
import subprocess
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "e2e"), str(TESTS / "servers")]

import kafka
from chronos import BINARY


@pytest.fixture(scope="session", autouse=True)
def no_thread_sanitizer():
    """librdkafka starts its threads by C11's thrd_create, of which that sanitizer does not know: they crash."""
    if "libtsan" in subprocess.run(["ldd", BINARY], capture_output=True, text=True).stdout:
        pytest.skip("threads of librdkafka cannot run under the thread sanitizer")


@pytest.fixture(scope="module")
def broker():
    """One real broker for all tests of a module: it takes seconds to start."""
    try:
        made = kafka.Server()
    except kafka.Unavailable as why:
        pytest.skip(f"no real Kafka: {why}; src/net/kafka_test.c still runs against the mock brokers of librdkafka")
    yield made.start()
    made.close()
