# SPDX-License-Identifier: Apache-2.0
"""Several users on one machine: none knows of the others."""
import contextlib
import os
import pathlib
import time

from harness import WAIT, Case, User


class Profiles(Case):
    users = ("bob",)

    def setUp(self):
        super().setUp()
        self.home = User(self.daemon, self.work, "home")

    def add(self, profile, name):
        """Another user in a profile of the home."""
        self.home.name, self.home.email = name, f"{name}@example.org"
        return self.home.register("--profile", profile).result["user_id"]

    def names(self):
        return [(row["name"], row["state"], row["username"], row["used"])
                for row in self.home.json("profile", "list").result["profiles"]]

    def who(self, *args, **options):
        return self.home.json("whoami", *args, **options).result["name"]

    def test_list_and_use(self):
        self.assertEqual(self.names(), [])
        self.assertIn("'satchel register' makes one", self.home.run("profile").errors)
        self.home.json("profile", "use", "work", expect=3)
        self.add("default", "pat")
        self.add("work", "pat.work")
        self.assertEqual(self.names(), [("default", "active", "pat", True), ("work", "active", "pat.work", False)])
        row = self.home.json("profile").result["profiles"][1]
        self.assertEqual((row["server"], row["passphrase"]), (self.daemon.server, False))
        self.home.json("profile", "use", "work")
        self.assertEqual(self.who(), "pat.work")
        # What is named counts more: the option, then the environment.
        env = {"SATCHEL_PROFILE": "default"}
        self.assertEqual(self.who(env=env), "pat")
        self.assertEqual(self.who("--profile", "work", env=env), "pat.work")
        self.assertEqual([used for _, _, _, used in self.names()], [False, True])
        self.home.json("profile", "use", "nobody", expect=3)
        self.home.json("profile", "use", "..", expect=2)
        self.home.json("profile", "use", expect=2)
        self.home.json("profile", "juggle", "work", expect=2)
        # A choice that cannot be read is told, not guessed.
        (self.home.home / "profile").write_text("../work\n")
        self.assertEqual(self.home.json("whoami", expect=7).error["code"], "corrupt")
        self.home.json("profile", "use", "default")
        self.assertEqual(self.who(), "pat")

    def test_help_is_a_word_too(self):
        self.assertEqual(self.home.run("help").text, self.home.run("--help").text)
        self.assertEqual(self.home.run("help", "send").text, self.home.run("send", "--help").text)
        self.assertIn("unknown verb 'frob'", self.home.run("help", "frob", expect=2).errors)

    def test_nothing_leaks(self):
        """Contacts, keys, mail and settings of one are not the other's, and no file of one holds them."""
        one, two = self.add("one", "una"), self.add("two", "duo")
        self.home.json("contacts", "add", "bob", "--name", "Robert-of-one", "--profile", "one")
        self.assertEqual(self.home.json("contacts", "--profile", "two").result["contacts"], [])
        self.home.json("send", self.file(10), "--to", "Robert-of-one", "--profile", "two", expect=2)
        tid = self.bob.send(self.file(500), to=["una"]).result["id"]
        self.assertEqual(self.home.json("inbox", "--profile", "two").result["transfers"], [])
        self.home.json("get", tid, "-o", self.work, "--profile", "two", expect=3)
        self.home.json("get", tid, "-o", self.folder_of("out"), "--profile", "one")
        ids = {name: self.home.json("whoami", "--profile", name).result for name in ("one", "two")}
        self.assertNotEqual(ids["one"]["device"], ids["two"]["device"])
        folders = {name: self.home.home / "profiles" / name for name in ("one", "two")}
        for name, others in (("one", (two, "duo")), ("two", (one, "una"))):
            for path in folders[name].rglob("*"):
                if path.is_file():
                    data = path.read_bytes()
                    for needle in (*others, "Robert-of-one"):
                        self.assertNotIn(needle.encode(), data, path)
            secrets = {path.read_bytes() for path in folders[name].glob("device")}
            other = "two" if name == "one" else "one"
            self.assertFalse(secrets & {path.read_bytes() for path in folders[other].glob("device")})

    def test_reset(self):
        self.add("default", "rae")
        self.add("work", "rae.work")
        self.home.json("profile", "use", "work")
        folder = self.home.home / "profiles" / "work"
        self.assertEqual(self.home.json("profile", "reset", "work", expect=4).error["code"], "refused")
        self.home.json("profile", "reset", "work", "--yes", "default", expect=2)
        self.assertTrue((folder / "settings").exists())
        self.assertEqual(self.home.json("profile", "reset", "work", "--yes", "work").result["removed"], "work")
        self.assertFalse(folder.exists())
        # The choice went with it; the other profile is as it was.
        self.assertEqual(self.names(), [("default", "active", "rae", True)])
        self.assertEqual(self.who(), "rae")
        self.home.json("profile", "reset", "work", "--yes", "work", expect=3)
        gone = self.home.json("profile", "reset", "work", expect=3).error
        self.assertNotIn("--yes", gone["hint"])
        refused = self.home.json("--profile", "work", "lock", expect=3)
        self.assertEqual(refused.error["message"], "there is no profile 'work'")
        # Without a name it is the one in use.
        self.home.json("profile", "reset", "--yes", "default")
        self.assertEqual(self.names(), [])

    def test_reset_what_is_damaged(self):
        """Also one that a crash left in the middle of going."""
        for name, spoil in (("a", "settings"), ("b", "vault"), ("c", "device")):
            self.add(name, f"sam.{name}")
            folder = self.home.home / "profiles" / name
            if spoil == "settings":
                (folder / spoil).write_text("nonsense")
            else:
                os.unlink(folder / spoil)
            self.home.json("profile", "reset", name, "--yes", name)
            self.assertFalse(folder.exists())
        # What is not ours stays, and is told.
        self.add("d", "sam.d")
        folder = self.home.home / "profiles" / "d"
        (folder / "diary").write_text("mine")
        self.home.json("profile", "reset", "d", "--yes", "d", expect=7)
        self.assertEqual(os.listdir(folder), ["diary"])

    def test_a_lost_file_is_named(self):
        """The keys beside it stay; only who says so by name removes them."""
        self.add("default", "lea")
        folder = self.home.home / "profiles" / "default"
        self.home.name, self.home.email = "mia", "mia@example.org"
        verbs = (("inbox",), ("send", self.file(10), "--to", "bob"), ("whoami",),
                 ("register", "--server", self.daemon.server, "--pin", self.daemon.pin, "--name", "mia",
                  "--email", "mia@example.org", "--no-passphrase"))
        for name, lose in (("settings", os.unlink), ("settings", lambda path: path.write_text("")),
                           ("device", os.unlink)):
            kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
            lose(folder / name)
            left = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
            for verb in verbs if name == "settings" else verbs[:3]:
                error = self.home.json(*verb, expect=7).error
                self.assertEqual(error["code"], "corrupt", verb)
                self.assertIn(str(folder / name), error["message"], verb)
                self.assertIn("satchel recover", error["hint"], verb)
                self.assertIn("--profile", error["hint"], verb)
            self.assertEqual(self.names()[0][1], "damaged" if name == "settings" else "active")
            self.assertEqual(left, {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()})
            for path, data in kept.items():
                path.write_bytes(data)
            self.assertEqual(self.who(), "lea")

    @staticmethod
    def agents(user):
        """Processes of satchel that keep keys of this user."""
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (entry / "cmdline").read_bytes().split(b"\0")[1:2] == [b"agent"] and \
                        os.fsencode(f"SATCHEL_HOME={user.home}") in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(entry.name)
        return found

    def test_the_agent_ends(self):
        # A passphrase is set afterwards: scrypt may take its time on a busy machine, with nobody waiting.
        user = User(self.daemon, self.work, "locked")
        user.name = user.email = "lou"
        user.email += "@example.org"
        user.register()
        read, write = os.pipe()
        os.write(write, b"a passphrase\n" * 2)
        user.json("passphrase", "--new-fd", read, pass_fds=(read,))
        user.json("unlock", "--passphrase-fd", read, pass_fds=(read,))
        user.json("whoami")
        self.assertEqual(len(self.agents(user)), 1)
        user.json("profile", "reset", "--yes", "default")
        for _ in range(WAIT * 10):
            if not self.agents(user):
                break
            time.sleep(0.1)
        self.assertEqual(self.agents(user), [])
        os.close(read)
        os.close(write)
