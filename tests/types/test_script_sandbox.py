# SPDX-License-Identifier: Apache-2.0
"""What a script may not do, each tried by a real script: reach the server's files, other processes, the network, more
than its limits; run on after its end; break out through its parameters."""
import ctypes
import json
import os
import pathlib
import socket
import threading

import pytest

from attempts import attempt, begin, end, output, refused
from chronos import Server, wait_until

LANDLOCK_VERSION = ctypes.CDLL(None).syscall(444, None, 0, 1)
CREDENTIAL = "canary-4711-of-the-server"

needs_landlock = pytest.mark.skipif(LANDLOCK_VERSION <= 0, reason="this kernel has no landlock")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sandbox")
    root = folder / "root"
    root.mkdir()
    made = Server(folder / "server", CHRONOS_FILES_ROOTS=str(root), SOME_CREDENTIAL=CREDENTIAL)
    made.root = root
    made.start().login()
    yield made
    made.stop()


def script(server, text, seconds=20, parameters=None, timeout=60, **payload):
    return attempt(server, "SCRIPT", {"script": text, **payload}, parameters, seconds, timeoutSeconds=timeout)


def context(run):
    line = next(line for line in run["lines"] if line["message"].startswith("script "))
    return line["context"] if isinstance(line["context"], dict) else json.loads(line["context"])


# ---- walls ----

@needs_landlock
@pytest.mark.parametrize("level", ["RESTRICTED", "STRICT"])
def test_the_servers_files_are_closed(server, level):
    data = server.folder / "data"
    text = f"""#!/usr/bin/env python3
import os
for path in ({str(data)!r}, {str(data / 'chronos.db')!r}, {str(server.folder / 'admin-password')!r}, "/etc/shadow", "/root",
             "/proc/1/environ", "/proc/{server.process.pid}/environ"):
    try:
        os.listdir(path) if os.path.isdir(path) else open(path).read(1)
        print("READ", path)
    except OSError as e:
        print("closed", type(e).__name__, path)
for path in ({str(data / 'x')!r}, "/etc/x", "/usr/x", "/tmp/x", "/var/tmp/x"):
    try:
        open(path, "w")
        print("WROTE", path)
    except OSError as e:
        print("closed", type(e).__name__, path)
try:
    os.truncate({str(data / 'chronos.db')!r}, 0)
    print("TRUNCATED")
except OSError:
    print("closed truncate")
open("mine", "w").write("x")
os.makedirs("a/b")
print("own folder is", open("mine").read(), os.getcwd() == os.environ["HOME"])
"""
    run = script(server, text, limits={"sandbox": level})
    assert run["status"] == "SUCCEEDED", run["lines"]
    lines = output(run)
    assert not [line for line in lines if line.startswith(("READ", "WROTE", "TRUNC"))], lines
    assert len([line for line in lines if line.startswith("closed")]) == 13, "\n".join(lines)
    assert "own folder is x True" in lines
    assert (data / "chronos.db").stat().st_size > 0
    assert script(server, f"cat {data}/chronos.db | head -c 15", limits={"sandbox": "NONE"})["status"] == "SUCCEEDED"


@needs_landlock
def test_listed_paths_are_open_as_far_as_they_say_and_below_the_roots_only(server):
    for name in ("in", "out", "cwd"):
        (server.root / name).mkdir(exist_ok=True)
    (server.root / "in/file").write_text("given")
    (server.root / "elsewhere").symlink_to(server.folder / "data")
    text = (f"cat {server.root}/in/file; echo x > {server.root}/in/new || echo read-only; echo y > {server.root}/out/new; "
            f"echo z > here; pwd; ls {server.root} || echo closed")
    run = script(server, text, workingDirectory=f"{server.root}/cwd",
                 limits={"sandbox": "STRICT", "readPaths": [f"{server.root}/in"], "writePaths": [f"{server.root}/out"]})
    assert output(run) == ["given" + "read-only", str(server.root / "cwd"), "closed"], run["lines"]
    assert (server.root / "out/new").read_text() == "y\n" and (server.root / "cwd/here").exists()
    for limits, more in (({"writePaths": ["/"]}, {}), ({"readPaths": [str(server.folder / "data")]}, {}),
                         ({"writePaths": [str(server.root / "elsewhere")]}, {}),
                         ({"readPaths": [f"{server.root}/../server"]}, {}),
                         ({}, {"workingDirectory": str(server.folder / "data")})):
        run = script(server, "ls", limits={"sandbox": "RESTRICTED", **limits}, **more)
        assert run["status"] == "FAILED" and run["errorClass"] == "SCRIPT_ERROR"
        assert "files.roots" in run["errorMessage"], run["errorMessage"]


@needs_landlock
@pytest.mark.parametrize("level", ["RESTRICTED", "STRICT"])
def test_calls_that_reach_past_the_script_are_refused(server, level):
    text = f"""#!/usr/bin/env python3
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *args):
    r = libc.syscall(*args)
    print(name, "DONE" if r >= 0 else os.strerror(ctypes.get_errno()))
call("ptrace", 101, 16, {server.process.pid}, 0, 0)
call("mount", 165, b"none", b"/mnt", b"tmpfs", 0, 0)
call("unshare", 272, 0x10000000)
call("bpf", 321, 0, 0, 0)
call("keyctl", 250, 0, -3, 0)
call("io_uring", 425, 8, 0)
call("init_module", 175, 0, 0, 0)
call("reboot", 169, 0, 0, 0, 0)
call("process_vm_readv", 310, {server.process.pid}, 0, 0, 0, 0, 0)
call("clone", 56, 0x10000000 | 17, 0, 0, 0, 0)
call("x32", 0x40000000 | 39)
call("chroot", 161, b"/")
print("threads and children", os.waitstatus_to_exitcode(os.system("true | cat")))
"""
    if os.uname().machine != "x86_64":
        pytest.skip("numbers of system calls are of x86_64")
    run = script(server, text, limits={"sandbox": level})
    lines = output(run)
    assert run["status"] == "SUCCEEDED" and len(lines) == 13, (run, lines)
    assert not [line for line in lines if "DONE" in line], lines
    assert lines[-1] == "threads and children 0"


@needs_landlock
def test_signals_do_not_leave_the_sandbox(server):
    if LANDLOCK_VERSION < 6:
        pytest.skip("landlock of this kernel knows no signals")
    run = script(server, f"kill -0 {server.process.pid} && echo REACHED || echo closed; sleep 5 & kill $! && echo own",
                 limits={"sandbox": "RESTRICTED"})
    assert output(run) == ["closed", "own"], run["lines"]


def test_the_network_can_be_taken_away(server):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        listener.settimeout(0.2)
        port = listener.getsockname()[1]
        text = f"""#!/usr/bin/env python3
import socket
for family, address in ((socket.AF_INET, ("127.0.0.1", {port})), (socket.AF_INET6, ("::1", {port}))):
    try:
        socket.socket(family).connect(address)
        print("CONNECTED")
    except PermissionError:
        print("closed")
    except OSError as e:
        print(e)
"""
        for limits, expected in (({"network": False}, "closed"), ({"sandbox": "RESTRICTED", "network": False}, "closed"),
                                 ({"sandbox": "STRICT"}, "closed"), ({"sandbox": "RESTRICTED"}, "CONNECTED"), ({}, "CONNECTED")):
            if LANDLOCK_VERSION <= 0 and "sandbox" in limits:
                continue
            assert output(script(server, text, limits=limits))[0] == expected, limits
        for _ in range(2):
            listener.accept()
        with pytest.raises(TimeoutError):
            listener.accept()


@needs_landlock
@pytest.mark.parametrize("level", ["RESTRICTED", "STRICT"])
def test_usual_interpreters_work_in_the_sandbox(server, level):
    for text, line in (("#!/bin/sh\necho $((1+1)) | sed s/2/two/; ls /usr >/dev/null", "two"),
                       ("#!/bin/bash\nset -o pipefail; x=$(printf 'b\\na\\n' | sort | head -1); echo $x", "a"),
                       ("#!/usr/bin/env python3\nimport concurrent.futures as f, subprocess, tempfile, json, ssl, sqlite3\n"
                        "sqlite3.connect('x.db').execute('create table t(a)')\n"
                        "with f.ThreadPoolExecutor(4) as p: print(sum(p.map(len, ['a']*9)))\n"
                        "subprocess.run(['/bin/true'], check=True)\ntempfile.TemporaryFile().write(b'x')", "9"),
                       ("#!/usr/bin/perl\nprint join(',', map { $_*2 } 1..3), \"\\n\"", "2,4,6")):
        run = script(server, text, limits={"sandbox": level})
        assert run["status"] == "SUCCEEDED" and output(run)[-1:] == [line], (text, run["lines"])


@needs_landlock
def test_the_server_decides_the_least_level(tmp_path):
    server = Server(tmp_path, CHRONOS_SCRIPT_SANDBOX="restricted").start()
    try:
        server.login()
        for limits in ({}, {"sandbox": "NONE"}, {"sandbox": "NONE", "bestEffort": True}):
            run = script(server, f"cat {tmp_path}/data/chronos.db >/dev/null && echo READ || echo closed", limits=limits)
            assert output(run) == ["closed"], run["lines"]
    finally:
        server.stop()


# ---- limits ----

def test_a_fork_bomb_is_held(server):
    groups = os.geteuid() != 0 or os.access("/sys/fs/cgroup/pids", os.W_OK)
    bomb = "#!/bin/bash\nbomb() { bomb | bomb & }; bomb; sleep 2; echo over"
    run = script(server, bomb, limits={"processes": 64}, timeout=10)
    if not groups:
        assert run["errorCode"] == "SANDBOX_UNAVAILABLE"
        pytest.skip("root's processes are bounded by control groups only, which this machine does not offer")
    assert run["status"] in ("SUCCEEDED", "FAILED", "TIMED_OUT")
    assert any("fork" in line or "esource" in line for line in output(run, "stderr")), run["lines"][:5]
    wait_until(lambda: not children_named(server, "bomb"), what="the end of the bomb")
    assert script(server, "echo alive")["status"] == "SUCCEEDED"
    assert not [p for p in pathlib.Path("/sys/fs/cgroup").rglob("chronos-*-*") if f"chronos-{spawner_of(server)}-" in p.name]


def test_a_memory_bomb_is_held(server):
    run = script(server, "#!/usr/bin/env python3\nx = []\nwhile True: x.append(b'x' * (1 << 20))\n",
                 limits={"memoryBytes": 200 << 20})
    assert run["status"] == "FAILED" and run["errorClass"] == "SCRIPT_ERROR"
    assert 20 << 20 < context(run)["peakMemoryBytes"] < 210 << 20, context(run)


def test_cpu_time_files_and_open_files_are_held(server):
    run = script(server, "#!/usr/bin/env python3\nwhile True: pass", limits={"cpuSeconds": 1})
    assert run["status"] == "FAILED" and context(run)["signal"] in (9, 24)
    assert 500 <= context(run)["cpuMs"] <= 2000
    run = script(server, "head -c 100000 /dev/zero > big; stat -c %s big", limits={"fileBytes": 4096})
    assert output(run)[-1] == "4096"
    run = script(server, "ulimit -n", limits={"openFiles": 32})
    assert output(run) == ["32"]


def test_children_count_towards_cpu_time(server):
    run = script(server, "#!/bin/bash\n(timeout 1 bash -c 'while :; do :; done') & wait; exit 0")
    assert run["status"] == "SUCCEEDED" and context(run)["cpuMs"] >= 300, context(run)


def test_endless_output_is_cut_and_ended(server):
    run = script(server, "yes 0123456789012345678901234567890123456789", timeout=3, seconds=60)
    assert run["status"] == "TIMED_OUT"
    size = sum(len(line["message"]) for line in run["lines"])
    assert 1 << 20 < size < 11 << 20, size


def test_a_script_that_ignores_signals_is_ended(server):
    run_id = begin(server, "SCRIPT", {"script": "#!/bin/bash\ntrap '' TERM INT HUP QUIT\necho begun\n"
                                                "while :; do sleep 1; done"})
    run = server.call("GET", f"/runs/{run_id}").json
    wait_until(lambda: server.call("GET", f"/jobs/{run['jobId']}/runs/{run_id}/logs").json["content"], what="its line")
    assert server.call("POST", f"/runs/{run_id}:cancel").status in (200, 202)
    assert end(server, run_id, seconds=8)["status"] == "CANCELLED"


def test_daemons_do_not_outlive_the_run(server, tmp_path):
    mark = f"9{os.getpid()}.25"
    run = script(server, f"setsid nohup sleep {mark} >/dev/null 2>&1 &\n(setsid sh -c 'setsid sleep {mark} & exit' &)\n"
                         "python3 -c 'import os,time\nif os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\n"
                         f"os.execvp(\"sleep\", [\"sleep\", \"{mark}\"])'\nsleep 0.3\n")
    assert run["status"] == "SUCCEEDED"
    assert not [p for p in pathlib.Path("/proc").glob("[0-9]*/cmdline") if mark.encode() in read(p)]


# ---- leaks and injection ----

def test_nothing_of_the_server_leaks_into_a_script(server):
    run = script(server, "env; ls -l /proc/self/fd | grep -v /proc | tail -n +2; umask; cat /proc/self/status | grep NoNewPrivs",
                 limits={"sandbox": "NONE"})
    text = "\n".join(output(run))
    assert CREDENTIAL not in text and "CHRONOS_ADMIN" not in text and "admin-password" not in text
    assert "chronos.db" not in text and "socket:" not in text and "NoNewPrivs:\t1" in text
    names = {line.split("=")[0] for line in text.splitlines() if line.split("=")[0].isupper() and "=" in line}
    assert {n for n in names if not n.startswith("CHRONOS_")} <= {"PATH", "LANG", "HOME", "TMPDIR", "PWD", "OLDPWD",
                                                                 "SHLVL", "_"}


def test_parameters_are_never_code(server, tmp_path):
    canary = tmp_path / "canary"
    evil = [f"$(touch {canary})", f"`touch {canary}`", f"; touch {canary} #", f"' ; touch {canary} ; '", "-rf /", "\n\ttouch x",
            f"\" && touch {canary} && \"", "../../../../etc/passwd", "%n%s", "é✓"]
    for value in evil:
        run = script(server, "printf '%s|' \"$1\" \"$CHRONOS_PARAM_X\" \"$Y\"", args=["{{param.x}}"],
                     environment={"Y": "{{param.x}}"}, parameters={"x": value})
        assert run["status"] == "SUCCEEDED", run
        assert "\n".join(output(run)) == f"{value}|{value}|{value}|", (value, output(run))
    assert not canary.exists()
    assert "/payload/script" in refused(server, "SCRIPT", {"script": "echo {{param.x}}"})
    run = script(server, "pwd", workingDirectory="{{param.x}}", parameters={"x": "relative"})
    assert run["status"] == "FAILED"
    run = script(server, "env", parameters={"LD_PRELOAD": "/x.so", "path": "/evil", "a=b": "c"})
    lines = output(run)
    assert "CHRONOS_PARAM_LD_PRELOAD=/x.so" in lines and "CHRONOS_PARAM_A_B=c" in lines
    assert not [line for line in lines if line.startswith(("LD_PRELOAD", "PATH=/evil"))]


def test_faults_of_limits_are_told_at_save(server):
    faults = refused(server, "SCRIPT", {"script": "x", "workingDirectory": "here", "limits": {
        "readPaths": ["relative"], "memoryBytes": 1 << 30, "memoryMb": 5, "fileBytes": 1, "fileMb": 1}})
    assert set(faults) == {"/payload/workingDirectory", "/payload/limits/readPaths/0", "/payload/limits/memoryMb",
                           "/payload/limits/fileMb"}
    faults = refused(server, "SCRIPT", {"script": "x", "limits": {"sandbox": "NOWHERE", "cpuSeconds": 0, "nice": 1}})
    assert set(faults) == {"/payload/limits/sandbox", "/payload/limits/cpuSeconds", "/payload/limits/nice"}


def test_many_bad_scripts_at_once_do_not_stop_the_others(server):
    bad = [begin(server, "SCRIPT", {"script": text, "limits": {"cpuSeconds": 1}}, timeoutSeconds=1)
           for text in ("yes", "while :; do :; done", "trap '' TERM; sleep 60", "exit 3")]
    results = []
    threads = [threading.Thread(target=lambda: results.append(script(server, "echo fine", seconds=60)["status"]))
               for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == ["SUCCEEDED"] * 8
    status = lambda run_id: server.call("GET", f"/runs/{run_id}").json["status"]
    wait_until(lambda: {status(run_id) for run_id in bad} <= {"FAILED", "TIMED_OUT"}, what="the ends of the bad ones")


# ---- what the tests look at ----

def read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def spawner_of(server):
    return next((p.parent.name for p in pathlib.Path("/proc").glob("[0-9]*/stat")
                 if b"(chronos-spawner)" in read(p) and read(p).rsplit(b")", 1)[1].split()[1] == str(server.process.pid).encode()),
                "none")


def children_named(server, word):
    folder = next((server.folder / "data").glob("**/chronos-run-*"), None)
    return folder and [p for p in pathlib.Path("/proc").glob("[0-9]*/cmdline") if str(folder).encode() in read(p)]
