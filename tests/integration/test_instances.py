# SPDX-License-Identifier: Apache-2.0
"""Another key network for a daemon that serves: what was sealed with the one before stays open."""
import hashlib
import os
import shutil

from harness import SLOW, WAIT, Case, Failed, program, run, sha256


class Rotation(Case):
    users = ("alice", "bob")

    def train(self, **options):
        return run([program("satcheld"), "train", "--config", self.daemon.config], timeout=300 * SLOW, **options)

    def rows(self):
        result = self.daemon.ctl("--json", "instance", "list").result
        return {row["id"]: row for row in result["instances"]}

    def current(self):
        (row,) = [row for row in self.rows().values() if row["state"] == "current"]
        return row["id"]

    def weights(self):
        return hashlib.sha256((self.daemon.data / "keynet.weights").read_bytes()).hexdigest()[:32]

    def wait_until_gone(self, instance):
        """The list makes the daemon look; each look is an answer later."""
        for _ in range(WAIT):
            rows = self.rows()
            if instance not in rows:
                return
            self.daemon.ctl("verify")
        raise Failed(f"{rows}\n{self.daemon.log_tail()}")

    def test_old_and_new(self):
        self.assertIn("satcheld train", self.daemon.ctl("instance", "rotate", expect=1).errors)
        first = self.current()
        self.assertEqual(first, self.weights())
        path = self.file(600_000)
        before = self.alice.send(path, to=(self.bob,)).result["id"]
        short = self.alice.send(self.file(1000, "short"), to=(self.bob,)).result["id"]
        self.assertEqual(self.rows()[first]["slots"], 4)
        self.train()
        waiting = [row for row in self.rows().values() if row["state"] == "next"]
        self.assertEqual([row["slots"] for row in waiting], [0])
        self.assertEqual(self.current(), first)  # trained is not in use
        done = self.daemon.ctl("--json", "instance", "rotate").result
        self.assertEqual((done["id"], done["previous"]), (waiting[0]["id"], first))
        self.assertEqual(self.weights(), done["id"])
        after = self.alice.send(path, to=(self.bob,)).result["id"]
        rows = self.rows()
        self.assertEqual({row["id"]: (row["state"], row["slots"]) for row in rows.values()},
                         {done["id"]: ("current", 2), first: ("old", 4)})
        self.assertGreater(rows[done["id"]]["made"], rows[first]["made"])
        self.bob.get(short, "-o", self.work / "got-short")
        self.daemon.kill()
        self.daemon.start()
        for tid in (before, after):
            self.bob.get(tid, "-o", self.work / tid)
            self.assertEqual(sha256(self.work / tid), sha256(path))
        kept = self.daemon.data / "instances" / f"{first}.weights"
        self.assertTrue(kept.exists())
        self.assertEqual(kept.stat().st_mode & 0o077, 0)
        self.assertIn("slots need it", self.daemon.ctl("instance", "list").text)
        for tid in (before, short):  # nobody needs the first one any more
            self.alice.json("revoke", tid)
            self.alice.json("delete", tid)
        self.wait_until_gone(first)
        self.assertEqual([path.name for path in (self.daemon.data / "instances").iterdir()], [])
        self.bob.get(after, "-o", self.work / "again")
        self.daemon.stop()
        self.daemon.start()
        self.bob.get(after, "-o", self.work / "and-again")

    def test_usage(self):
        self.daemon.ctl("instance", expect=2)
        self.daemon.ctl("instance", "list", "x", expect=2)
        run([program("satcheld"), "train"], expect=2)
        run([program("satcheld"), "train", "--config", self.work / "none"], expect=1)

    def test_what_is_no_key_network(self):
        first = self.current()
        waiting = self.daemon.data / "keynet.next"
        waiting.write_bytes(os.urandom(1000))
        self.assertIn("taken", self.daemon.ctl("instance", "rotate", expect=1).errors)
        shutil.copy(self.daemon.data / "keynet.weights", waiting)
        self.assertIn("in use already", self.daemon.ctl("instance", "rotate", expect=1).errors)
        self.assertEqual(self.current(), first)
        self.deliver(self.alice, self.file(1000), (self.bob,))

    def test_a_folder_without_one(self):
        config = self.work / "conf"
        data = self.folder_of("data")
        config.write_text(f"[server]\ndata = {data}\n")
        self.assertIn("satcheld init", run([program("satcheld"), "train", "--config", config], expect=1).errors)
        self.assertEqual(list(data.iterdir()), [])
