# SPDX-License-Identifier: Apache-2.0
"""Leaving for good: what goes, what stays, and what those who stay are told."""
import shutil

from harness import Case, Terminal, User


class Leaving(Case):
    users = ("bob", "carol")

    def person(self, name):
        user = User(self.daemon, self.work, name)
        user.register()
        return user

    def test_what_goes_and_what_stays(self):
        dora = self.person("dora")
        opened = dora.send(self.file(5000), to=(self.bob, self.carol)).result["id"]
        received = self.bob.send(self.file(5000), to=(dora,)).result["id"]
        self.bob.get(opened, "-o", self.work / "first")
        copy = self.work / "copy"
        shutil.copytree(dora.home, copy)
        gone = dora.leave().result
        self.assertEqual(gone, {"deleted": "dora", "user_id": dora.uid})
        # Here: nothing is left of the profile.
        self.assertEqual(list((dora.home / "profiles").iterdir()), [])
        self.assertEqual(dora.json("whoami", expect=3).error["code"], "notfound")
        # A copy of it, or another device, is worth nothing.
        dora.home = copy
        self.assertEqual(dora.json("inbox", expect=4).error["code"], "auth")
        again = dora.leave(expect=4)
        self.assertIn("profile reset", again.error["hint"])
        # Bob had opened it, Carol had not.
        self.bob.get(opened, "-o", self.work / "second")
        self.assertEqual((self.work / "second").read_bytes(), (self.work / "file.bin").read_bytes())
        self.assertEqual(self.carol.get(opened, "-o", self.work / "third", expect=4).error["code"], "revoked")
        shown = self.bob.json("status", received).result
        self.assertEqual([row["state"] for row in shown["recipients"]], ["deleted"])
        # Nothing reaches her, not as the contact she is, nor by what she was called.
        self.assertEqual(self.bob.send(self.file(10), to=(dora,), expect=3).error["code"], "notfound")
        self.assertEqual(self.carol.send(self.file(10), to=("dora",), expect=3).error["code"], "notfound")

    def test_the_name_goes_to_nobody(self):
        emil, thief = self.person("emil"), User(self.daemon, self.work, "thief")
        self.bob.send(self.file(10), to=(emil,))
        emil.leave()
        thief.name = "emil"
        refused = thief.register(expect=4)
        self.assertIn("username is taken", refused.error["message"])
        # The address may be somebody else's now: who knew it as Emil's is stopped, or does not reach it.
        thief.name, thief.email = "thief", emil.email
        thief.register()
        self.bob.send(self.file(10), to=(emil,), expect=3)
        self.assertEqual(thief.inbox(), [])

    def test_it_must_be_meant(self):
        frida = self.person("frida")
        refused = frida.json("account", "delete", expect=4)
        self.assertIn("nothing was deleted", refused.error["message"])
        self.assertIn("--yes frida", refused.error["hint"])
        frida.json("account", "delete", "--yes", "bob", expect=2)
        frida.json("account", "remove", "--yes", "frida", expect=2)
        frida.json("account", expect=2)
        self.assertEqual(frida.inbox(), [])

    def test_a_device_is_not_enough(self):
        """Who has taken it has the identity key; not the words."""
        heinz = self.person("heinz")
        refused = heinz.json("account", "delete", "--yes", "heinz", expect=4).error
        self.assertEqual(refused["code"], "factor")
        self.assertIn("recovery words", refused["message"])
        self.assertIn("--words-fd", refused["hint"])
        refused = heinz.leave(self.person("ida").words, expect=4).error
        self.assertIn("not the recovery key's", refused["message"])
        heinz.leave("not words", expect=2)
        heinz.leave(heinz.words, "--otp-fd", "0", expect=2)
        self.assertEqual(heinz.inbox(), [])
        heinz.leave()

    def on_terminal(self, user, words, expect=0):
        """Delete the account of ${user}, who types the name and ${words}; gives what was shown."""
        terminal = Terminal(user, "account", "delete")
        terminal.until(rf"name \({user.name}\): ")
        terminal.type(user.name)
        terminal.until("24 recovery words: ")
        terminal.type(words)
        return terminal.end(expect)

    def test_on_a_terminal(self):
        jutta = self.person("jutta")
        self.on_terminal(jutta, "", expect=4)
        self.assertIn("is deleted", self.on_terminal(jutta, jutta.words))

    def test_a_deleted_user_is_none_to_the_operator(self):
        gustav = self.person("gustav")
        gustav.leave()
        shown = self.daemon.ctl("--json", "users").text
        self.assertNotIn("gustav", shown)
        self.assertNotIn(gustav.email, shown)
        self.daemon.ctl("verify")
