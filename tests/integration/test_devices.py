# SPDX-License-Identifier: Apache-2.0
"""Encryption keys and devices of one user."""
import os
import shutil

from harness import Case, User, program, run

BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def user_id_hex(text):
    """The 20 bytes of a user ID, behind its prefix and before its checksum."""
    number = 0
    for letter in text[4:-6]:
        number = number << 5 | BECH32.index(letter)
    return number.to_bytes(20, "big").hex()


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
        missing = self.alice.json("device", "revoke", expect=2).error
        self.assertEqual(missing["message"], "device revoke: ID is missing")
        self.assertIn("satchel device list", missing["hint"])
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

    def swap_store(self, *steps):
        """The daemon stops, somebody who has the server does something to its store, it starts again."""
        self.daemon.stop()
        for step in steps:
            step()
        self.daemon.start()

    def test_dated_back(self):
        """
        A thief with the keys of a revoked device, and a server that takes part: it forgets the revocation, lets the
        thief send with a clock that is behind, and remembers again.
        """
        dave, thief, erin = (User(self.daemon, self.work, name) for name in ("dave", "thief", "erin"))
        for user in (dave, erin):
            user.register()
        self.deliver(dave, self.file(10), [self.bob])  # bob knows him
        shutil.copytree(dave.home, thief.home)
        store, before, manifest = self.daemon.data / "store", self.work / "before", self.work / "manifest"

        def tool(verb):
            run([program("store_manifest"), verb, store, user_id_hex(dave.uid), "2", manifest])

        self.swap_store(lambda: shutil.copytree(store, before))
        device = dave.json("device").result["devices"][0]["id"]
        dave.json("device", "revoke", device, "--last")
        self.assertEqual(thief.send(self.file(20), to=[self.bob], expect=4).error["code"], "auth")
        self.assertEqual(self.bob.json("contacts", "add", "dave").result["manifest"], 2)
        self.swap_store(lambda: tool("get"), lambda: shutil.rmtree(store), lambda: shutil.copytree(before, store))
        clock = self.work / "clock"
        clock.write_text(str(-3600 * 1000))
        options = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        behind = {"LD_PRELOAD": str(program("clock_shift.so")), "SATCHEL_TEST_CLOCK": str(clock),
                  "ASAN_OPTIONS": options}
        revoked = dave.json("device").result["devices"][0]["revoked"]
        early, to_erin = (thief.send(self.file(30), to=[user], env=behind).result for user in (self.bob, erin))
        self.assertLess(early["created"], revoked)
        early, late = early["id"], thief.send(self.file(40), to=[self.bob]).result["id"]
        # Who has never heard of the revocation has no way to know: so the test can fail.
        erin.get(to_erin["id"], "-o", self.work / "erin")
        self.swap_store(lambda: tool("put"))
        thief.json("inbox", expect=4)
        refused = self.bob.get(early, "-o", self.work / "bob", expect=4).error
        self.assertEqual(refused["code"], "revoked")
        self.assertIn("revoked since", refused["message"])
        refused = self.bob.get(late, "-o", self.work / "bob", expect=4).error
        self.assertIn("revoked", refused["message"])
        self.assertFalse((self.work / "bob").exists())
        rows = {row["id"]: row for row in self.bob.inbox("--all")}
        self.assertEqual([rows[tid]["name"] for tid in (early, late)], [None, None])
