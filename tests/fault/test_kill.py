# SPDX-License-Identifier: Apache-2.0
"""SIGKILL of the daemon at moments that nobody chose: what was acknowledged is there, nothing is half there."""
import json
import os
import pathlib
import random
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))

from harness import LEVEL, WAIT, Case, make_file, sha256  # noqa: E402

ROUNDS = {"quick": 3, "all": 10, "soak": 50}[LEVEL]
SENDERS = ("alice", "bob", "carol")
# Small ones for many commits, large ones to be caught in the middle.
SIZES = (100, 300_000, 3_000_000, 20_000_000)


class Kill(Case):
    users = (*SENDERS, "reader")

    def setUp(self):
        super().setUp()
        self.seed = int(os.environ.get("SATCHEL_TEST_SEED", random.SystemRandom().randrange(1 << 32)))
        self.random = random.Random(self.seed)
        print(f"seed {self.seed}: repeat with SATCHEL_TEST_SEED")
        self.sources = [make_file(self.work / f"source{n}", size, n) for n, size in enumerate(SIZES)]
        self.sums = {path.stat().st_size: sha256(path) for path in self.sources}

    def one_round(self, acknowledged, verb):
        """Everybody works, the daemon dies and comes back; the clients go on by themselves or give up."""
        processes = [verb(user) for user in (self.alice, self.bob, self.carol)]
        pause = threading.Event()
        pause.wait(self.random.uniform(0, 0.6))  # the moment of the kill: no event names it
        self.daemon.kill()
        self.daemon.start()
        for process in processes:
            out, err = process.communicate(timeout=WAIT * 4)
            self.assertIn(process.returncode, (0, 1, 5), err.decode())
            if process.returncode == 0:
                acknowledged += [json.loads(line)["result"] for line in out.splitlines() if b'"result"' in line]

    def check(self, tid, size):
        with tempfile.TemporaryDirectory(dir=self.work) as folder:
            out = os.path.join(folder, "got")
            result = self.reader.get(tid, "-o", out)
            self.assertTrue(result.result["verified"])
            self.assertEqual(sha256(out), self.sums[os.path.getsize(out)])
            if size is not None:
                self.assertEqual(os.path.getsize(out), size)

    def test_uploads(self):
        acknowledged = []
        for _ in range(ROUNDS):
            self.one_round(acknowledged, lambda user: user.start(
                "send", *self.random.sample(self.sources, 3), "--to", "reader"))
        self.assertNotEqual(acknowledged, [])
        visible = {row["id"]: row for row in self.reader.inbox()}
        for sent in acknowledged:
            self.assertIn(sent["id"], visible)
            self.check(sent["id"], sent["size"])
        # Sealed but never acknowledged is allowed; half a transfer is not.
        for tid in visible.keys() - {sent["id"] for sent in acknowledged}:
            self.check(tid, None)
        self.daemon.ctl("verify")

    def test_downloads_and_deletes(self):
        kept, gone = [], []
        for _ in range(ROUNDS):
            first = self.alice.send(self.sources[2], to=(self.reader,)).result["id"]
            second = self.alice.send(self.sources[0], to=(self.reader,)).result["id"]
            kept.append(first)
            with tempfile.TemporaryDirectory(dir=self.work) as folder:
                out = os.path.join(folder, "got")
                getting = self.reader.start("get", first, "-o", out)
                deleting = self.reader.start("delete", second)
                threading.Event().wait(self.random.uniform(0, 0.3))
                self.daemon.kill()
                self.daemon.start()
                for process in (getting, deleting):
                    process.communicate(timeout=WAIT * 4)
                if getting.returncode == 0:
                    self.assertEqual(sha256(out), self.sums[SIZES[2]])
                else:
                    # What is there is marked as a part; never a file that looks whole.
                    self.assertFalse(os.path.exists(out))
                if deleting.returncode == 0:
                    gone.append(second)
        visible = {row["id"] for row in self.reader.inbox()}
        self.assertLessEqual(set(kept), visible)
        self.assertFalse(set(gone) & visible)
        self.daemon.ctl("verify")
