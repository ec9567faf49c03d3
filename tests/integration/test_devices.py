# SPDX-License-Identifier: Apache-2.0
"""Encryption keys and devices of one user."""
import shutil

from harness import Case, User


class Keys(Case):
    users = ("alice", "bob")

    def test_rotate(self):
        (first,) = self.alice.json("keys").result["keys"]
        self.assertTrue(first["newest"])
        before = self.bob.send(self.file(1000), to=[self.alice]).result["id"]
        fresh = self.alice.json("keys", "rotate").result
        self.assertTrue(fresh["newest"])
        self.assertNotEqual(fresh["id"], first["id"])
        rows = self.alice.json("keys", "list").result["keys"]
        self.assertEqual([row["id"] for row in rows], [first["id"], fresh["id"]])
        self.assertEqual(self.alice.json("whoami").result["manifest"], 2)
        # What was sealed to the old one can be read, and new things go to the new one.
        self.alice.get(before, "-o", self.folder_of("out"))
        self.deliver(self.bob, self.file(2000), [self.alice])
        self.alice.json("keys", "juggle", expect=2)


class Devices(Case):
    users = ("alice", "bob", "carol")

    def test_last_one(self):
        (only,) = self.alice.json("device", "list").result["devices"]
        self.assertTrue(only["self"])
        self.assertIsNone(only["revoked"])
        self.assertEqual(self.alice.json("device", "revoke", only["id"], expect=4).error["code"], "refused")
        self.alice.json("device", "revoke", "beef", expect=3)
        self.alice.json("device", "revoke", "xyz", expect=2)
        self.alice.json("device", "revoke", expect=2)
        self.alice.json("device", "juggle", "beef", expect=2)
        self.deliver(self.alice, self.file(10), [self.bob])

    def test_stolen(self):
        """A copy of the profile is what a thief has: the same device."""
        carol = self.carol
        thief = User(self.daemon, self.work, "thief")
        shutil.copytree(carol.home, thief.home)
        waiting = self.bob.send(self.file(1000), to=[carol]).result["id"]
        seen = carol.send(self.file(500), to=[self.bob]).result["id"]
        unseen = carol.send(self.file(501), to=[self.alice]).result["id"]
        self.assertIn(seen, [row["id"] for row in self.bob.inbox()])
        device = carol.json("device").result["devices"][0]["id"]
        gone = carol.json("device", "revoke", device[:8], "--last").result
        self.assertEqual(gone["id"], device)
        self.assertIsNotNone(gone["revoked"])
        # Neither login nor a share.
        for args in (["inbox"], ["get", waiting, "-o", self.work], ["send", self.file(5), "--to", "bob"]):
            self.assertEqual(thief.json(*args, expect=4).error["code"], "auth")
        # What was seen before that was known counts; what turns up later does not, whatever its date.
        self.bob.get(seen, "-o", self.folder_of("bob"))
        refused = self.alice.get(unseen, "-o", self.folder_of("alice"), expect=4).error
        self.assertEqual(refused["code"], "revoked")
        self.assertIn("revoked since", refused["message"])
