# SPDX-License-Identifier: Apache-2.0
"""Files go from one user to others and come back identical; the daemon learns nothing of them."""
import datetime
import fcntl
import os
import re
import time
import unittest

from harness import LEVEL, SLOW, TREE, Case, Daemon, User, make_file, sha256

HOSTILE = " two  spaces 'single' \"double\" \\ back\nnew line \x1b[31m tab\t$(id) \u00e4\u5b57.txt "
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Sizes(Case):
    def check(self, size):
        self.deliver(self.alice, self.file(size), (self.bob, self.carol))
        for folder in self.work.iterdir():
            if folder.is_dir():
                self.assertFalse([name for name in os.listdir(folder) if "satchel-part" in name])

    def test_around_the_borders(self):
        for size in (0, 1, 4095, 4096, 16383, 16384, 16385, 262143, 262144, 262145, 524288):
            with self.subTest(size=size):
                self.check(size)

    def test_many_pieces(self):
        self.check(10_000_001)

    @unittest.skipIf(LEVEL == "quick", "one GiB: in all and soak")
    def test_gib(self):
        path = self.file(1 << 30)
        tid = self.alice.send(path, to=(self.bob, self.carol), timeout=600 * SLOW).result["id"]
        for user in (self.bob, self.carol):
            out = self.work / user.name
            self.assertEqual(user.get(tid, "-o", out, timeout=600 * SLOW).result["size"], 1 << 30)
            self.assertEqual(sha256(out), sha256(path))
            out.unlink()


class Exchange(Case):
    def test_picture(self):
        self.deliver(self.alice, TREE / "tests" / "data" / "picture.jpg", (self.bob, self.carol))
        self.assertIn("image/jpeg", [row["media_type"] for row in self.bob.inbox()])

    def test_hostile_name(self):
        path = make_file(self.work / HOSTILE, 5000)
        tid = self.alice.send(path, to=(self.bob, self.carol)).result["id"]
        for user in (self.bob, self.carol):
            out = self.folder_of(user.name)
            # Printed for people: control characters must not reach the terminal.
            shown = user.run("get", tid, "-o", out, env={"LC_ALL": "C"})
            self.assertNotIn(b"\x1b", shown.out + shown.err)
            # What a terminal would act upon has no place in a name, unless it is asked for.
            self.assertEqual(os.listdir(os.fsencode(out)), [re.sub(r"[\n\t\x1b]", "_", HOSTILE).encode()])
            self.assertIn("is called", shown.errors)
            user.get(tid, "-o", out / HOSTILE)
            self.assertEqual(sha256(out / HOSTILE), sha256(path))
            listed = user.run("inbox")
            self.assertNotIn(b"\x1b", listed.out)
            self.assertIn(HOSTILE, [row["name"] for row in user.inbox()])

    def test_name_that_would_be_read(self):
        """A sender does not choose what a shell reads at its start."""
        path = self.file(50)
        for name, here in ((".bash_login", "_bash_login"), ("-rf", "_rf"), ("a.-b", "a.-b")):
            tid = self.alice.send(path, "--name", name, to=(self.bob,)).result["id"]
            out = self.folder_of(f"out{here}")
            got = self.bob.run("--json", "get", tid, cwd=out)
            self.assertEqual((got.result["name"], got.result["path"]), (name, f"./{here}"))
            told = [item for item in got.objects if item.get("event") == "renamed"]
            self.assertEqual(len(told), int(name != here))
            self.assertEqual(os.listdir(out), [here])
        folder = self.folder_of(".ssh")
        make_file(folder / ".config", 10)
        tid = self.alice.send(folder, to=(self.bob,)).result["id"]
        out = self.folder_of("folders")
        self.bob.get(tid, "-o", out)
        self.assertTrue((out / "_ssh" / ".config").exists())
        self.bob.get(tid, "-o", out / ".ssh")
        self.assertTrue((out / ".ssh" / ".config").exists())

    def test_name_that_is_not_utf8(self):
        path = os.path.join(os.fsencode(self.work), b"latin-\xe4.txt")
        make_file(path, 100)
        tid = self.alice.send(path, to=(self.bob,)).result["id"]
        out = self.folder_of("out")
        self.bob.get(tid, "-o", out)
        self.assertEqual(os.listdir(os.fsencode(out)), [b"latin-\xe4.txt"])

    def test_into_a_pipe(self):
        path = self.file(300_000)
        tid = self.alice.send(path, "--name", "another name", to=(self.bob,)).result["id"]
        self.assertEqual(self.bob.run("get", tid, "-o", "-").out, path.read_bytes())
        self.assertIn("another name", [row["name"] for row in self.bob.inbox()])

    def test_several_files_in_order(self):
        paths = [self.file(1000 + n, f"f{n}", n) for n in range(3)]
        sent = self.alice.send(*paths, to=(self.bob,)).results
        self.assertEqual([row["size"] for row in sent], [1000, 1001, 1002])
        self.assertEqual(len({row["id"] for row in sent}), 3)
        for row, path in zip(sent, paths):
            out = self.work / "got"
            self.bob.get(row["id"], "-o", out, "--force")
            self.assertEqual(sha256(out), sha256(path))

    def test_first_failure_decides(self):
        good = self.file(10)
        result = self.alice.send(self.work / "absent", good, to=(self.bob,), expect=None)
        self.assertNotEqual(result.code, 0)
        self.assertEqual(len(result.results), 1)
        self.assertIn("absent", result.error["message"])

    def test_to_oneself(self):
        self.deliver(self.alice, self.file(7777), (self.alice,))

    def test_time_of_a_file(self):
        path = self.file(100)
        os.utime(path, (1_000_000_000, 1_000_000_000))
        tid = self.alice.send(path, to=(self.bob,)).result["id"]
        self.bob.get(tid, "-o", self.work / "x")
        self.assertEqual(int(os.stat(self.work / "x").st_mtime), 1_000_000_000)

    def test_mode_of_a_file(self):
        """That of a new file here, whatever it was at the sender's: his executable is not ours."""
        path = self.file(10)
        path.chmod(0o4755)
        tid = self.alice.send(path, to=(self.bob,)).result["id"]
        old = os.umask(0o027)
        self.addCleanup(os.umask, old)
        for umask, mode in ((0o027, 0o640), (0o077, 0o600), (0o002, 0o664)):
            os.umask(umask)
            got = self.bob.get(tid, "-o", self.work / f"{mode:o}").result
            self.assertEqual(os.stat(got["path"]).st_mode & 0o7777, mode)

    def test_where_it_goes(self):
        path = self.file(50, "named.bin")
        tid = self.alice.send(path, to=(self.bob,)).result["id"]
        with self.subTest("a name"):
            self.assertEqual(self.bob.get(tid, "-o", self.work / "other").result["path"], str(self.work / "other"))
        with self.subTest("a folder that is there"):
            self.bob.get(tid, "-o", self.folder_of("there"))
            self.assertEqual(sha256(self.work / "there" / "named.bin"), sha256(path))
        with self.subTest("a folder that is made"):
            self.bob.get(tid, "-o", f"{self.work}/made/")
            self.assertEqual(sha256(self.work / "made" / "named.bin"), sha256(path))
        with self.subTest("never over something else"):
            (self.work / "mine").write_text("mine")
            self.assertNotEqual(self.bob.get(tid, "-o", self.work / "mine", expect=None).code, 0)
            self.assertEqual((self.work / "mine").read_text(), "mine")
        with self.subTest("unless asked to"):
            self.bob.get(tid, "-o", self.work / "mine", "--force")
            self.assertEqual(sha256(self.work / "mine"), sha256(path))

    def test_inbox_rows(self):
        path = self.file(123, "row.txt")
        tid = self.alice.send(path, "--expires", "2d", to=(self.bob,)).result["id"]
        rows = self.bob.inbox()
        row = rows[-1]
        self.assertEqual(row["id"], tid)
        self.assertRegex(tid, "^[0-9a-f]{32}$")
        self.assertEqual((row["from"], row["from_id"], row["name"], row["size"]), ("alice", self.alice.uid, "row.txt", 123))
        for field in ("created", "expires"):
            self.assertRegex(row[field], TIME)
        created, expires = (datetime.datetime.fromisoformat(row[field][:-1]) for field in ("created", "expires"))
        self.assertEqual(expires - created, datetime.timedelta(days=2))
        self.assertEqual([other["created"] for other in rows], sorted(other["created"] for other in rows))
        # Some seconds are gone already: what is left is told to the nearest.
        self.assertRegex(self.bob.run("inbox").text, r"row\.txt .* 2d +stored\n$")

    def test_short_id(self):
        path = self.file(99)
        tid = self.alice.send(path, to=(self.bob,)).result["id"]
        others = [row["id"] for row in self.bob.inbox() if row["id"] != tid]
        length = next(n for n in range(4, 33) if not any(other[:n] == tid[:n] for other in others))
        self.bob.get(tid[:length], "-o", self.work / "short")
        self.assertEqual(sha256(self.work / "short"), sha256(path))

    def test_sent_status_delete(self):
        tid = self.alice.send(self.file(5), to=(self.bob, self.carol)).result["id"]
        self.assertIn(tid, [row["id"] for row in self.alice.json("sent").result["transfers"]])
        status = self.alice.json("status", tid).result
        self.assertEqual((status["name"], status["kind"], status["size"]), ("file.bin", "file", 5))
        self.assertIsNone(status["message"])
        self.bob.json("delete", tid)
        self.assertNotIn(tid, [row["id"] for row in self.bob.inbox()])
        self.assertEqual(self.bob.get(tid, "-o", self.work / "x", expect=3).error["code"], "notfound")
        # Deleting is the recipient's own affair.
        refused = self.alice.json("delete", tid, expect=4).error
        self.assertEqual(refused["code"], "refused")
        self.assertIn("'carol' can still open", refused["message"])
        self.assertIn(f"satchel revoke {tid}", refused["hint"])
        self.carol.get(tid, "-o", self.work / "y")
        self.alice.json("delete", tid)  # whoever has it keeps it
        self.assertNotIn(tid, [row["id"] for row in self.alice.json("sent").result["transfers"]])
        # With force, or when it is revoked.
        for args in (("--force",), ()):
            tid = self.alice.send(self.file(5), to=(self.bob,)).result["id"]
            if not args:
                self.alice.json("delete", tid, expect=4)
                self.alice.json("revoke", tid)
            self.alice.json("delete", tid, *args)
            self.assertEqual(self.bob.get(tid, "-o", self.work / "z", expect=None).code, 0 if args else 4)
        own = self.alice.send(self.file(5), to=(self.alice,)).result["id"]
        self.alice.json("delete", own)

    def test_names_of_recipients(self):
        path = self.file(5)
        self.assertEqual(self.alice.send(path, to=(" bob ", " carol")).result["recipients"], 2)
        self.assertIn("'bob'", self.alice.send(path, to=("BOB",), expect=2).error["hint"])
        self.alice.send("-", "-", to=(self.bob,), expect=2)
        refused = self.bob.json("get", "f" * 31 + "0", "f" * 31 + "1", "-o", self.work, expect=3)
        errors = [item["error"]["message"] for item in refused.objects if "error" in item]
        self.assertEqual(len(errors), 2)
        for number, message in enumerate(errors):
            self.assertIn("f" * 31 + str(number), message)

    def test_sent_names_recipients(self):
        tid = self.alice.send(self.file(5), "--message", "line\nline", to=(self.bob, self.carol)).result["id"]

        def row():
            return next(row for row in self.alice.json("sent").result["transfers"] if row["id"] == tid)

        def line():
            return next(line for line in self.alice.run("sent").text.splitlines() if tid.startswith(line.split()[0]))

        self.assertEqual({to["name"]: to["state"] for to in row()["to"]}, {"bob": "stored", "carol": "stored"})
        self.assertRegex(line(), r"(bob, carol|carol, bob) .* 7d +0 +stored$")
        self.bob.get(tid, "-o", self.work / "b", "--no-receipt")
        self.assertRegex(line(), r"released 1/2$")
        self.carol.get(tid, "-o", self.work / "c")
        self.assertRegex(line(), r" 2 +received 1/2$")
        self.assertEqual(row()["opens_used"], 2)
        self.assertEqual({to["name"]: to["received"] is None for to in row()["to"]}, {"bob": True, "carol": False})
        shown = self.alice.run("status", tid).text
        self.assertIn("file.bin, 5 B", shown)
        self.carol.json("delete", tid)
        self.assertRegex(line(), r"received 1/2$")  # she has had it all the same
        self.assertIn("line\nline", shown)
        self.assertEqual(self.bob.json("status", tid).result["message"], "line\nline")
        self.assertNotIn("to", self.bob.inbox()[0])
        self.alice.json("revoke", tid)
        self.assertRegex(line(), r"revoked$")
        self.assertIsNone(self.alice.json("status", tid).result["name"])

    def test_a_place_is_no_id(self):
        """As for cp: nothing is fetched to where it was not meant to go."""
        tid = self.alice.send(self.file(5), to=(self.bob,)).result["id"]
        refused = self.bob.json("get", tid, self.folder_of("there"), expect=2)
        self.assertIn("there' is not a transfer ID", refused.error["message"])
        self.assertIn("-o", refused.error["hint"])
        self.assertEqual(refused.results, [])
        (row,) = self.alice.json("status", tid).result["recipients"]
        self.assertEqual(row["state"], "stored")

    def test_two_gets_into_one_place(self):
        """It is a matter of this machine, and of no network; and it is said what can be done."""
        tid = self.alice.send(self.file(5), to=(self.bob,)).result["id"]
        with open(self.work / ".x.satchel-part", "wb") as part:
            fcntl.flock(part, fcntl.LOCK_EX)  # as the first one does
            refused = self.bob.get(tid, "-o", self.work / "x", expect=7).error
            self.assertEqual(refused["code"], "locked")
            self.assertIn("another satchel is receiving", refused["message"])
            self.assertIn("-o", refused["hint"])
        self.bob.get(tid, "-o", self.work / "x")

    def test_message(self):
        tid = self.alice.send(self.file(5), "--message", "see page 3", to=(self.bob,)).result["id"]
        shown = self.bob.run("get", tid, "-o", self.work / "x")
        self.assertIn("see page 3", shown.text + shown.errors)
        self.assertEqual(self.bob.get(tid, "-o", self.work / "y").result["message"], "see page 3")
        tid = self.alice.send(self.file(5), to=(self.bob,)).result["id"]
        self.assertIsNone(self.bob.get(tid, "-o", self.work / "z").result["message"])

    def test_all_of_a_long_message(self):
        """As long as a message may be, with characters that take most room when they are made safe."""
        message = "many words\n" * 1000 + "\x1b" * 5000 + "the end"
        tid = self.alice.send(self.file(5), "--message", message, to=(self.bob,)).result["id"]
        shown = self.bob.run("get", tid, "-o", self.work / "long").errors
        for text in (shown, self.bob.run("status", tid).text, self.alice.run("status", tid).text):
            self.assertEqual(text.count("many words\n"), 1000)
            self.assertIn("\\x1b" * 5000 + "the end\n", text)


class Rate(Case):
    users = ("alice", "bob")

    def test_one_for_all(self):
        """Several files, at a time or one after the other, go no faster together than one may."""
        paths = [self.file(250_000, f"f{n}", n) for n in range(12)]
        begun = time.monotonic()
        sent = self.alice.send(*paths, "--limit-rate", "1M", to=(self.bob,)).results
        self.assertGreater(time.monotonic() - begun, 2)  # three seconds, but for what may go at once
        begun = time.monotonic()
        self.bob.json("get", *[row["id"] for row in sent], "-o", self.folder_of("all"), "--limit-rate", "1M")
        self.assertGreater(time.monotonic() - begun, 2)


class Nothing(Case):
    """What the daemon keeps tells nothing of what was sent."""

    def test_data_folder(self):
        words = b"the quick brown fox jumps over the lazy dog, line %d\n"
        text = self.work / "confidential-name-of-a-file.txt"
        text.write_bytes(b"".join(words % n for n in range(60_000)))
        picture = TREE / "tests" / "data" / "picture.jpg"
        message = "a message nobody else should see"
        self.alice.send(text, "--message", message, to=(self.bob, self.carol))
        self.alice.send(picture, to=(self.bob,))
        self.bob.get(self.bob.inbox()[0]["id"], "-o", self.work / "got")
        self.daemon.stop()
        self.assertEqual(self.daemon.holds(
            b"quick brown fox", b"confidential-name", message.encode(), message.encode("utf-16-le")[:40],
            b"picture.jpg", b"image/jpeg", picture.read_bytes()[300:340], b"JFIF"), [])
        # The search itself finds what is there.
        self.assertNotEqual(self.daemon.holds(b"alice"), [])
        self.daemon.start()

    def test_log(self):
        log = self.daemon.log.read_text()
        for word in ("alice", "example.org", "confidential", "picture"):
            self.assertNotIn(word, log)


class IPv6(Case):
    users = ()

    def test_exchange(self):
        try:
            daemon = Daemon(self.work / "daemon6", address="::1")
        except OSError as error:
            self.skipTest(f"no IPv6 on this machine: {error}")
        daemon.start()
        self.addCleanup(daemon.kill)
        users = [User(daemon, self.work, name) for name in ("alice", "bob")]
        for user in users:
            user.register()
        self.deliver(users[0], self.file(1000), users[1:])
