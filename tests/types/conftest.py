# SPDX-License-Identifier: Apache-2.0
"""Every job type through the real binary, against real servers: one file per type."""
import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "e2e"), str(TESTS / "servers")]
