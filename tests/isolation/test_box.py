"""What a program in a box can see, do and use up."""

import json
import os
import signal
from pathlib import Path

import anyio
import pytest

from lambent.sandbox.launcher.seccomp import _ARCHITECTURES
from lambent.sandbox.ports import ExitStatus, SandboxError
from tests.isolation.boxes import (
    DEADLINE_S,
    PRELUDE,
    PYTHON,
    Opened,
    Site,
    descendants,
    status_of,
    until,
)

HAS_OS_RELEASE = os.path.exists("/etc/os-release")

pytestmark = [
    pytest.mark.root,
    pytest.mark.anyio,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: makes namespaces and cgroups"),
]

REFUSED_CALLS = {
    "x86_64": {
        "ptrace": 101, "pivot_root": 155, "chroot": 161, "mount": 165, "umount2": 166,
        "init_module": 175, "kexec_load": 246, "add_key": 248, "keyctl": 250, "unshare": 272,
        "perf_event_open": 298, "open_by_handle_at": 304, "setns": 308,
        "process_vm_readv": 310, "bpf": 321, "userfaultfd": 323, "syslog": 103,
    },
    "aarch64": {
        "pivot_root": 41, "mount": 40, "umount2": 39, "chroot": 51, "unshare": 97,
        "init_module": 105, "ptrace": 117, "add_key": 217, "keyctl": 219, "kexec_load": 104,
        "perf_event_open": 241, "open_by_handle_at": 265, "setns": 268,
        "process_vm_readv": 270, "bpf": 280, "userfaultfd": 282, "syslog": 116,
    },
}[os.uname().machine] | {
    "io_uring_setup": 425, "open_tree": 428, "move_mount": 429, "fsopen": 430,
    "pidfd_getfd": 438, "mount_setattr": 442,
}  # fmt: skip


async def test_the_hosts_files_are_not_there(opened: Opened) -> None:
    """No home, no secrets, no state of the host: only its programs and our few files."""
    hidden = ["/etc/shadow", "/root", "/var/lib", "/sys", "/dev/shm", "/dev/mem", "/boot", "/run",
              "/srv", str(Path(__file__).parent), str(opened.site.work)]  # fmt: skip
    async with opened.box() as inside:
        found = await inside.run(
            """
            hidden = json.loads(sys.argv[1])
            tell({"there": [path for path in hidden if os.path.lexists(path)],
                  "root": sorted(os.listdir("/")), "etc": sorted(os.listdir("/etc")),
                  "dev": sorted(os.listdir("/dev")), "task": os.listdir("/var/task"),
                  "passwd": open("/etc/passwd").read(), "host": socket.gethostname(),
                  "cwd": os.getcwd(), "tmp": [os.listdir("/tmp"),
                  oct(os.stat("/tmp").st_mode & 0o7777)]})
            """,
            json.dumps(hidden),
        )
    assert found["there"] == []
    assert {"bin", "dev", "etc", "opt", "proc", "tmp", "usr", "var"} <= set(found["root"])
    assert not {"root", "srv", "work", "data"} & set(found["root"])
    assert not {"shadow", "ssh", "environment", "fstab", "machine-id"} & set(found["etc"])
    assert ("os-release" in found["etc"]) is HAS_OS_RELEASE
    assert {"null", "zero", "full", "random", "urandom", "fd", "stdin"} <= set(found["dev"])
    assert found["task"] == ["app.txt"]
    assert [line.split(":")[0] for line in found["passwd"].splitlines()] == ["root", "sbx_user1051"]
    assert found["host"] != os.uname().nodename
    assert found["cwd"] == "/var/task"
    assert found["tmp"] == [[], "0o1777"]


async def test_nothing_but_tmp_is_writable(opened: Opened) -> None:
    """The code, the system and our own files are read-only, for the owner of nothing."""
    async with opened.box() as inside:
        found = await inside.run(
            """
            write = lambda path: open(path, "w").write("x")
            places = ["/x", "/etc/x", "/etc/passwd", "/usr/x", "/dev/x", "/var/x", "/opt/x",
                      "/var/lang/x", "/var/task/x", "/var/task/app.txt", "/mnt/x", "/bin/x",
                      "/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches",
                      "/proc/sysrq-trigger", "/proc/timer_list", "/proc/sys/kernel/hostname"]
            write("/tmp/x"); write("/dev/null")
            os.mkfifo("/tmp/fifo"); os.mkdir("/tmp/directory")
            tell([{place: outcome(write, place) for place in places}, open("/tmp/x").read(),
                  outcome(os.mknod, "/tmp/device", 0o600 | stat.S_IFBLK, os.makedev(7, 0)),
                  outcome(os.chmod, "/var/task/app.txt", 0o777)])
            """
        )
    done = [place for place, answer in found[0].items() if answer == "done"]
    # /dev/null masks these, where the kernel has them.
    assert set(done) <= {"/proc/sysrq-trigger", "/proc/timer_list"}
    assert found[1:] == ["x", "EPERM", "EROFS"]
    assert (opened.site.code / "app.txt").read_text() == "the code"


async def test_a_program_has_no_privilege(opened: Opened) -> None:
    """uid 993, no groups, no capability in any set, no way to one, a filter, small limits."""
    async with opened.box() as inside:
        found = await inside.run(
            """
            read = lambda path: dict(line.split(":\\t", 1) for line in open(path))
            limits = {name: resource.getrlimit(getattr(resource, "RLIMIT_" + name))
                      for name in ("NOFILE", "NPROC", "CORE", "MEMLOCK")}
            tell({"status": read("/proc/self/status"), "init": read("/proc/1/status"),
                  "limits": limits, "umask": os.umask(0), "sid": os.getsid(0) == os.getpid(),
                  "ids": [os.getresuid(), os.getresgid(), os.getgroups()],
                  "setuid": outcome(os.setuid, 0), "setgid": outcome(os.setgroups, [0])})
            """
        )
    status, init = found["status"], found["init"]
    caps = {name: value.strip() for name, value in status.items() if name.startswith("Cap")}
    assert set(caps.values()) == {"0" * 16}, caps
    assert (status["NoNewPrivs"].strip(), status["Seccomp"].strip()) == ("1", "2")
    assert status["Groups"].strip() == ""
    # Another user, who owns nothing either.
    assert init["Uid"].split() == ["65534"] * 4
    assert {init[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
    assert init["NoNewPrivs"].strip() == "1"
    assert found["ids"] == [[993] * 3, [993] * 3, []]
    assert found["limits"] == {
        "NOFILE": [1024, 1024],
        "NPROC": [1024, 1024],
        "CORE": [1, 1],
        "MEMLOCK": [65_536, 65_536],
    }
    assert (found["umask"], found["sid"]) == (0o022, True)
    assert {found["setuid"], found["setgid"]} <= {"EPERM", "EINVAL"}


async def test_calls_that_reach_out_of_the_box_are_refused(opened: Opened) -> None:
    """The filter and the missing capabilities, tried in practice."""
    async with opened.box() as inside:
        found = await inside.run(
            """
            calls = json.loads(sys.argv[1])
            # Flags of clone that make namespaces; and families beyond the namespaces' reach.
            flags = [0x20000, 0x10000000, 0x20000000, 0x40000000]
            tell({"calls": {name: call(number, 0, 0, 0, 0, 0) for name, number in calls.items()},
                  "clone3": call(435, 0, 0),
                  "clone": [call(int(sys.argv[2]), flag | 17, 0, 0, 0, 0) for flag in flags],
                  "sockets": {family: outcome(socket.socket, family, kind)
                              for family, kind in ((40, 1), (38, 5), (17, 3), (44, 3), (21, 5))},
                  "good": [outcome(socket.socket, family, 2) for family in (1, 2, 10)],
                  "raw": outcome(socket.socket, 2, 3, 1)})
            """,
            json.dumps(REFUSED_CALLS),
            str(_ARCHITECTURES[os.uname().machine][1]["clone"]),
        )
    assert set(found["calls"].values()) <= {"EPERM", "ENOSYS"}, found["calls"]
    assert found["clone3"] == "ENOSYS"
    assert found["clone"] == ["EPERM"] * 4
    assert set(found["sockets"].values()) == {"EAFNOSUPPORT"}
    assert (found["good"], found["raw"]) == (["done"] * 3, "EPERM")


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="needs x86_64: has a 32-bit door")
async def test_the_32_bit_door_is_shut(opened: Opened) -> None:
    """`int 0x80` would use other call numbers: a process that tries is killed."""
    async with opened.box() as inside:
        program = await inside.start(
            """
            import mmap
            page = mmap.mmap(-1, 4096, prot=7)
            page.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, getpid; int 0x80; ret
            address = ctypes.addressof(ctypes.c_char.from_buffer(page))
            tell(ctypes.CFUNCTYPE(ctypes.c_int)(address)())
            """
        )
        assert await program.status() == ExitStatus(signal=signal.SIGSYS)
        assert await program.output() == ""
        program.close()


async def test_only_its_own_processes_are_visible(opened: Opened) -> None:
    """The box has its own process table, and /proc hides what it says about the host."""
    async with opened.box() as inside, opened.box() as other:
        await other.start("time.sleep(60)")
        found = await inside.run(
            """
            tell({"pids": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
                  "own": os.getpid(),
                  "masked": [open("/proc/" + name, "rb").read(10).decode() for name in
                             ("cmdline", "timer_list", "keys", "key-users", "kcore")
                             if os.path.exists("/proc/" + name)],
                  "init": [outcome(os.kill, 1, number) for number in (9, 19)],
                  "memory": outcome(lambda: open("/proc/1/mem", "r+b")),
                  "root": outcome(os.listdir, "/proc/1/root")})
            """
        )
        assert found["pids"] == [1, found["own"]]
        assert set(found["masked"]) == {""}
        # Signals from inside do not affect init: every process is still there.
        assert (await inside.run("tell(sorted(os.listdir('/proc/1/task')))")) == ["1"]


async def test_nothing_of_the_platform_is_open(opened: Opened) -> None:
    """Descriptors 0, 1 and 2 and, if requested, the log pipe; only the given environment
    variables."""
    code = """
        names = [name for name in os.listdir("/proc/self/fd")]
        links = {}
        for name in names:
            try:
                links[name] = os.readlink("/proc/self/fd/" + name)
            except OSError:
                pass  # the directory listing's own
        os.write(int(os.environ["LOG_FD"]), b"framed")
        tell({"links": links, "environ": dict(os.environ),
              "same": os.fstat(1).st_ino == os.fstat(2).st_ino})
    """
    async with opened.box() as inside:
        program = await inside.start(code, environment={"LOG_FD": "1", "B": "é=\n"})
        plain, _, rest = (await program.output()).partition("framed")[2].partition("\n")
        program.close()
        found = json.loads(plain)
        # ctypes' own: libffi may keep its library open.
        links = {fd: link for fd, link in found["links"].items() if "/libffi.so" not in link}
        assert links.keys() == {"0", "1", "2"}
        assert found["links"]["0"] == "/dev/null"
        assert found["links"]["1"].startswith("pipe:")
        assert found["same"]
        assert {"LOG_FD": "1", "B": "é=\n"}.items() <= found["environ"].items()
        assert found["environ"].keys() <= {"LOG_FD", "B", "LC_CTYPE"}
        assert rest == ""
        script = (
            "os.write(int(os.environ['LOG_FD']), b'framed');"
            "at = '/proc/self/fd';"
            "links = [os.path.realpath(f'{at}/{fd}') for fd in os.listdir(at)];"
            "tell(sum('/libffi.so' not in link for link in links))"
        )
        argv = [PYTHON, "-I", "-S", "-c", PRELUDE + script]
        framed = await inside.spawn(argv, {"A": "1"}, "LOG_FD")
        assert framed.process.log_pipe is not None
        assert await framed.read(framed.process.log_pipe) == b"framed"
        assert await framed.output() == "5\n"  # the four and that of the listing itself
        framed.close()


async def test_each_box_is_another_user_to_the_host(opened: Opened) -> None:
    """A process that escaped from one box would own nothing of another."""
    async with opened.box() as one, opened.box() as two:
        for inside in (one, two):
            await inside.start("time.sleep(60)")
        uids = {status_of(pid)["Uid"].split()[0] for pid in descendants(opened.site.launcher_pid)}
        uids.remove("0")  # The inits.
    assert len(uids) == 2
    assert all(int(uid) >= 1_900_000_000 for uid in uids)


async def test_a_program_that_cannot_be_executed_is_an_error_and_no_more(opened: Opened) -> None:
    """The reason is reported; the box continues and closes in time."""
    (opened.site.code / "text").write_text("not a program")
    (opened.site.code / "text").chmod(0o644)
    (opened.site.code / "broken").write_text("#!/no/such/interpreter\n")
    (opened.site.code / "broken").chmod(0o755)
    async with opened.box() as inside:
        for path, reason in (
            ("/no/such/program", "No such file"),
            ("/var/task/text", "Permission denied"),
            ("/var/task/broken", "No such file"),
            ("/var/task", "Permission denied"),
        ):
            with pytest.raises(SandboxError, match=reason):
                await inside.spawn([path])
        with pytest.raises(SandboxError, match="illegal environment"):
            await inside.spawn(["/bin/true"], {"A=B": "x"})
        program = await inside.spawn(["/bin/true"])
        assert await program.status() == ExitStatus(code=0)
        program.close()
        with anyio.fail_after(5):
            await inside.box.close()
    await until(lambda: not descendants(opened.site.launcher_pid), "the box's end")


async def test_how_programs_end_is_reported(opened: Opened) -> None:
    """By exit code or by signal, once."""
    async with opened.box() as inside:
        for script, status in (
            ("exit 0", ExitStatus(code=0)),
            ("exit 42", ExitStatus(code=42)),
            ("kill -SEGV $$", ExitStatus(signal=signal.SIGSEGV)),
            ("kill -KILL $$", ExitStatus(signal=signal.SIGKILL)),
        ):
            program = await inside.spawn(["/bin/sh", "-c", script])
            assert await program.status() == status
            program.close()


async def test_a_second_program_is_beside_the_first(opened: Opened) -> None:
    """An extension sees the runtime: same processes, same files, same network."""
    async with opened.box() as inside:
        first = await inside.start(
            """
            open("/tmp/first", "w").write("here")
            server = socket.create_server(("127.0.0.1", 8000))
            tell(os.getpid())
            server.accept()[0].close()
            """
        )
        pid = int(await first.line())
        found = await inside.run(
            """
            socket.create_connection(("127.0.0.1", 8000)).close()
            tell([open("/tmp/first").read(), os.path.exists("/proc/" + sys.argv[1])])
            """,
            str(pid),
        )
        assert found == ["here", True]
        assert await first.status() == ExitStatus(code=0)
        first.close()


async def test_the_box_listens_for_the_platform(opened: Opened) -> None:
    """Connections to 127.0.0.1:9001 or :9002 inside arrive at the platform's sockets; other boxes
    cannot connect there."""
    async with opened.box() as inside, opened.box() as other:
        for sock, port in ((inside.box.runtime_api, 9001), (inside.box.endpoint, 9002)):
            program = await inside.start(
                f"""
                peer = socket.create_connection(("127.0.0.1", {port}))
                tell(peer.recv(100).decode())
                """
            )
            with anyio.fail_after(10):
                await anyio.wait_readable(sock)
            connection, _ = sock.accept()
            connection.sendall(b"hello")
            connection.close()
            assert json.loads(await program.output()) == "hello"
            program.close()
        await other.run('tell(outcome(socket.create_connection, ("127.0.0.1", 9001), 5))')
        with pytest.raises(BlockingIOError):
            inside.box.runtime_api.accept()


async def test_orphans_do_not_pile_up(opened: Opened) -> None:
    """The box's init reaps orphans."""
    async with opened.box() as inside:
        found = await inside.run(
            """
            for _ in range(20):
                if os.fork() == 0:
                    if os.fork() == 0:
                        os._exit(0)
                    os._exit(0)
            for _ in range(20):
                os.wait()
            pids = lambda: [name for name in os.listdir("/proc") if name.isdigit()]
            until = time.monotonic() + 20
            while len(pids()) > 2 and time.monotonic() < until:
                time.sleep(0.01)
            tell(len(pids()))
            """
        )
    assert found == 2


# -- limits --------------------------------------------------------------------------------


async def test_memory_is_limited(opened: Opened) -> None:
    """A program that uses more memory than its box has is killed, and the reason is reported."""
    async with opened.box(memory_mb=64) as inside:
        program = await inside.start(
            """
            kept = [b"x" * (1 << 20) for _ in range(40)]
            tell("half")
            kept += [b"x" * (1 << 20) for _ in range(400)]
            tell("all")
            """
        )
        assert await program.status() == ExitStatus(signal=signal.SIGKILL, out_of_memory=True)
        assert await program.output() == '"half"\n'
        program.close()
        assert 40 << 20 < inside.box.memory_peak_bytes() <= 64 << 20
        # A later end for another reason is not mistaken for this one.
        other = await inside.spawn(["/bin/sh", "-c", "kill -KILL $$"])
        assert await other.status() == ExitStatus(signal=signal.SIGKILL)
        other.close()


async def test_a_fork_bomb_is_bounded(opened: Opened) -> None:
    """1,024 processes and threads; the box still closes."""
    async with opened.box(memory_mb=1024) as inside:
        program = await inside.start(
            """
            count = 0
            while True:
                try:
                    pid = os.fork()
                except OSError as error:
                    tell([count, errno.errorcode[error.errno]])
                    signal.pause()
                if pid == 0:
                    os.setsid()
                    signal.pause()
                count += 1
            """
        )
        count, reason = json.loads(await program.line())
        assert 900 < count <= 1024
        assert reason == "EAGAIN"
        program.close()
        with anyio.fail_after(10):
            await inside.box.close()
    await until(lambda: not descendants(opened.site.launcher_pid), "the bomb's end")


async def test_what_is_written_to_tmp_counts_as_disk(opened: Opened) -> None:
    """More than the box's memory fits, but not more than the volume's size."""
    async with opened.volume(96) as volume, opened.box(memory_mb=64, volume=volume) as inside:
        found = await inside.run(
            """
            written = 0
            try:
                with open("/tmp/big", "wb", buffering=0) as file:
                    while True:
                        written += file.write(bytes(1 << 20))
            except OSError as error:
                tell([written >> 20, errno.errorcode[error.errno]])
            """
        )
    assert 80 <= found[0] <= 96
    assert found[1] == "ENOSPC"


async def test_a_volume_outlives_its_box_and_is_no_other_boxes(opened: Opened) -> None:
    """A new box on the same volume has the same user: it may read and change the files."""
    write = 'os.umask(0o077); open("/tmp/secret", "w").write("mine"); tell(1)'
    look = """
        tell([open("/tmp/" + name).read() for name in os.listdir("/tmp")])
        for name in os.listdir("/tmp"):
            open("/tmp/" + name, "a").write(" still")
    """
    async with opened.volume() as volume:
        async with opened.box(volume=volume) as first:
            await first.run(write)
        # Boxes come and go meanwhile, and reuse the freed user IDs.
        async with opened.box() as other, opened.box(volume=volume) as second:
            assert await other.run(look) == []
            assert await second.run(look) == ["mine"]
            assert await second.run(look) == ["mine still"]


async def test_frozen_programs_stand_still(opened: Opened) -> None:
    """All processes stop, and continue where they were."""
    async with opened.box() as inside:
        program = await inside.start(
            """
            if os.fork() == 0:
                os.setsid()
            last, gap = time.monotonic(), 0
            tell("go")
            while gap < 0.25:
                time.sleep(0.001)
                now = time.monotonic()
                gap, last = now - last, now
            tell("stood still")
            """
        )
        assert await program.line() == await program.line() == '"go"'
        inside.box.freeze()
        await anyio.sleep(0.4)
        assert not program.ended.done()
        inside.box.thaw()
        assert await program.output() == '"stood still"\n' * 2
        program.close()


async def test_a_frozen_box_can_be_closed(opened: Opened) -> None:
    """A freeze, of any kind, does not keep it alive."""
    async with opened.box() as inside:
        program = await inside.start('tell("go"); time.sleep(60)')
        await program.line()
        inside.box.freeze()
        with anyio.fail_after(5):
            await inside.box.close()
        assert await program.status() == ExitStatus(signal=signal.SIGKILL)
        program.close()


async def test_the_cpu_share_counts_from_when_it_is_applied(opened: Opened) -> None:
    """128 MB is 7 % of a CPU: in half a second of wall time it gets at most a tenth of that."""
    async with opened.box(memory_mb=128) as inside:
        program = await inside.start(
            """
            tell("ready")
            sys.stdin = None
            while not os.path.exists("/tmp/go"):
                time.sleep(0.005)
            wall, cpu = time.monotonic(), time.process_time()
            while time.monotonic() - wall < 1:
                pass
            tell((time.process_time() - cpu) / (time.monotonic() - wall))
            """
        )
        await program.line()
        inside.box.limit_cpu()
        await inside.run('open("/tmp/go", "w"); tell(1)')
        share = json.loads(await program.output())
        program.close()
    assert share < 0.2


async def test_closing_kills_everything(opened: Opened) -> None:
    """Including processes that left the session, ignore signals and were forked twice."""
    site: Site = opened.site
    async with opened.box() as inside:
        program = await inside.start(
            """
            for number in set(signal.valid_signals()) - {9, 19}:
                signal.signal(number, signal.SIG_IGN) if number not in (32, 33) else None
            for _ in range(10):
                if os.fork() == 0:
                    os.setsid()
                    if os.fork() == 0:
                        time.sleep(600)
                    time.sleep(600)
            tell("ready")
            time.sleep(600)
            """
        )
        await program.line()
        await until(lambda: len(descendants(site.launcher_pid)) == 22, "all processes")
        # By a signal that cannot be ignored, not because their sleep of a minute ended.
        with anyio.fail_after(DEADLINE_S):
            await inside.box.close()
        assert await program.status() == ExitStatus(signal=signal.SIGKILL)
        assert await program.output() == ""
        program.close()
        assert descendants(site.launcher_pid) == []
        await inside.box.close()
        with pytest.raises(SandboxError):
            await inside.spawn(["/bin/true"])
