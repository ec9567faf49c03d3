# SPDX-License-Identifier: Apache-2.0
"""Real programs on loopback, for tests: a Daemon, its Users, and a test case that has both.

Nothing here sleeps: a daemon is ready when it says so through NOTIFY_SOCKET, and every wait has a time-out.
"""
import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import pathlib
import pty
import random
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import time
import unittest

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("SATCHEL_BUILD", TREE / "build" / "asan")).resolve()
LEVEL = os.environ.get("SATCHEL_TEST_LEVEL", "all")
# Nothing of a test goes to the keyring of the person who runs it.
os.environ["SATCHEL_KEYRING"] = "off"
SLOW = 4 if BUILD.name in ("asan", "tsan") else 1
WAIT = 60 * SLOW
PIN = re.compile(r"[A-Za-z0-9_-]{43}")


def program(name):
    return str(BUILD / "bin" / name)


def free_port(address="127.0.0.1"):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def make_file(path, size, seed=1):
    """A file of bytes that do not compress and differ with the seed."""
    source = random.Random(f"{seed} {size}")
    with open(path, "wb") as stream:
        left = size
        while left > 0:
            block = source.randbytes(min(left, 1 << 20))
            stream.write(block)
            left -= len(block)
    return path


@dataclasses.dataclass
class Result:
    """How a program ended."""
    args: list
    code: int
    out: bytes
    err: bytes

    @property
    def text(self):
        return self.out.decode("utf-8", "replace")

    @property
    def errors(self):
        return self.err.decode("utf-8", "replace")

    @property
    def objects(self):
        """What --json printed, an object a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def results(self):
        return [item["result"] for item in self.objects if "result" in item]

    @property
    def result(self):
        (only,) = self.results
        return only

    @property
    def error(self):
        (only,) = [item["error"] for item in self.objects if "error" in item]
        return only

    def __str__(self):
        return (f"{' '.join(map(str, self.args))}\nexit {self.code}\n--- out\n{self.text[-4000:]}\n"
                f"--- err\n{self.errors[-8000:]}")


class Failed(AssertionError):
    """A program ended in another way than it should have."""


def run(args, expect=0, stdin=b"", env=None, pass_fds=(), timeout=None, cwd=None):
    """Run to the end and check the exit code; expect=None lets any pass but a crash."""
    args = [os.fsencode(str(arg)) if not isinstance(arg, bytes) else arg for arg in args]
    done = subprocess.run(args, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env,
                          pass_fds=pass_fds, timeout=timeout or WAIT, check=False, cwd=cwd)
    shown = [arg.decode("utf-8", "replace") for arg in args]
    result = Result(shown, done.returncode, done.stdout, done.stderr)
    if b"Sanitizer" in done.stderr or b"runtime error:" in done.stderr:
        raise Failed(f"a sanitizer complains\n{result}")
    if expect is not None and done.returncode != expect:
        raise Failed(f"expected exit {expect}\n{result}")
    if done.returncode < 0 or done.returncode == 99:
        raise Failed(f"it crashed\n{result}")
    return result


def with_fd(text, option, call, *args, **options):
    """A method of a User, called with an option whose descriptor gives a line."""
    read, write = os.pipe()
    os.write(write, (text + "\n").encode())
    os.close(write)
    try:
        return call(*args, option, str(read), pass_fds=(read,), **options)
    finally:
        os.close(read)


class Notify:
    """The receiving end of sd_notify(3)."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)

    def wait(self, wanted, process, timeout=None):
        """Until a message says ${wanted}; fails when the process ends before."""
        self.socket.settimeout(0.2)
        for _ in range(int((timeout or WAIT) / 0.2)):
            with contextlib.suppress(socket.timeout):
                if wanted in self.socket.recv(4096).decode().split("\n"):
                    return
                continue
            if process.poll() is not None:
                raise Failed(f"the daemon ended with {process.returncode} before it said {wanted}")
        raise Failed(f"the daemon did not say {wanted}")

    def close(self):
        self.socket.close()
        os.unlink(self.path)


class Daemon:
    """A satcheld with a data folder of its own."""

    template = None  # an initialised data folder: training a key network takes its time
    template_folder = None

    def __init__(self, folder, address="127.0.0.1", settings=None, prefix=(), env=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = self.folder / "data"
        self.config = self.data / "satcheld.conf"
        self.log = self.folder / "log"
        self.address = address
        self.port = free_port(address)
        self.prefix = list(prefix)
        self.env = env or {}
        self.process = None
        self.notify = None
        shutil.copytree(self.initialised(), self.data)
        self.configure({("server", "data"): self.data, ("server", "listen"): self.server,
                        **(settings or {})})

    @classmethod
    def initialised(cls):
        if cls.template is None:
            cls.template_folder = tempfile.TemporaryDirectory(prefix="satchel-template-")
            cls.template = pathlib.Path(cls.template_folder.name) / "data"
            run([program("satcheld"), "init", "--data", cls.template, "--listen", "127.0.0.1:1"],
                timeout=300 * SLOW)
        return cls.template

    @property
    def server(self):
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    @property
    def pin(self):
        pin = run([program("satcheld"), "pin", "--config", self.config]).text.strip()
        assert PIN.fullmatch(pin), pin
        return pin

    def configure(self, settings):
        """Set options, {(section, key): value}; None takes one out.  Counts from the next start."""
        lines, section, left = [], "", dict(settings)
        for line in [*self.config.read_text().splitlines(), "[]"]:
            if found := re.match(r"\s*\[(.*)\]", line):
                lines += [f"{key} = {value}" for (where, key), value in left.items()
                          if where == section and value is not None]
                left = {(where, key): value for (where, key), value in left.items() if where != section}
                section = found.group(1)
            elif (found := re.match(r"\s*([a-z_]+)\s*=", line)) and (section, found.group(1)) in settings:
                continue
            if line != "[]":
                lines.append(line)
        for where in sorted({where for where, _ in left}):
            lines.append(f"[{where}]")
            lines += [f"{key} = {value}" for (other, key), value in left.items()
                      if other == where and value is not None]
        self.config.write_text("\n".join(lines) + "\n")

    def start(self):
        self.notify = Notify(str(self.folder))
        env = {**os.environ, "NOTIFY_SOCKET": self.notify.path, "OMP_NUM_THREADS": "1", **self.env}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, program("satcheld"), "--config", str(self.config)], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env=env, start_new_session=True)
        try:
            self.notify.wait("READY=1", self.process)
        except Failed as error:
            raise Failed(f"{error}\n{self.log_tail()}") from None
        return self

    def log_tail(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-60:])

    def _ended(self):
        code = self.process.wait(WAIT)
        self.process = None
        self.notify.close()
        return code

    def stop(self, expect=0):
        """SIGTERM; the daemon drains and ends."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        code = self._ended()
        if code != expect:
            raise Failed(f"the daemon ended with {code}\n{self.log_tail()}")

    def kill(self):
        """SIGKILL, to the daemon and to what it was started with."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self._ended()

    def reload(self):
        self.process.send_signal(signal.SIGHUP)
        self.notify.wait("READY=1", self.process)

    def ctl(self, *args, **options):
        return run([program("satchelctl"), "--socket", self.data / "satcheld.sock", *args], **options)

    def holds(self, *needles):
        """Files below the data folder in which one of these byte strings stands."""
        found = []
        longest = max(len(needle) for needle in needles)
        for path in sorted(self.data.rglob("*")):
            if not path.is_file():
                continue
            with open(path, "rb") as stream:
                before = b""
                while block := stream.read(1 << 22):
                    block = before + block
                    found += [(path.name, needle) for needle in needles if needle in block]
                    before = block[-longest:]
        return found


class User:
    """Somebody with a home folder, and the satchel command."""

    def __init__(self, daemon, folder, name):
        self.daemon = daemon
        self.home = pathlib.Path(folder) / name
        self.name = name
        self.email = f"{name}@example.org"
        self.uid = None
        self.words = None

    def run(self, *args, env=None, **options):
        """satchel with these arguments; JSON unless it is told otherwise."""
        env = {**os.environ, "SATCHEL_HOME": str(self.home), **(env or {})}
        return run([program("satchel"), *args], env=env, **options)

    def json(self, *args, **options):
        return self.run("--json", *args, **options)

    def register(self, *args, **options):
        result = self.json("register", "--server", self.daemon.server, "--name", self.name, "--email",
                           self.email, "--pin", self.daemon.pin, "--no-passphrase", *args, **options)
        if result.code == 0:
            self.uid = result.result["user_id"]
            self.words = next((item["words"] for item in result.objects if item.get("event") == "recovery_words"), None)
        return result

    def leave(self, words=None, *args, **options):
        """Delete the account, with the recovery words."""
        return with_fd(words or self.words, "--words-fd", self.json, "account", "delete", "--yes", self.name,
                       *args, **options)

    def send(self, *args, to, **options):
        names = ",".join(user if isinstance(user, str) else user.name for user in to)
        return self.json("send", *args, "--to", names, **options)

    def inbox(self, *args):
        return self.json("inbox", *args).result["transfers"]

    def get(self, tid, *args, **options):
        return self.json("get", tid, *args, **options)

    def start(self, *args, pass_fds=(), stdin=subprocess.DEVNULL):
        """satchel in the background."""
        return subprocess.Popen([program("satchel"), "--json", *map(str, args)], stdin=stdin,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=pass_fds,
                                env={**os.environ, "SATCHEL_HOME": str(self.home)})


class Ahead:
    """Of a Case: the clock of its daemon, and of programs that run with `env`, can go ahead."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.clock = cls.folder / "clock"
        cls.clock.write_text("0")
        cls.daemon.stop()
        cls.env = {"LD_PRELOAD": str(program("clock_shift.so")), "SATCHEL_TEST_CLOCK": str(cls.clock),
                   "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
        cls.daemon.env = cls.env
        cls.daemon.start()

    def go_ahead(self, days):
        """From the true time."""
        self.clock.write_text(str(days * 24 * 3600 * 1000))


class Terminal:
    """A command on a terminal of its own, with somebody who reads and types; 0 columns: it does not know its width."""

    def __init__(self, user, *args, env=None, columns=0, command=None):
        command = command or program("satchel")
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            os.environ.update(env or {})
            os.environ["SATCHEL_HOME"] = str(user.home)
            os.execvp(command, [command, *map(str, args)])
        self.shown = ""
        self.seen = 0  # how much of it until() has passed

    def _read(self):
        try:
            block = os.read(self.fd, 4096)
        except OSError:  # the other end is closed
            block = b""
        self.shown += block.decode("utf-8", "replace")
        return block

    def until(self, pattern):
        """Until this is shown, behind what the call before has found; gives the match."""
        end = time.monotonic() + WAIT
        while not (found := re.compile(pattern).search(self.shown, self.seen)):
            if time.monotonic() > end or (select.select([self.fd], [], [], 1)[0] and not self._read()):
                raise Failed(f"'{pattern}' was not shown:\n{self.shown}")
        self.seen = found.end()
        return found

    def poll(self):
        """Take what is shown now, or within a short time."""
        if select.select([self.fd], [], [], 0.2)[0]:
            self._read()

    def type(self, line):
        os.write(self.fd, f"{line}\n".encode())

    def interrupt(self):
        """Ctrl-C."""
        os.write(self.fd, b"\x03")

    def end(self, expect=0):
        """To the end; gives all that was shown."""
        while self._read():
            pass
        os.close(self.fd)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        if code != expect or "Sanitizer" in self.shown:
            raise Failed(f"expected exit {expect}, it was {code}\n{self.shown}")
        return self.shown


class Case(unittest.TestCase):
    """A daemon and users for each class of tests; a folder of its own for each test."""

    users = ("alice", "bob", "carol")
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls._folder = tempfile.TemporaryDirectory(prefix="satchel-test-")
        cls.folder = pathlib.Path(cls._folder.name)
        cls.addClassCleanup(cls._folder.cleanup)
        cls.daemon = Daemon(cls.folder / "daemon", settings=cls.settings)
        cls.daemon.start()
        cls.addClassCleanup(cls.daemon.kill)
        for name in cls.users:
            user = User(cls.daemon, cls.folder, name)
            user.register()
            setattr(cls, name, user)

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="work-", dir=self.folder)
        self.addCleanup(folder.cleanup)
        self.work = pathlib.Path(folder.name)

    def tearDown(self):
        if self.daemon.process is not None:
            self.assertIsNone(self.daemon.process.poll(), f"the daemon is gone\n{self.daemon.log_tail()}")

    def file(self, size, name="file.bin", seed=1):
        return make_file(self.work / name, size, seed)

    def folder_of(self, name):
        path = self.work / name
        path.mkdir()
        return path

    def deliver(self, sender, path, receivers, *args):
        """Send, get by each receiver, compare; gives the transfer's ID."""
        tid = sender.send(path, *args, to=receivers).result["id"]
        for receiver in receivers:
            out = self.folder_of(f"{receiver.name}-{tid}")
            got = receiver.get(tid, "-o", out).result
            self.assertEqual(got["from"], sender.name)
            self.assertTrue(got["verified"])
            self.assertEqual(got["size"], os.path.getsize(path))
            (only,) = os.listdir(os.fsencode(out))
            self.assertEqual(sha256(os.path.join(os.fsencode(out), only)), sha256(path))
        return tid
