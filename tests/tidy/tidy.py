#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rules that a program can check: arrows between folders, sizes, bans, tests beside the code.

Prints TAP. Each finding names file, line and what to do instead. Exceptions stand in exceptions.txt,
one a line with its reason; an exception that nothing needs any more is a finding too.
"""
import fnmatch
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SRC = ROOT / "src"

FUNCTION_MAX, FILE_MAX, HEADER_MAX, LINE_MAX = 70, 600, 150, 120

# docs/ARCHITECTURE.md §3: what a folder may include besides itself and base/.
ARROWS = {
    "base": set(),
    "model": set(),
    "sched": {"model"},
    "auth": {"model"},
    "net": set(),
    "db": set(),
    "fs": set(),
    "document": set(),
    "httpd": set(),
    "notify": {"model", "net", "sched"},
    "store": {"model"},
    "store/memory": {"model", "store/store.h", "store/notes.h", "store/rows.h", "store/once.h"},
    "store/sql": {"model", "db", "store/store.h", "store/notes.h", "store/rows.h", "store/once.h"},
    "jobs": {"model", "net", "db/url.h", "db/query.h", "fs", "document"},
    "otel": {"model", "net", "jobs/job_type.h", "jobs/span_sink.h"},
    "engine": {"model", "sched", "store/store.h", "jobs/job_type.h"},
    "app": {"model", "sched", "auth", "store/store.h", "engine/engine.h", "engine/cluster.h", "engine/slots.h",
            "engine/meters.h", "jobs/breakers.h", "jobs/job_type.h", "jobs/monitors.h", "jobs/services.h", "jobs/report.h", "notify/channel.h", "notify/template.h"},
    "stream": {"model", "net", "store/store.h", "app"},
    "api": {"model", "auth", "app", "httpd"},
    "cli": {"model", "sched", "net/http.h", "net/sandbox_offer.h", "config.h"},
}
# Libraries that only one place may know (architecture.md §8).
LIBRARY_HOMES = {
    "microhttpd.h": r"^src/httpd/",
    "sqlite3.h": r"^src/db/sqlite/",
    "libpq-fe.h": r"^src/db/postgres/",
    "mysql.h": r"^src/db/mysql/",
    "hiredis/": r"^src/net/",
    "librdkafka/": r"^src/net/",
    "amqp": r"^src/net/",
    "archive.h": r"^src/fs/",
    "archive_entry.h": r"^src/fs/",
    "cairo": r"^src/document/",
    "pango/": r"^src/document/",
    "xlsxwriter": r"^src/document/",
    "curl/curl.h": r"^src/net/",
    "uv.h": r"^src/net/",
    "cjose/": r"^src/auth/",
    "yaml.h": r"^src/base/yaml",
    "jansson.h": r"^src/base/json\.h",
}
BANS = [  # pattern, where it is allowed, what to do instead
    (r"\b(clock_gettime|gettimeofday|time)\s*\(\s*(CLOCK_|NULL|&|0\))", r"^src/base/(clock_real|sync)\.c$",
     "take a struct clock (base/clock.h)"),
    (r"\b(malloc|calloc|realloc|strdup|strndup)\s*\(", None, "take an arena, or own a struct with _new and _free"),
    (r"\b(sleep|usleep|nanosleep)\s*\(", r"^bench/", "wait for the event itself; tests use the virtual clock"),
    (r"\bfork\s*\(\)", r"^src/net/spawner|_test\.c$|^tests/", "posix_spawn through net/process"),
    (r"\bsystem\s*\(|\bpopen\s*\(", None, "net/process"),
    (r"^typedef struct", None, "write struct name"),
    (r"\b(TODO|FIXME|XXX)\b", None, "finish it or open an issue"),
    (r"\bassert\s*\(", r"^$", "must() for our own invariants, struct err for input"),
    (r'"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE)\s', r"_test\.c$|^tests/|^bench/|^src/db/",
     "put SQL into a .sql file"),
]
MALLOC_HOMES = re.compile(r"^(src/base/|tests/|bench/|src/.*_test\.c$)")


def sources(*suffixes):
    for folder in ("src", "tests", "bench"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in suffixes and path.is_file():
                yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


class Exceptions:
    """Lines of exceptions.txt: rule, file (or pattern), reason."""

    def __init__(self):
        self.rows, self.used = {}, set()
        for line in (ROOT / "tests/tidy/exceptions.txt").read_text().splitlines():
            if line.strip() and not line.startswith("#"):
                rule, name, reason = line.split(None, 2)
                assert len(reason) > 10, f"give a reason: {line}"
                self.rows[(rule, name)] = reason

    def allow(self, rule, name):
        for row in self.rows:
            if row[0] == rule and fnmatch.fnmatch(name, row[1]):
                self.used.add(row)
                return True
        return False

    def unused(self):
        return sorted(set(self.rows) - self.used)


def folder_of(name):
    if not name.startswith("src/"):
        return None
    parts = pathlib.PurePosixPath(name).parts[1:]
    for depth in (2, 1):
        folder = "/".join(parts[:depth])
        if folder in ARROWS and len(parts) > depth:
            return folder
    return None


def strip_comments(text):
    return re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), re.sub(r"//[^\n]*", "", text), flags=re.S)


def check_arrows(allow):
    for name, text in sources(".c", ".h"):
        folder = folder_of(name)
        if folder is None or name.endswith("_test.c"):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            found = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not found:
                continue
            target = found.group(1)
            allowed = {folder, folder.split("/")[0], "base"} | ARROWS[folder]
            if "/" in folder:
                allowed.discard(folder.split("/")[0])
            sibling = re.match(r"db/(sqlite|mysql|postgres)/", target)
            if sibling and not name.startswith(f"src/db/{sibling.group(1)}/") and not allow("arrow", name):
                yield f"{name}:{number}: \"{target}\" is the inside of one database engine; include db/db.h"
            if not any(target == a or target.startswith(a + "/") for a in allowed) and not allow("arrow", name):
                yield f"{name}:{number}: {folder} must not include \"{target}\"; see docs/ARCHITECTURE.md §3"


def check_libraries(allow):
    for name, text in sources(".c", ".h"):
        if name.endswith("_test.c") or not name.startswith("src/"):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            for library, home in LIBRARY_HOMES.items():
                if re.match(rf"\s*#\s*include\s+<{re.escape(library)}", line) and not re.search(home, name) \
                        and not allow("library", name):
                    yield f"{name}:{number}: <{library}> belongs to {home}"


def functions(text):
    """(first line, length) of every function: its braces stand in column 0."""
    start = None
    for number, line in enumerate(text.splitlines(), 1):
        if line == "{":
            start = number
        elif line.startswith("}") and start is not None:
            if line == "}":
                yield start - 1, number - start + 1
            start = None


def check_sizes(allow):
    for name, text in sources(".c", ".h"):
        lines = text.splitlines()
        limit = HEADER_MAX if name.endswith(".h") else FILE_MAX
        if len(lines) > limit and not allow("file-size", name):
            yield f"{name}: {len(lines)} lines, at most {limit}; is it one thing?"
        for number, line in enumerate(lines, 1):
            if len(line) > LINE_MAX and not allow("line-length", name):
                yield f"{name}:{number}: {len(line)} characters, at most {LINE_MAX}"
        for number, length in functions(text):
            if length > FUNCTION_MAX and not allow("function-size", name):
                yield f"{name}:{number}: function of {length} lines, at most {FUNCTION_MAX}; push ifs up, fors down"


def check_bans(allow):
    for name, text in sources(".c", ".h"):
        code = strip_comments(text) if "TODO" not in text else text
        for number, line in enumerate(code.splitlines(), 1):
            for pattern, home, instead in BANS:
                if not re.search(pattern, line) or (home and re.search(home, name)):
                    continue
                if pattern.startswith(r"\b(malloc") and (MALLOC_HOMES.search(name) or allow("malloc", name)):
                    continue
                if not allow("ban", name):
                    yield f"{name}:{number}: {line.strip()[:60]}: banned; {instead}"


def check_heads(allow):
    for name, text in sources(".c", ".h", ".py", ".sql", ".sh"):
        head = text.splitlines()[:2]
        if not any("SPDX-License-Identifier: Apache-2.0" in line for line in head) and not allow("spdx", name):
            yield f"{name}: first line must be the SPDX licence identifier"
        if name.endswith(".h") and re.search(r"^#pragma once", text, re.M):
            yield f"{name}: use an include guard named after the path"
        if name.endswith((".c", ".h")) and name.startswith("src/"):
            second = text.splitlines()[1:2]
            if (not second or not second[0].startswith("//")) and not allow("head", name):
                yield f"{name}:2: say in a few lines what this file is"


def check_tests(allow):
    """Every source has a test of its own, or one that is named in exceptions.txt."""
    names = {name for name, _ in sources(".c")}
    for name in sorted(names):
        if not name.startswith("src/") or name.endswith("_test.c"):
            continue
        if name[:-2] + "_test.c" not in names and not allow("untested", name):
            yield f"{name}: has no {pathlib.PurePosixPath(name).stem}_test.c; write it or name the test that covers it"


def check_registered(allow):
    """A source or test that no meson.build names is dead."""
    built = "\n".join(p.read_text() for p in ROOT.rglob("meson.build") if "build/" not in p.as_posix())
    for name, _ in sources(".c", ".py"):
        path = pathlib.PurePosixPath(name)
        stem = path.stem.removesuffix("_test")
        known = re.search(rf"['/]{re.escape(stem)}(\.c|\.py)?'", built) or re.search(rf"\b{re.escape(stem)}\b", built)
        python_test = name.startswith("tests/") and path.suffix == ".py" or name.startswith("bench/")
        if not known and not python_test and not allow("unregistered", name):
            yield f"{name}: no meson.build names it; delete it or register it"


def check_machine_paths(allow):
    for path in sorted(ROOT.rglob("*")):
        name = path.relative_to(ROOT).as_posix()
        if name.startswith((".git/", "build", "var/")) or not path.is_file() or path.suffix in {".png", ".gz"}:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if re.search(r"(?<![\w.])/(work|home|root)/[a-z]", line) and not allow("machine-path", name):
                yield f"{name}:{number}: a path of one machine: {line.strip()[:80]}"


CHECKS = [
    ("folders include only what the arrows allow", check_arrows),
    ("each library is known to one place", check_libraries),
    ("functions, files and lines keep their size", check_sizes),
    ("banned calls and marks are absent", check_bans),
    ("every file says its licence and what it is", check_heads),
    ("every source has a test", check_tests),
    ("every source is built", check_registered),
    ("no path of one machine is named", check_machine_paths),
]


def main():
    exceptions = Exceptions()
    print(f"1..{len(CHECKS) + 1}")
    bad = 0
    for number, (title, check) in enumerate(CHECKS, 1):
        findings = list(check(exceptions.allow))
        bad += bool(findings)
        print(f"{'not ok' if findings else 'ok'} {number} - {title}")
        for line in findings:
            print(f"# {line}")
    unused = exceptions.unused()
    print(f"{'not ok' if unused else 'ok'} {len(CHECKS) + 1} - every exception is still needed")
    for rule, name in unused:
        print(f"# tests/tidy/exceptions.txt: {rule} {name} is not needed any more")
    return 1 if bad or unused else 0


if __name__ == "__main__":
    sys.exit(main())
