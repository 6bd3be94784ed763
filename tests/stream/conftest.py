# SPDX-License-Identifier: Apache-2.0
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "e2e"), str(TESTS / "servers")]

import kafka


@pytest.fixture(scope="module")
def broker():
    """One real broker for all tests of a module: it takes seconds to start."""
    try:
        made = kafka.Server()
    except kafka.Unavailable as why:
        pytest.skip(f"no real Kafka: {why}; src/net/kafka_test.c still runs against the mock brokers of librdkafka")
    yield made.start()
    made.close()
