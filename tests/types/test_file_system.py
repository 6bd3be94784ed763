# SPDX-License-Identifier: Apache-2.0
"""FILE_SYSTEM on a real file system: every operation, every failure, full disks, links exchanged meanwhile.

CHRONOS_ROUNDS scales the two long proofs: 8 copies 1 GiB, 20 runs 10,000 races (src/fs/race_test.c has as many of each
kind without a server in between).
"""
import ctypes
import gzip
import hashlib
import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import tarfile
import time
import zipfile

import pytest

from attempts import attempt, begin, end, output, refused
from chronos import Server, wait_until

ROUNDS = int(os.environ.get("CHRONOS_ROUNDS") or 1)
KEY = "00112233445566778899aabbccddeeff" * 2
MIB = 1024 * 1024


class World:
    """A server with one allowed folder, a fresh part of it for each test, and a folder outside."""

    def __init__(self, folder):
        self.folder = folder
        self.root = folder / "root"
        self.outside = folder / "outside"
        self.root.mkdir()
        self.outside.mkdir()
        (self.outside / "secret").write_text("the secret")
        self.server = Server(folder / "server", CHRONOS_FILES_ROOTS=str(self.root)).start()
        self.server.login()

    def run(self, operation, path, target=None, overwrite=False, make=False, content=None, retry_on=None, **parameters):
        payload = {"operation": operation, "path": str(path), "targetPath": target, "overwrite": overwrite,
                   "createDirectories": make, "content": content, "parameters": parameters}
        return attempt(self.server, "FILE_SYSTEM", {k: v for k, v in payload.items() if v is not None}, seconds=60)

    def fine(self, *args, **kw):
        run = self.run(*args, **kw)
        assert run["status"] == "SUCCEEDED", (run["errorMessage"], run["lines"])
        return run

    def fails(self, part, *args, **kw):
        run = self.run(*args, **kw)
        assert (run["status"], run["errorClass"]) == ("FAILED", "FILE_ERROR"), run
        assert part in run["errorMessage"], run["errorMessage"]
        return run

    def process(self, kind, path, target=None, **more):
        return self.fine("PROCESS", path, target, processingType=kind, **more)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("files"))
    yield made
    made.server.stop()


@pytest.fixture
def here(world, request):
    """The test's own folder below the root, as path and as name."""
    folder = world.root / request.node.name.split("[")[0]
    folder.mkdir()
    (folder / "tree/deep").mkdir(parents=True)
    (folder / "a.txt").write_text("hello\nworld\n")
    (folder / "tree/one.csv").write_text("id,name,amount\n1,ann,5\n2,\"b,ob\",50\n3,eve,500\n")
    (folder / "tree/deep/two.log").write_text("log" * 100)
    return folder


def names(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


# ---- each operation ----

def test_copy(world, here):
    at = here.name
    world.fine("COPY", f"{at}/a.txt", f"{at}/b.txt")
    assert (here / "b.txt").read_text() == "hello\nworld\n"
    world.fails("exists already", "COPY", f"{at}/a.txt", f"{at}/b.txt")
    (here / "a.txt").write_text("newer")
    world.fine("COPY", str(here / "a.txt"), str(here / "b.txt"), overwrite=True)
    assert (here / "b.txt").read_text() == "newer"
    world.fails("createDirectories", "COPY", f"{at}/a.txt", f"{at}/x/y/b.txt")
    world.fine("COPY", f"{at}/a.txt", f"{at}/x/y/b.txt", make=True)
    assert (here / "x/y/b.txt").exists()
    world.fine("COPY", f"{at}/a.txt", f"{at}/x/")
    assert (here / "x/a.txt").exists()


def test_copy_of_a_tree_with_attributes(world, here):
    at = here.name
    one = here / "tree/one.csv"
    one.chmod(0o640)
    os.utime(one, (1000, 2000))
    os.symlink("one.csv", here / "tree/link")
    world.fails("recursive", "COPY", f"{at}/tree", f"{at}/copy")
    run = world.fine("COPY", f"{at}/tree", f"{at}/copy", recursive=True, preserveAttributes=True, noSuchKey=1)
    assert any("noSuchKey" in line for line in output(run, "system"))
    assert names(here / "copy") == names(here / "tree")
    st = (here / "copy/one.csv").stat()
    assert (st.st_mode & 0o777, st.st_mtime) == (0o640, 2000)
    assert os.readlink(here / "copy/link") == "one.csv"
    world.fails("in the folder that is copied", "COPY", f"{at}/tree", f"{at}/tree/inner", recursive=True, make=True)
    assert not (here / "tree/inner").exists()


def test_patterns(world, here):
    at = here.name
    world.fine("COPY", f"{at}/**/*.log", f"{at}/logs", make=True)
    assert names(here / "logs") == ["tree", "tree/deep", "tree/deep/two.log"]
    world.fine("COPY", f"{at}/tree", f"{at}/some", recursive=True, pattern="*.csv, *.log", exclude=["deep"])
    assert names(here / "some") == ["one.csv"]
    (here / "odd[1].txt").write_text("x")
    world.fine("DELETE", f"{at}/odd[1].txt")
    assert not (here / "odd[1].txt").exists()


def test_move(world, here):
    at = here.name
    world.fine("MOVE", f"{at}/a.txt", f"{at}/tree/")
    assert (here / "tree/a.txt").exists() and not (here / "a.txt").exists()
    world.fine("MOVE", f"{at}/tree", f"{at}/forest")
    assert names(here) == ["forest", "forest/a.txt", "forest/deep", "forest/deep/two.log", "forest/one.csv"]
    world.fine("MOVE", f"{at}/forest/*.txt", f"{at}/texts", make=True)
    assert names(here / "texts") == ["a.txt"]
    (here / "b").write_text("b")
    world.fails("exists already", "MOVE", f"{at}/b", f"{at}/texts/a.txt")
    world.fine("MOVE", f"{at}/b", f"{at}/texts/a.txt", overwrite=True)
    assert (here / "texts/a.txt").read_text() == "b"


def test_delete(world, here):
    at = here.name
    os.symlink(world.outside, here / "tree/out")
    world.fine("DELETE", f"{at}/a.txt")
    world.fails("does not exist", "DELETE", f"{at}/a.txt")
    world.fine("DELETE", f"{at}/a.txt", ignoreMissing=True)
    world.fails("not empty", "DELETE", f"{at}/tree")
    world.fine("DELETE", f"{at}/tree", recursive=True, dryRun=True)
    assert (here / "tree/deep/two.log").exists()
    world.fine("DELETE", f"{at}/tree/**/*.log")
    assert names(here / "tree") == ["deep", "one.csv", "out"]
    world.fine("DELETE", f"{at}/tree", recursive=True)
    assert names(here) == [] and (world.outside / "secret").exists()
    world.fails("allowed folder itself", "DELETE", ".", recursive=True)


@pytest.mark.parametrize("ending", ["zip", "tar", "tar.gz", "tar.zst"])
def test_compress_and_extract(world, here, ending):
    at = here.name
    world.fine("COMPRESS", f"{at}/tree", f"{at}/t.{ending}")
    packed = here / f"t.{ending}"
    if ending == "zip":
        listed = zipfile.ZipFile(packed).namelist()
    elif ending == "tar.zst":
        plain = subprocess.run(["zstd", "-dc", packed], capture_output=True, check=True).stdout
        listed = tarfile.open(fileobj=io.BytesIO(plain)).getnames()
    else:
        listed = tarfile.open(packed).getnames()
    assert sorted(n.rstrip("/") for n in listed) == ["deep", "deep/two.log", "one.csv"]
    world.process("EXTRACT", f"{at}/t.{ending}", f"{at}/out", make=True)
    assert names(here / "out") == ["deep", "deep/two.log", "one.csv"]
    assert (here / "out/one.csv").read_bytes() == (here / "tree/one.csv").read_bytes()
    for path in [packed, *sorted((here / "out").rglob("*"), reverse=True), here / "out", here / "a.txt"]:
        path.rmdir() if path.is_dir() else path.unlink()
    for path in [*sorted((here / "tree").rglob("*"), reverse=True), here / "tree", here]:
        path.rmdir() if path.is_dir() else path.unlink()


def test_compress_one_file(world, here):
    at = here.name
    world.fine("COMPRESS", f"{at}/a.txt")
    assert gzip.decompress((here / "a.txt.gz").read_bytes()) == b"hello\nworld\n"
    world.fine("COMPRESS", f"{at}/a.txt", format="ZSTD", level=3)
    assert subprocess.run(["zstd", "-dc", here / "a.txt.zst"], capture_output=True, check=True).stdout == b"hello\nworld\n"
    world.fails("one file only", "COMPRESS", f"{at}/tree", f"{at}/tree.gz")
    world.process("EXTRACT", f"{at}/a.txt.gz", f"{at}/back.txt")
    assert (here / "back.txt").read_text() == "hello\nworld\n"


def test_extract_refuses_bombs_and_names_that_lead_out(world, here):
    at = here.name
    (here / "bomb.gz").write_bytes(gzip.compress(b"\0" * (64 * MIB)))
    started = time.monotonic()
    world.fails("maxRatio", "PROCESS", f"{at}/bomb.gz", f"{at}/bomb", processingType="EXTRACT")
    assert time.monotonic() - started < 5 and not (here / "bomb").exists()
    with tarfile.open(here / "evil.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("../../escaped"), io.BytesIO())
    world.fails("leads out", "PROCESS", f"{at}/evil.tar", f"{at}/out", processingType="EXTRACT", make=True)
    with tarfile.open(here / "links.tar", "w") as tar:
        link = tarfile.TarInfo("dir")
        link.type, link.linkname = tarfile.SYMTYPE, str(world.outside)
        tar.addfile(link)
        file = tarfile.TarInfo("dir/secret")
        file.size = 1
        tar.addfile(file, io.BytesIO(b"x"))
    world.process("EXTRACT", f"{at}/links.tar", f"{at}/links", make=True)
    assert (world.outside / "secret").read_text() == "the secret"
    assert (here / "links/dir/secret").read_text() == "x"


def test_read_write_list(world, here):
    at = here.name
    assert output(world.fine("READ", f"{at}/a.txt")) == ["hello", "world"]
    assert output(world.fine("READ", f"{at}/a.txt", maxBytes=3)) == ["hel"]
    assert output(world.fine("READ", f"{at}/a.txt", encoding="BASE64")) == ["aGVsbG8Kd29ybGQK"]
    world.fine("WRITE", f"{at}/w", content="run {{run.id}}", mode="0640")
    assert len((here / "w").read_text()) == 30 and (here / "w").stat().st_mode & 0o777 == 0o640
    world.fails("exists already", "WRITE", f"{at}/w", content="again")
    world.fine("WRITE", f"{at}/w", content="again", overwrite=True)
    assert (here / "w").stat().st_mode & 0o777 == 0o640
    world.fine("WRITE", f"{at}/w", content="+", append=True)
    assert (here / "w").read_text() == "again+"
    world.fine("WRITE", f"{at}/bytes", content="AAEC/w==", encoding="BASE64")
    assert (here / "bytes").read_bytes() == b"\0\1\2\xff"
    run = world.fine("LIST", at, recursive=True)
    assert output(run) == names(here)
    context = next(line["context"] for line in run["lines"] if line["message"] == "a.txt")
    context = json.loads(context) if isinstance(context, str) else context
    assert (context["type"], context["size"]) == ("FILE", 12)
    assert len(output(world.fine("LIST", f"{at}/*", maxEntries=2))) == 2
    world.fails("does not exist", "READ", f"{at}/none")
    world.fails("is a folder", "READ", f"{at}/tree")


def test_csv_transform(world, here):
    at = here.name
    world.process("CSV_TRANSFORM", f"{at}/tree/one.csv", f"{at}/out.csv", columns=["name", "id"], rename={"name": "who"},
                  filter="amount > 10 and id != 3", outputDelimiter=";")
    assert (here / "out.csv").read_text() == "who;id\nb,ob;2\n"
    world.fails("no column \"nam\"", "PROCESS", f"{at}/tree/one.csv", f"{at}/x.csv", processingType="CSV", columns="nam")
    (here / "bad.csv").write_text("a,b\n\"1,2\n")
    world.fails("not closed", "PROCESS", f"{at}/bad.csv", f"{at}/x.csv", processingType="CSV")
    assert not (here / "x.csv").exists()


def test_split(world, here):
    at = here.name
    world.process("SPLIT", f"{at}/tree/one.csv", f"{at}/parts", lines=2, header=True, make=True)
    assert (here / "parts/one-0001.csv").read_text() == "id,name,amount\n1,ann,5\n2,\"b,ob\",50\n"
    assert (here / "parts/one-0002.csv").read_text() == "id,name,amount\n3,eve,500\n"
    manifest = json.loads((here / "parts/one.csv.manifest.json").read_text())
    for part in manifest["parts"]:
        content = (here / "parts" / part["name"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (part["bytes"], part["sha256"])
    world.process("SPLIT", f"{at}/tree/deep/two.log", f"{at}/bytes", size="128B", make=True)
    assert [len((here / f"bytes/two-000{i}.log").read_bytes()) for i in (1, 2, 3)] == [128, 128, 44]


def test_encrypt_and_decrypt(world, here):
    at = here.name
    world.process("ENCRYPT", f"{at}/a.txt", f"{at}/a.sealed", key=KEY)
    assert b"hello" not in (here / "a.sealed").read_bytes()
    world.process("DECRYPT", f"{at}/a.sealed", f"{at}/back", key=KEY)
    assert (here / "back").read_text() == "hello\nworld\n"
    world.fails("cannot be decrypted", "PROCESS", f"{at}/a.sealed", f"{at}/no", processingType="DECRYPT", key=KEY[::-1])
    (here / "a.sealed").write_bytes((here / "a.sealed").read_bytes()[:-1])
    run = world.fails("cannot be decrypted", "PROCESS", f"{at}/a.sealed", f"{at}/no", processingType="DECRYPT", key=KEY)
    assert not (here / "no").exists() and KEY not in json.dumps(run)


def test_checksum_and_verify(world, here):
    at = here.name
    world.process("CHECKSUM", f"{at}/tree", f"{at}/SUMS", recursive=True)
    assert subprocess.run(["sha256sum", "-c", "--quiet", "../SUMS"], cwd=here / "tree").returncode == 0
    world.process("VERIFY", f"{at}/tree", baseline=f"{at}/SUMS")
    (here / "tree/deep/two.log").write_text("changed")
    (here / "tree/one.csv").unlink()
    run = world.fails("1 files differ", "PROCESS", f"{at}/tree", processingType="VERIFY", baseline=f"{at}/SUMS")
    assert any("deep/two.log" in line for line in output(run, "system"))


def test_cleanup_and_sync(world, here):
    at = here.name
    world.process("SYNC", f"{at}/tree", f"{at}/mirror", make=True)
    assert names(here / "mirror") == names(here / "tree")
    (here / "mirror/extra").write_text("x")
    (here / "tree/one.csv").write_text("changed")
    run = world.process("SYNC", f"{at}/tree", f"{at}/mirror", deleteExtra=True)
    assert (here / "mirror/one.csv").read_text() == "changed" and not (here / "mirror/extra").exists()
    assert sum("copied" in line for line in output(run, "system")) == 1
    os.utime(here / "mirror/deep/two.log", (1000, 1000))
    world.process("CLEANUP", f"{at}/mirror", olderThan="7d", recursive=True, pattern="*.log", dryRun=True)
    assert (here / "mirror/deep/two.log").exists()
    world.process("CLEANUP", f"{at}/mirror", olderThanDays=7, recursive=True, pattern="*.log")
    assert names(here / "mirror") == ["deep", "one.csv"]


# ---- waiting for files ----

def watch(world, path, **parameters):
    parameters = {"settleSeconds": 0.1, "waitSeconds": 30, **parameters}
    return begin(world.server, "FILE_SYSTEM", {"operation": "WATCH", "path": str(path), "parameters": parameters})


def running(world, run):
    wait_until(lambda: world.server.call("GET", f"/runs/{run}").json["status"] == "RUNNING", what="the run")


def test_watch_ends_when_a_file_comes(world, here):
    at = here.name
    run = watch(world, f"{at}/**/*.in")
    running(world, run)
    (here / "tree/other").write_text("x")
    (here / "tree/deep/new.in").write_text("x")
    ended = end(world.server, run)
    assert ended["status"] == "SUCCEEDED", ended
    assert output(ended) == [f"{at}/tree/deep/new.in"]


def test_watch_waits_until_the_writer_is_quiet(world, here):
    at = here.name
    run = watch(world, f"{at}/*.in", settleSeconds=0.5)
    running(world, run)
    with open(here / "slow.in", "w") as file:
        for _ in range(5):
            file.write("x" * 100)
            file.flush()
            assert world.server.call("GET", f"/runs/{run}").json["status"] == "RUNNING"
    ended = end(world.server, run)
    assert next(line["context"] for line in ended["lines"] if line["stream"] == "stdout") is not None
    assert "500" in json.dumps([line["context"] for line in ended["lines"]])


def test_watch_reports_each_change_once(world, here):
    at = here.name
    other = world.server.create(name="told", type="DUMMY", schedule={"scheduleType": "MANUAL"}, payload={})
    job = world.server.create(name="watcher", type="FILE_SYSTEM", schedule={"scheduleType": "MANUAL"}, payload={
        "operation": "WATCH", "path": f"{at}/*.in", "parameters": {"settleSeconds": 0.1, "waitSeconds": 10,
                                                                   "startJob": other["id"]}})

    def once():
        run = end(world.server, world.server.call("POST", f"/jobs/{job['id']}:run-now", {}).json["id"])
        assert run["status"] == "SUCCEEDED", run
        return output(run)

    (here / "1.in").write_text("x")
    (here / "2.in").write_text("x")
    assert sorted(once()) == [f"{at}/1.in", f"{at}/2.in"]
    (here / "2.in").write_text("changed")
    (here / "a.txt").rename(here / "3.in")  # old content, new here
    assert sorted(once()) == [f"{at}/2.in", f"{at}/3.in"]
    wait_until(lambda: len(world.server.runs(other["id"], "SUCCEEDED")) == 2, what="the two runs that were started")


def test_watch_times_out_and_is_cancelled(world, here):
    ended = end(world.server, watch(world, f"{here.name}/*.none", waitSeconds=0.2))
    assert (ended["status"], ended["errorClass"]) == ("TIMED_OUT", "TIMEOUT")
    run = watch(world, f"{here.name}/*.none")
    running(world, run)
    started = time.monotonic()
    assert world.server.call("POST", f"/runs/{run}:cancel").status < 300
    assert end(world.server, run)["status"] == "CANCELLED"
    assert time.monotonic() - started < 5


# ---- what is refused ----

def test_bad_payloads_are_refused_at_save(world):
    faults = refused(world.server, "FILE_SYSTEM", {
        "operation": "COPY", "path": "/etc/passwd", "targetPath": "../x",
        "parameters": {"recursive": "perhaps", "pattern": "[a"}})
    assert set(faults) == {"/payload/path", "/payload/targetPath", "/payload/parameters/recursive",
                           "/payload/parameters/pattern"}
    assert "files.roots" in faults["/payload/path"]
    for payload, pointer in [
            ({"operation": "FLY", "path": "a"}, "/payload/operation"),
            ({"operation": "COPY", "path": "a"}, "/payload/targetPath"),
            ({"operation": "READ", "path": "a\0b"}, ""),
            ({"operation": "READ", "path": "x" * 4097}, "/payload/path"),
            ({"operation": "READ", "path": "x" * 256}, "/payload/path"),
            ({"operation": "WRITE", "path": "a"}, "/payload/content"),
            ({"operation": "PROCESS", "path": "a", "parameters": {"processingType": "WHAT"}},
             "/payload/parameters/processingType"),
            ({"operation": "PROCESS", "path": "a", "targetPath": "b", "parameters": {"processingType": "ENCRYPT"}},
             "/payload/parameters/key"),
            ({"operation": "PROCESS", "path": "a", "targetPath": "b", "parameters": {"processingType": "SPLIT"}},
             "/payload/parameters"),
            ({"operation": "PROCESS", "path": "a", "parameters": {"processingType": "CLEANUP"}},
             "/payload/parameters/olderThan")]:
        answer = world.server.call("POST", "/jobs", {"name": "no", "type": "FILE_SYSTEM", "payload": payload,
                                                     "schedule": {"scheduleType": "MANUAL"}})
        assert answer.status == 400, (payload, answer.body)
        assert pointer in answer.body.decode(), answer.body


@pytest.mark.parametrize("path,part", [
    ("{{param.p}}", "outside the allowed folders"), ("x/{{param.p}}", "..")])
def test_bad_paths_of_templates_fail_at_run_time(world, path, part):
    run = attempt(world.server, "FILE_SYSTEM", {"operation": "READ", "path": path},
                  parameters={"p": "../../etc/passwd" if "/" in path else "/etc/passwd"})
    assert (run["status"], run["errorClass"]) == ("FAILED", "FILE_ERROR") and part in run["errorMessage"], run


def test_links_that_lead_out_are_not_followed(world, here):
    at = here.name
    os.symlink(world.outside, here / "abs")
    os.symlink("../../outside", here / "rel")
    os.symlink("/proc/self/root/etc/passwd", here / "proc")
    os.symlink("tree", here / "inside")
    os.mkfifo(here / "pipe")
    for link in ("abs", "rel"):
        world.fails("leads out", "READ", f"{at}/{link}/secret")
        world.fails("leads out", "COPY", f"{at}/a.txt", f"{at}/{link}/new", make=True)
        world.fails("leads out", "WRITE", f"{at}/{link}/new", content="x", make=True)
        world.fails("leads out", "DELETE", f"{at}/{link}/secret")
        world.fails("leads out", "LIST", f"{at}/{link}")
    world.fails("leads out", "READ", f"{at}/proc")
    world.fails("no regular file", "READ", f"{at}/pipe")
    world.fine("READ", f"{at}/inside/one.csv")
    world.fine("COPY", at, f"{at}-copy", recursive=True)
    assert names(world.outside) == ["secret"]
    assert "pipe" not in names(world.root / f"{at}-copy")


def test_permission_is_a_failure_of_its_own(world, here, tmp_path):
    if os.geteuid() != 0:
        (here / "a.txt").chmod(0)
        world.fails("may not", "READ", f"{here.name}/a.txt")
        return
    # For root nothing is forbidden, but what is immutable or read-only.
    if subprocess.run(["chattr", "+i", here / "a.txt"], capture_output=True).returncode:
        pytest.skip("this file system has no immutable files, and to root all others are open")
    try:
        run = world.fails("may not", "DELETE", f"{here.name}/a.txt")
        assert "a.txt" in run["errorMessage"]
    finally:
        subprocess.run(["chattr", "-i", here / "a.txt"], check=True)


# ---- full disk, another device, killed in the middle ----

@pytest.fixture
def small(tmp_path):
    """A server whose root holds another, full-size-1-MiB file system "small", in a mount namespace of its own."""
    root = tmp_path / "root"
    (root / "small").mkdir(parents=True)
    script = f"mount -t tmpfs -o size=1m tmpfs {root}/small && exec \"$0\" \"$@\""
    prefix = ("unshare", "--mount", "--propagation", "private", "sh", "-c", script)
    probe = subprocess.run([*prefix, "true"], capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"no file system can be mounted here: {probe.stderr.strip()}")
    server = Server(tmp_path / "server", CHRONOS_FILES_ROOTS=str(root))
    server.prefix = prefix
    server.start().login()
    made = World.__new__(World)
    made.folder, made.root, made.server = tmp_path, root, server
    made.inside = pathlib.Path(f"/proc/{server.process.pid}/root{root}/small")
    yield made
    server.stop()


def test_full_disk_is_named_and_leaves_nothing(small):
    (small.root / "big").write_bytes(os.urandom(3 * MIB))
    for args in [("COPY", "big", "small/big"), ("COMPRESS", "big", "small/big.zip"), ("MOVE", "big", "small/big")]:
        small.fails("no space is left", *args)
        assert list(small.inside.iterdir()) == []
    small.fails("no space is left", "PROCESS", "big", "small/sealed", processingType="ENCRYPT", key=KEY)
    small.fails("no space is left", "PROCESS", "big", "small", processingType="SPLIT", size="2MB")
    assert list(small.inside.iterdir()) == []
    small.fine("WRITE", "small/fits", content="x")
    assert (small.root / "big").exists()


def test_the_system_s_name_is_the_error_code(small):
    (small.root / "big").write_bytes(os.urandom(2 * MIB))
    job = small.server.create(name="full", type="FILE_SYSTEM", schedule={"scheduleType": "MANUAL"},
                              payload={"operation": "COPY", "path": "big", "targetPath": "small/big"},
                              retryPolicy={"maxAttempts": 2, "backoffSeconds": 0, "retryOn": ["ENOSPC"]})
    assert small.server.call("POST", f"/jobs/{job['id']}:run-now", {}).status == 202
    wait_until(lambda: [r["attempt"] for r in small.server.runs(job["id"], "FAILED")] in ([2, 1], [1, 2]),
               what="the second attempt, for ENOSPC alone")


def test_move_to_another_device(small):
    (small.root / "tree/deep").mkdir(parents=True)
    (small.root / "tree/deep/a").write_text("a")
    (small.root / "b").write_text("b")
    os.utime(small.root / "b", (1000, 2000))
    os.symlink("deep/a", small.root / "tree/link")
    small.fine("MOVE", "b", "small/")
    assert (small.inside / "b").read_text() == "b" and (small.inside / "b").stat().st_mtime == 2000
    small.fine("MOVE", "tree", "small/tree")
    assert (small.inside / "tree/deep/a").read_text() == "a" and os.readlink(small.inside / "tree/link") == "deep/a"
    assert names(small.root) == ["small"]


def many_files(folder, count):
    folder.mkdir()
    for i in range(count):
        (folder / f"{i:05}").write_text("x")


def test_a_big_copy_is_cancelled_in_the_middle(world, here):
    count = 2000
    many_files(here / "many", count)
    run = begin(world.server, "FILE_SYSTEM", {"operation": "COPY", "path": f"{here.name}/many",
                                              "targetPath": f"{here.name}/copy", "parameters": {"recursive": True}})
    wait_until(lambda: (here / "copy").exists() and any((here / "copy").iterdir()), what="the first file")
    started = time.monotonic()
    assert world.server.call("POST", f"/runs/{run}:cancel").status < 300
    assert end(world.server, run)["status"] == "CANCELLED"
    assert time.monotonic() - started < 5
    copied = list((here / "copy").iterdir())
    assert 0 < len(copied) < count and all(p.read_text() == "x" for p in copied)


def test_a_long_read_is_cancelled_in_the_middle(world, here):
    with open(here / "huge", "w") as file:
        file.truncate(1 << 40)
    run = begin(world.server, "FILE_SYSTEM", {"operation": "PROCESS", "path": f"{here.name}/huge",
                                              "parameters": {"processingType": "CHECKSUM"}}, timeoutSeconds=1)
    ended = end(world.server, run)
    assert (ended["status"], ended["errorClass"]) == ("TIMED_OUT", "TIMEOUT")
    (here / "huge").unlink()


def test_a_killed_server_leaves_nothing_half(tmp_path):
    world = World(tmp_path)
    try:
        many_files(world.root / "many", 600)
        begin(world.server, "FILE_SYSTEM", {"operation": "COPY", "path": "many", "targetPath": "copy",
                                            "overwrite": True, "parameters": {"recursive": True}})
        wait_until(lambda: (world.root / "copy").exists() and any((world.root / "copy").iterdir()), what="the first file")
        world.server.kill()
        left = list((world.root / "copy").iterdir())
        assert all(p.read_text() == "x" for p in left)
        (world.root / "copy/.chronos-00000000deadbeef.part").write_text("ha")  # as where files cannot be unnamed
        world.server.start().login()
        world.fine("COPY", "many", "copy", overwrite=True, recursive=True)
        assert len(list((world.root / "copy").iterdir())) == 600
    finally:
        world.server.stop()


# ---- links exchanged meanwhile ----

SWAPPER = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
a, b = sys.argv[1].encode(), sys.argv[2].encode()
while True:
    libc.renameat2(-100, a, -100, b, 2)
"""


def test_nobody_gets_out_by_exchanging_links(world, here):
    at, root, runs = here.name, here, []
    (here / "d").mkdir()
    (here / "d/secret").write_text("harmless")
    os.symlink(world.outside, here / "l")
    swapper = subprocess.Popen([sys.executable, "-c", SWAPPER, str(here / "d"), str(here / "l")])
    try:
        attacks = [{"operation": "READ", "path": f"{at}/d/secret"},
                   {"operation": "COPY", "path": f"{at}/a.txt", "targetPath": f"{at}/d/new/x", "createDirectories": True,
                    "overwrite": True},
                   {"operation": "COPY", "path": f"{at}/d", "targetPath": f"{at}/taken", "overwrite": True,
                    "parameters": {"recursive": True}},
                   {"operation": "DELETE", "path": f"{at}/d/new", "parameters": {"recursive": True}},
                   {"operation": "WRITE", "path": f"{at}/d/written", "content": "x", "overwrite": True}]
        jobs = [world.server.create(name=f"attack-{i}", type="FILE_SYSTEM", schedule={"scheduleType": "MANUAL"},
                                    concurrencyPolicy="ALLOW", payload=p) for i, p in enumerate(attacks)]
        for _ in range(100 * ROUNDS):
            for job in jobs:
                answer = world.server.call("POST", f"/jobs/{job['id']}:run-now", {})
                assert answer.status == 202, answer.body
                runs.append(answer.json["id"])
        wait_until(lambda: all(r["status"] in ("SUCCEEDED", "FAILED") for j in jobs for r in world.server.runs(j["id"])),
                   seconds=60 * ROUNDS, what="the end of all runs")
    finally:
        swapper.kill()
        swapper.wait()
    assert names(world.outside) == ["secret"]
    assert (world.outside / "secret").read_text() == "the secret"
    for path in (root / "taken").rglob("secret") if (root / "taken").is_dir() else []:
        assert path.is_symlink() or path.read_text() == "harmless"
    reads = world.server.runs(jobs[0]["id"])
    ended = [end(world.server, r["id"]) for r in reads[:20]]
    assert all("the secret" not in json.dumps(r["lines"]) for r in ended)


# ---- memory ----

def memory_kib(pid, what):
    return next(int(line.split()[1]) for line in open(f"/proc/{pid}/status") if line.startswith(what))


def test_a_large_copy_needs_little_memory(world, here):
    block = os.urandom(MIB)
    with open(here / "large", "wb") as file:
        for _ in range(128 * min(ROUNDS, 8)):
            file.write(block)
    pid = world.server.process.pid
    world.fine("COPY", f"{here.name}/a.txt", f"{here.name}/warm")
    for target, more in [("copy", {}), ("sealed", {"processingType": "ENCRYPT", "key": KEY}), ("large.zst", None)]:
        pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")  # the highest figure starts anew
        before = memory_kib(pid, "VmRSS")
        operation = "COMPRESS" if more is None else "PROCESS" if more else "COPY"
        world.fine(operation, f"{here.name}/large", f"{here.name}/{target}", **(more or {}))
        grown = memory_kib(pid, "VmHWM") - before
        assert grown <= 32 * 1024, (target, grown)
        (here / target).unlink()
    (here / "large").unlink()
