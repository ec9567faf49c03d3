# SPDX-License-Identifier: Apache-2.0
"""No space left and failing disks: a write fails with an error, reads go on, and so does the daemon afterwards."""
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))

from harness import WAIT, Case, Daemon, User, sha256  # noqa: E402


def moved(result):
    """Bytes that a command said it had moved."""
    return max(item["done"] for item in result.objects if item.get("event") == "progress")


def fill(disk, ballast):
    """Take all of a file system's room that is left."""
    with open(ballast, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while shutil.disk_usage(disk).free > 0:
            file.write(bytes(1 << 20))


class Injected(Case):
    """Errors injected into the writes of the daemon with strace."""

    users = ()

    def daemon_with(self, error, when):
        if shutil.which("strace") is None:
            self.skipTest("strace is not installed")
        daemon = Daemon(self.work / "daemon", prefix=[
            "strace", "-f", "-qq", "-o", str(self.work / "trace"), "-e", "trace=pwrite64,pwritev",
            "-e", f"inject=pwrite64,pwritev:error={error}:when={when}"])
        self.addCleanup(daemon.kill)
        daemon.start()
        alice, bob = (User(daemon, self.work, name) for name in ("alice", "bob"))
        return daemon, alice, bob

    def check(self, error, when, met=lambda store: True):
        """Send until an error was met, that of the store too, and something went through again."""
        daemon, alice, bob = self.daemon_with(error, when)
        for user in (alice, bob):
            user.register()
        path = self.file(2_000_000)
        first = alice.send(path, to=(bob,), expect=None)
        sent = [first.result["id"]] if first.code == 0 else []
        failures = 0
        for _ in range(150):
            result = alice.send(path, to=(bob,), expect=None)
            self.assertIn(result.code, (0, 1, 5), result)
            failures += result.code != 0
            if result.code == 0:
                sent.append(result.result["id"])
            if failures and result.code == 0 and met(daemon.ctl("--json", "status").result["store"]):
                break
        self.assertIsNone(daemon.process.poll(), daemon.log_tail())
        self.assertGreater(failures, 0, "the fault was never met")
        self.assertNotEqual(sent, [], "it never recovered")
        visible = {row["id"] for row in bob.inbox()}
        self.assertLessEqual(set(sent), visible)
        for tid in visible:
            # A release is a write, too: it may meet what is left of the faults, but only so often.
            for _ in range(40):
                result = bob.get(tid, "-o", self.work / "got", "--force", expect=None)
                if result.code == 0:
                    break
                self.assertEqual(result.code, 1, result)
            self.assertEqual(result.code, 0, result)
            self.assertEqual(sha256(self.work / "got"), sha256(path))
        return daemon.ctl("--json", "status").result["store"]

    def test_no_space(self):
        self.check("ENOSPC", "60..90")

    def test_input_output_error(self):
        # Every seventh write: the last one of a commit, which LMDB does not survive, must be among them.
        store = self.check("EIO", "60..300+7", lambda store: store["reopened"] > 0)
        self.assertGreater(store["reopened"], 0, "LMDB never refused to go on")


class Disk(Case):
    """The disk itself is full in the middle of an upload: a file system of its own, with something else in it."""

    users = ()

    def setUp(self):
        super().setUp()
        self.disk = self.work / "disk"
        self.disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", self.disk],
                                 stderr=subprocess.DEVNULL, check=False)
        if mounted.returncode != 0:
            self.skipTest("cannot mount a file system (needs root)")
        self.addCleanup(subprocess.run, ["umount", self.disk], check=True)

    def test_full_and_free_again(self):
        daemon = Daemon(self.disk / "daemon").start()
        self.addCleanup(daemon.kill)
        alice, bob = (User(daemon, self.work, name) for name in ("alice", "bob"))
        for user in (alice, bob):
            user.register()
        small, large = self.file(300_000, "small"), self.file(45_000_000, "large")
        before = alice.send(small, to=(bob,)).result["id"]
        ballast = self.disk / "ballast"
        # It begins while there is room, and something else takes that from under it.
        sending = alice.start("send", large, "--to", bob.name, "--limit-rate", "8M")
        for line in sending.stdout:
            if json.loads(line).get("done", 0) > 0:
                break
        fill(self.disk, ballast)
        out, err = sending.communicate(timeout=WAIT)
        self.assertEqual(sending.returncode, 1, err)
        self.assertEqual(json.loads(out.splitlines()[-1])["error"]["code"], "full", out)
        self.assertIsNone(daemon.process.poll(), daemon.log_tail())
        self.assertEqual([row["id"] for row in bob.inbox()], [before])  # reads go on
        bob.get(before, "-o", self.work / "got")
        self.assertEqual(sha256(self.work / "got"), sha256(small))

        # Now it is known before.
        other = self.file(45_000_000, "other", seed=2)
        refused = alice.send(other, to=(bob,), expect=None)
        self.assertEqual((refused.code, refused.error["code"]), (1, "full"), refused)
        self.assertEqual(moved(refused), 0, refused)

        ballast.unlink()
        sent = alice.send(large, to=(bob,)).result["id"]  # the same command, the same daemon
        bob.get(sent, "-o", self.work / "got", "--force")
        self.assertEqual(sha256(self.work / "got"), sha256(large))
        daemon.ctl("verify")
        daemon.stop()


class Ceiling(Case):
    """The configured size of the store is reached: FULL, nothing breaks, and deleting helps."""

    settings = {("store", "body_max"): "16M"}

    def test_full(self):
        path = self.file(3_000_000)
        sent = []
        for _ in range(10):
            result = self.alice.send(path, to=(self.bob,), expect=None)
            if result.code != 0:
                break
            sent.append(result.result["id"])
        self.assertEqual((result.code, result.error["code"]), (1, "full"))
        self.assertGreater(len(sent), 2)
        self.assertEqual({row["id"] for row in self.bob.inbox()}, set(sent))
        self.bob.get(sent[0], "-o", self.work / "got")
        for user in (self.alice, self.bob):
            for tid in sent[1:]:
                user.json("delete", tid, "--force")
        self.alice.send(path, to=(self.bob,))  # what was deleted need not be collected yet
        self.assertEqual(os.path.getsize(self.work / "got"), 3_000_000)


    def test_full_in_a_stream(self):
        """Nobody can read a pipe again: it is said what to do, and nothing of it is left."""
        refused = self.alice.send("-", "--name", "pipe", to=(self.bob,), stdin=bytes(40_000_000), expect=None)
        self.assertEqual((refused.code, refused.error["code"]), (1, "full"), refused)
        self.assertIn("operator", refused.error["hint"])
        self.assertNotIn("pipe", [row["name"] for row in self.alice.json("sent").result["transfers"]])
        self.alice.send(self.file(3_000_000), to=(self.bob,))


class FarTooLarge(Case):
    """Mailboxes have no limit, but the store has."""

    settings = {("store", "body_max"): "16M", ("store", "quota"): "0"}

    def test_far_too_large(self):
        """100 GiB are refused before their first byte moves, and leave nothing behind."""
        path = self.work / "sparse"
        with open(path, "wb") as file:
            try:
                file.truncate(100 << 30)
            except OSError as error:
                self.skipTest(f"no file can be that long here: {error}")
        for args in ((), ("--no-padding",)):
            refused = self.alice.send(path, *args, to=(self.bob,), expect=None)
            self.assertEqual((refused.code, refused.error["code"]), (1, "full"), refused)
            self.assertEqual(moved(refused), 0, refused)
        store = self.daemon.ctl("--json", "status").result["store"]
        self.assertEqual((store["uploads"], store["transfers"], store["pieces"]), (0, 0, 0))
        path.unlink()
        sent = self.alice.send(self.file(3_000_000), to=(self.bob,)).result["id"]
        self.assertEqual([row["id"] for row in self.bob.inbox()], [sent])


class Quota(Case):
    settings = {("store", "quota"): "8M"}

    def test_mailbox_full(self):
        path = self.file(3_000_000)
        codes = [self.alice.send(path, to=(self.bob,), expect=None).code for _ in range(4)]
        self.assertEqual(codes[0], 0)
        self.assertEqual(codes[-1], 4)
        self.assertEqual(len(self.bob.inbox()), codes.count(0))
