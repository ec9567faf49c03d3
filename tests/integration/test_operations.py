# SPDX-License-Identifier: Apache-2.0
"""What an operator does: init, check-config, start and stop, reload, the operator's socket."""
import json
import os
import re
import socket
import subprocess
import sys

from harness import SLOW, TREE, WAIT, Case, Daemon, Notify, User, program, run

# Forbids code made at run time and starts the rest of the command line.
DENY_EXEC = "import ctypes, os, sys; sys.exit(9) if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) else os.execv(sys.argv[1], sys.argv[1:])"
# Hands over a listening socket as systemd does: descriptor 3, LISTEN_PID of this process.
ACTIVATE = "import os, sys; os.environ['LISTEN_PID'] = str(os.getpid()); os.execv(sys.argv[1], sys.argv[1:])"


class Init(Case):
    users = ()

    def test_twice_is_refused(self):
        data = Daemon.initialised()
        before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
        result = run([program("satcheld"), "init", "--data", data], expect=1)
        self.assertIn("hint:", result.errors)
        self.assertEqual(before, {path: path.read_bytes() for path in data.rglob("*") if path.is_file()})

    def test_a_bad_address_leaves_nothing(self):
        data = self.work / "new" / "data"
        result = run([program("satcheld"), "init", "--data", data, "--listen", "nonsense:7743"], expect=1)
        self.assertIn("--listen 'nonsense:7743': 'nonsense' is not an IPv4 or IPv6 address", result.errors)
        self.assertIn("hint: an address of this machine and a port", result.errors)
        self.assertFalse(data.parent.exists())

    def test_only_the_owner_reads(self):
        for path in Daemon.initialised().rglob("*"):
            if path.name != "tls.crt":
                self.assertEqual(path.stat().st_mode & 0o077, 0, path)

    def test_sample_is_what_init_writes(self):
        def options(text):
            return [re.sub(r"^#?(data|listen) = .*", r"\1", line).rstrip() for line in text.splitlines()
                    if re.match(r"#?\w+ = ?|\[", line)]
        sample = (TREE / "deploy" / "satcheld.conf").read_text()
        self.assertEqual(options(sample), options((Daemon.initialised() / "satcheld.conf").read_text()))
        manual = (TREE / "deploy" / "man" / "satcheld.conf.5").read_text()
        for name in re.findall(r"^#?(\w+) =", sample, re.MULTILINE):
            self.assertIn(f".It Ic {name} Li =", manual)

    def test_check_config(self):
        path = self.work / "conf"
        path.write_text("[server]\ndata = /nonexistent\nlisen = 1\n[limits]\nconnections = many\n[odd]\n")
        result = run([program("satcheld"), "check-config", path], expect=1)
        said = result.text + result.errors
        for line in ("conf:3:", "conf:5:", "conf:6:", "did you mean 'listen'"):
            self.assertIn(line, said)
        good = self.daemon.config
        run([program("satcheld"), "check-config", good])

    def test_check_config_tells_all_at_once(self):
        text = self.daemon.config.read_text()
        lines = ["nonsense", "[tls]", "certificate = /nonexistent.pem", "[limits]", "max_lifetime = 1m",
                 "min_lifetime = 2m", "[store]", "bodies = 4"]
        text = re.sub(r"^(max_lifetime|min_lifetime|bodies|certificate) ", r"#\1 ", text, flags=re.MULTILINE)
        path = self.work / "many"
        path.write_text("\n".join([text.rstrip("\n"), *lines]) + "\n")
        first = len(text.rstrip("\n").split("\n")) + 1
        result = run([program("satcheld"), "check-config", path], expect=1)
        for offset, what in ((0, "neither a section"), (2, "go together"), (5, "'min_lifetime' is above"),
                             (7, "'bodies' is 4, but the store was made with 1")):
            self.assertRegex(result.text, rf"many:{first + offset}: .*{what}")

    def test_shares(self):
        command = [program("satcheld"), "shares", "--data", self.daemon.data, "--raw", "--count", "4096"]
        shares = run(command).out
        self.assertEqual(len(shares), 4096 * 32)
        pieces = {shares[at:at + 32] for at in range(0, len(shares), 32)}
        self.assertEqual(len(pieces), 4096)
        self.assertFalse(pieces & {bytes(32)})
        ones = sum(byte.bit_count() for byte in shares)
        # 2^20 bits: six standard deviations of a fair coin are 3,072.
        self.assertLess(abs(ones - 4096 * 128), 3072)

    def test_usage(self):
        for args in ([], ["frob"], ["--config"], ["init"], ["shares", "--data", self.work], ["pin"]):
            with self.subTest(args=args):
                self.assertNotEqual(run([program("satcheld"), *args], expect=2).err, b"")


class Running(Case):
    users = ("alice", "bob")

    def test_restart_keeps_everything(self):
        path = self.file(300_000)
        tid = self.alice.send(path, to=(self.bob,)).result["id"]
        self.daemon.stop()
        self.daemon.start()
        self.bob.get(tid, "-o", self.work / "got")
        self.assertEqual((self.work / "got").read_bytes(), path.read_bytes())

    def test_reload(self):
        self.daemon.configure({("server", "registration"): "closed"})
        self.daemon.reload()
        self.assertIn("registration closed", self.daemon.ctl("status").text)
        self.assertEqual(json.loads(self.daemon.ctl("--json", "status").text)["result"]["registration"], "closed")
        User(self.daemon, self.work, "late").register(expect=4)
        self.daemon.configure({("server", "registration"): "open"})
        self.daemon.reload()
        User(self.daemon, self.work, "late").register()

    def test_reload_says_what_changed(self):
        self.daemon.configure({("limits", "page"): "40", ("timeouts", "idle"): "9m", ("store", "bodies"): "4"})
        said = self.daemon.ctl("reload").text
        self.assertRegex(said, r"changed: page, idle\nneeds a restart: bodies\n")
        self.assertIn("event=reloaded changed=page,idle", self.daemon.log.read_text())
        self.daemon.configure({("limits", "page"): "50", ("timeouts", "idle"): "10m", ("store", "bodies"): "1"})
        answer = json.loads(self.daemon.ctl("--json", "reload").text)["result"]
        self.assertEqual(answer, {"changed": ["page", "idle"], "restart": []})
        self.assertIn("no setting has changed", self.daemon.ctl("reload").text)

    def test_ctl_help(self):
        for word, seconds in (("invite", "create or list"), ("instance", "list or rotate"), ("clock", "confirm"),
                              ("user", "show, suspend or resume")):
            self.assertIn(seconds, self.daemon.ctl(word, expect=2).errors)
            self.assertIn(seconds, self.daemon.ctl(word, "frob", expect=2).errors)
        self.assertIn("what the daemon does", self.daemon.ctl("status", "--help").text)
        said = self.daemon.ctl("invite", "create", "--help").text
        self.assertIn("--uses N", said)
        self.assertNotIn("invite list", said)
        self.assertIn("invite list", self.daemon.ctl("invite", "--help").text)
        self.assertIn("unknown verb", self.daemon.ctl("frob", "--help", expect=2).errors)

    def test_bad_reload_keeps_the_old(self):
        good = self.daemon.config.read_text()
        self.daemon.config.write_text(good + "\n[odd]\n")
        try:
            self.assertIn("old settings", self.daemon.ctl("reload", expect=2).errors)
            self.alice.json("inbox")
        finally:
            self.daemon.config.write_text(good)

    def test_second_daemon_on_the_same_data(self):
        result = run([program("satcheld"), "--config", self.daemon.config], expect=1)
        self.assertIn("another process", result.errors)
        self.alice.json("inbox")

    def test_ctl(self):
        self.assertIn("satcheld", self.daemon.ctl("status").text)
        users = self.daemon.ctl("users").text
        self.assertIn("alice", users)
        self.assertIn(self.bob.uid, users)
        self.daemon.ctl("verify")
        self.daemon.ctl("quota", "bob", "1G")
        self.assertIn("no such user: 'nobody'", self.daemon.ctl("quota", "nobody", "1G", expect=1).errors)
        self.assertIn("unknown verb 'frob'", self.daemon.ctl("frob", expect=2).errors)
        self.assertIn("too many arguments", self.daemon.ctl("invite", "create", "extra", expect=2).errors)
        self.daemon.ctl("quota", "bob", "0")
        self.assertIn("(no limit)", self.daemon.ctl("user", "show", "bob").text)
        json.loads(self.daemon.ctl("--json", "status").text)

    def test_ctl_quota_counts(self):
        self.daemon.ctl("quota", "bob", "1M")
        self.alice.send(self.file(2_000_000), to=(self.bob,), expect=4)
        self.daemon.ctl("quota", "bob", "1G")
        self.alice.send(self.file(2_000_000), to=(self.bob,))

    def test_socket_is_private(self):
        self.assertEqual((self.daemon.data / "satcheld.sock").stat().st_mode & 0o077, 0)

    def test_drain_ends_idle_clients(self):
        self.daemon.stop()
        self.assertIn("event=stopped", self.daemon.log.read_text())
        self.alice.json("inbox", expect=5)
        self.daemon.start()


class Supervised(Case):
    """What systemd gives and wants."""

    users = ()

    def test_watchdog(self):
        daemon = Daemon(self.work / "watched", env={"WATCHDOG_USEC": "400000"})
        daemon.start()
        self.addCleanup(daemon.kill)
        for _ in range(3):
            daemon.notify.wait("WATCHDOG=1", daemon.process)
        self.assertIsNotNone(daemon.process)

    def test_stopping_is_told(self):
        daemon = Daemon(self.work / "told")
        daemon.start()
        daemon.process.terminate()
        daemon.notify.wait("STOPPING=1", daemon.process)
        self.assertEqual(daemon._ended(), 0)

    def test_socket_activation(self):
        daemon = Daemon(self.work / "activated")
        listener = socket.create_server(("127.0.0.1", 0))
        daemon.port = listener.getsockname()[1]
        notify = Notify(str(self.work))
        os.set_inheritable(listener.fileno(), True)

        def hand_over():
            if listener.fileno() != 3:
                os.dup2(listener.fileno(), 3)
        process = subprocess.Popen(
            [sys.executable, "-c", ACTIVATE, program("satcheld"), "--config", str(daemon.config)],
            env={**os.environ, "NOTIFY_SOCKET": notify.path, "LISTEN_FDS": "1"}, close_fds=False,
            preexec_fn=hand_over, stderr=subprocess.DEVNULL)
        self.addCleanup(notify.close)
        self.addCleanup(process.wait, WAIT)
        self.addCleanup(process.terminate)
        notify.wait("READY=1", process)
        User(daemon, self.work, "alice").register()

    def test_without_executable_memory(self):
        """As under MemoryDenyWriteExecute: plain C serves, and the same shares come out."""
        denied = subprocess.run([sys.executable, "-c", DENY_EXEC, "/bin/true"], check=False)
        if denied.returncode == 9:
            self.skipTest("this kernel cannot forbid it")
        daemon = Daemon(self.work / "plain", prefix=[sys.executable, "-c", DENY_EXEC],
                        env={"ASAN_OPTIONS": "detect_leaks=0"})  # oneDNN leaks a little as it gives up
        daemon.start()
        users = [User(daemon, self.work, name) for name in ("alice", "bob")]
        for user in users:
            user.register()
        self.assertRegex(daemon.log.read_text(), "kernel=(\"plain C|constant)")  # what was built without a network has none
        path = self.file(1000)
        tid = users[0].send(path, to=(users[1],)).result["id"]
        daemon.stop()
        # On the fast kernel now: it regenerates the share that the other one gave.
        daemon.prefix = []
        daemon.start()
        self.addCleanup(daemon.kill)
        users[1].get(tid, "-o", self.work / "got")
        self.assertEqual((self.work / "got").read_bytes(), path.read_bytes())


class Shares(Case):
    users = ()

    def test_speed(self):
        if SLOW > 1:
            self.skipTest("with sanitizers the time says nothing")
        run([program("satcheld"), "shares", "--data", self.daemon.data, "--raw", "--count", "262144"], timeout=10)
