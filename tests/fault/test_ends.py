# SPDX-License-Identifier: Apache-2.0
"""Revocation and expiry, killed at each of their writes, and a store from before them: no share comes back."""
import os
import pathlib
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))

from harness import BUILD, LEVEL, WAIT, Case, User  # noqa: E402

CALLS = "pwrite64,pwritev,fdatasync,fsync,msync"
MOST = {"quick": 2, "all": 4, "soak": 12}[LEVEL]  # writes of a thread at which it is killed


class Killed(Case):
    """SIGKILL at the n-th write of each thread of the daemon."""

    users = ("alice", "bob")
    settings = {("limits", "min_lifetime"): "1s"}

    def setUp(self):
        super().setUp()
        if shutil.which("strace") is None:
            self.skipTest("strace is not installed")

    def threads(self):
        return sorted(int(tid) for tid in os.listdir(f"/proc/{self.daemon.process.pid}/task"))

    def writers(self, change):
        """Places, among the daemon's threads, of those that write while something ends."""
        counts = self.work / "counts"
        tids = self.threads()
        trace = subprocess.Popen(["strace", "-f", "-o", counts, "-e", f"trace={CALLS}", "-p",
                                  str(self.daemon.process.pid)], stderr=subprocess.PIPE)
        trace.stderr.readline()
        change()
        trace.terminate()
        trace.wait(WAIT)
        trace.stderr.close()
        seen = {int(line.split()[0]) for line in counts.read_text().splitlines() if "(" in line}
        return [place for place, tid in enumerate(tids) if tid in seen]

    def attach(self, place, when):
        """Kill the daemon at that write of one of its threads."""
        trace = subprocess.Popen(["strace", "-o", os.devnull, "-e", f"trace={CALLS}", "-e",
                                  f"inject={CALLS}:signal=KILL:when={when}", "-p", str(self.threads()[place])],
                                 stderr=subprocess.PIPE)
        trace.stderr.readline()  # it says that it is attached
        return trace

    def recover(self, trace):
        """True if the daemon was killed; it serves again afterwards."""
        trace.terminate()  # from here on nothing kills it; what was sent before arrives
        trace.wait(WAIT)
        trace.stderr.close()
        try:
            self.daemon.process.wait(0.5)
            dead = True
        except subprocess.TimeoutExpired:
            dead = False
        if dead:
            self.daemon.process = None
            self.daemon.notify.close()
            self.daemon.start()
        return dead

    def opens(self, tid):
        """Can bob open it?  Asked twice: a refusal is for good."""
        first = self.bob.get(tid, "-o", self.work / f"got-{tid}", "--force", expect=None)
        self.assertIn(first.code, (0, 4), first)
        if first.code == 4:
            again = self.bob.get(tid, "-o", self.work / f"got-{tid}", expect=4)
            self.assertEqual(again.error["code"], first.error["code"])
            self.assertIn(first.error["code"], ("revoked", "expired"))
        return first.code == 0

    def test_revoke(self):
        path, kills, outcomes = self.file(10), 0, set()
        tid = self.alice.send(path, to=(self.bob,)).result["id"]
        places = self.writers(lambda: self.alice.json("revoke", tid))
        self.assertGreaterEqual(len(places), 2, "the store and the keys have writers of their own")
        for place in places:
            for when in range(1, MOST + 1):
                tid = self.alice.send(path, to=(self.bob,)).result["id"]
                trace = self.attach(place, when)
                result = self.alice.json("revoke", tid, expect=None)
                killed = self.recover(trace)
                kills += killed
                self.assertTrue(killed or result.code == 0, result)
                open_now = self.opens(tid)
                if result.code == 0:
                    self.assertFalse(open_now, "it was answered")
                outcomes.add((killed, open_now))
                if not killed:
                    break
        self.assertGreater(kills, 2)
        self.assertIn((True, True), outcomes)   # undone,
        self.assertIn((True, False), outcomes)  # and done
        self.daemon.ctl("verify")

    def leaver(self, name):
        """A user with mail, sent and received, and a copy of his profile that stays."""
        user = User(self.daemon, self.work, name)
        user.register()
        sent = [user.send(self.file(10), to=(self.bob,)).result["id"] for _ in range(2)]
        received = self.alice.send(self.file(10), to=(user,)).result["id"]
        shutil.copytree(user.home, self.work / f"copy-{name}")
        return user, sent, received

    def test_delete_account(self):
        """Either he is there, with all his mail, or he is gone, and then all of it goes."""
        kills, outcomes, number = 0, set(), 0
        user, _, _ = self.leaver("leaver")
        places = self.writers(user.leave)
        self.assertGreaterEqual(len(places), 2, "the store and the keys have writers of their own")
        for place in places:
            for when in range(1, MOST + 1):
                number += 1
                name = f"leaver{number}"
                user, sent, received = self.leaver(name)
                trace = self.attach(place, when)
                result = user.leave(expect=None)
                killed = self.recover(trace)
                kills += killed
                self.assertTrue(killed or result.code == 0, result)
                user.home = self.work / f"copy-{name}"
                gone = user.json("inbox", expect=None).code == 4
                outcomes.add((killed, gone))
                if result.code == 0:
                    self.assertTrue(gone, "it was answered")
                if gone:
                    self.wait_gone(sent, received)
                else:
                    self.assertTrue(user.get(received, "-o", self.work / name).result["verified"])
                    self.assertTrue(all(self.opens(tid) for tid in sent))
                if not killed:
                    break
        self.assertGreater(kills, 2)
        self.assertIn((True, False), outcomes)  # undone,
        self.assertIn((True, True), outcomes)   # and done
        self.daemon.ctl("verify")

    def wait_gone(self, sent, received):
        """Until the collector has brought it to its end: nothing he sent opens, his copy is deleted."""
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            (row,) = self.alice.json("status", received).result["recipients"]
            if row["state"] == "deleted":
                break
            time.sleep(0.1)
        else:
            self.fail("it was never brought to its end")
        self.assertFalse(any(self.opens(tid) for tid in sent))

    def test_expiry(self):
        path, kills = self.file(10), 0
        tid = self.alice.send(path, "--expires", "5s", to=(self.bob,)).result["id"]
        places = self.writers(lambda: self.wait_expired(tid))
        for place in places:
            for when in range(1, MOST + 1):
                tid = self.alice.send(path, "--expires", "5s", to=(self.bob,)).result["id"]
                end = time.monotonic() + 5
                trace = self.attach(place, when)
                self.wait_expired(tid)
                killed = self.recover(trace)
                kills += killed
                # It may have died of something it wrote before: cells are keyed ahead of their use.
                time.sleep(max(0, end - time.monotonic()))
                self.assertFalse(self.opens(tid))
                if not killed:
                    break
        self.assertGreater(kills, 2)
        self.daemon.ctl("verify")

    def wait_expired(self, tid):
        """Until the collector has ended it, or the daemon has died of that."""
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            if self.daemon.process.poll() is not None:
                return
            shown = self.alice.json("status", tid, expect=None)
            if shown.code == 0 and "expired" in [event["event"] for event in shown.result["log"]]:
                return
            time.sleep(0.1)
        self.fail("it never expired")


class Restored(Case):
    """The clock is moved; then the store comes back from a backup taken before."""

    users = ()

    def daemon_at(self, shift):
        """The daemon with its clock so many hours ahead."""
        library = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
        if library is None:
            self.skipTest("libfaketime is not installed")
        preload = str(library)
        if BUILD.name in ("asan", "clang"):
            self.skipTest("a sanitizer does not run with libfaketime")
        self.daemon.env = {"LD_PRELOAD": preload, "FAKETIME": f"+{shift}h", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        self.daemon.start()

    def copy(self, source, target):
        if target.is_dir():
            shutil.rmtree(target)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy2(source, target)

    def test_expired(self):
        alice, bob = User(self.daemon, self.work, "alice"), User(self.daemon, self.work, "bob")
        alice.register()
        bob.register()
        tid = alice.send(self.file(300_000), "--expires", "2h", to=(bob,)).result["id"]
        self.daemon.stop()
        store, keys = self.daemon.data / "store", self.daemon.data / "erasable.keys"
        self.copy(store, self.work / "store")
        self.copy(keys, self.work / "keys")
        self.daemon_at(3)
        refused = bob.get(tid, "-o", self.work / "a", expect=4)
        self.assertEqual(refused.error["code"], "expired")
        end = time.monotonic() + WAIT
        while "expired" not in [event["event"] for event in alice.json("status", tid).result["log"]]:
            self.assertLess(time.monotonic(), end, "it did not expire")
            time.sleep(0.1)
        self.daemon.stop()
        # The store says that it is open, the clock too, and bob has all his keys.
        self.copy(self.work / "store", store)
        self.daemon.env = {}
        self.daemon.start()
        self.assertEqual(bob.get(tid, "-o", self.work / "a", expect=4).error["code"], "expired")
        self.assertFalse((self.work / "a").exists())
        self.daemon.stop()
        # With the keys from before it opens: so the test can fail.
        self.copy(self.work / "store", store)
        self.copy(self.work / "keys", keys)
        self.daemon.start()
        bob.get(tid, "-o", self.work / "a")
