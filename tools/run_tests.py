#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds and runs every test of the everyday suite and counts what each runner reported.

Meson runs the C tests (TAP) and the tidy checks; pytest runs what needs the real binary and real
servers. The last line is "N passed, N failed, N skipped"; skipped tests are listed with their reason.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYTEST_WORKERS = 3  # tests mostly wait: for leases, grace periods, servers to start. Those of a file stay together
PYTHON = "/usr/bin/python3" if pathlib.Path("/usr/bin/python3").exists() else sys.executable


def run(*command, env=None, fixed_addresses=False):
    """fixed_addresses: the thread sanitizer of gcc 12 does not start under the address randomisation of newer kernels."""
    command = ("setarch", "-R") + command if fixed_addresses else command
    print("+", *command, flush=True)
    return subprocess.run(command, cwd=ROOT, env=env).returncode


def build(args):
    folder = ROOT / args.build
    if not (folder / "build.ninja").exists():
        options = ["--buildtype=debugoptimized"]
        if args.sanitize:
            options += [f"-Db_sanitize={args.sanitize}", "-Db_lundef=false", "-Dsanitized=true"]
        if args.coverage:
            options += ["-Db_coverage=true"]
        if run("meson", "setup", args.build, *options):
            return False
    return run("ninja", "-C", args.build) == 0


def count(report, totals, skipped):
    """Adds the figures of one JUnit file."""
    for case in xml.parse(report).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        if "skipped" in kinds:
            totals["skipped"] += 1
            reason = case.find("skipped").get("message") or (case.find("skipped").text or "").strip()
            skipped.append(f"{case.get('classname') or ''} {case.get('name')}: {reason or 'no reason given'}")
        elif kinds & {"failure", "error"}:
            totals["failed"] += 1
            print(f"FAILED {case.get('classname') or ''} {case.get('name')}")
        else:
            totals["passed"] += 1


def sanitizer_env(args):
    env = dict(os.environ)
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=1:allocator_may_return_null=1")
    env.setdefault("LSAN_OPTIONS", f"suppressions={ROOT}/tests/lsan.supp:print_suppressions=0")
    env.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")
    env.setdefault("TSAN_OPTIONS", f"halt_on_error=1:second_deadlock_stack=1:suppressions={ROOT}/tests/tsan.supp")
    env["CHRONOS_BINARY"] = str(ROOT / args.build / "chronos")
    env["CHRONOS_SANITIZED"] = "1" if args.sanitize else ""
    return env


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build/test")
    parser.add_argument("--sanitize", default="")
    parser.add_argument("--coverage", action="store_true", help="print which lines of src/ the tests reached")
    args = parser.parse_args()
    totals, skipped = {"passed": 0, "failed": 0, "skipped": 0}, []
    if not build(args):
        print("0 passed, 1 failed, 0 skipped")
        return 1
    env = sanitizer_env(args)
    scale = "8" if args.sanitize else "1"
    threads = args.sanitize == "thread"
    broken = run("meson", "test", "-C", args.build, "--print-errorlogs", "--no-rebuild",
                 "--timeout-multiplier", scale, env=env, fixed_addresses=threads)
    report = ROOT / args.build / "meson-logs" / "testlog.junit.xml"
    if report.exists():
        count(report, totals, skipped)
    python_report = ROOT / args.build / "pytest.xml"
    python_report.unlink(missing_ok=True)
    broken |= run(PYTHON, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "-n", str(PYTEST_WORKERS), "--dist", "loadfile",
                  f"--junitxml={python_report}", "tests", env=env, fixed_addresses=threads)
    if python_report.exists():
        count(python_report, totals, skipped)
    if broken and totals["failed"] == 0:
        totals["failed"] = 1  # a runner failed without naming a test
    if args.coverage:
        run("gcovr", "--root", ".", "--object-directory", args.build, "--filter", "src/", "--exclude", ".*_test.c")
    for line in skipped:
        print("skipped:", line)
    print(f"{totals['passed']} passed, {totals['failed']} failed, {totals['skipped']} skipped")
    return 1 if totals["failed"] or totals["passed"] == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
