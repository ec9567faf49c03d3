# SPDX-License-Identifier: Apache-2.0
"""What is asked and said on a terminal."""
import os
import re
import termios
import time
import unicodedata

from harness import WAIT, Ahead, Case, Failed, Terminal, User
from test_factor import Authenticator


def recovering(case, home, name, **how):
    """`satchel recover` on a new machine, which asks for the words."""
    return Terminal(User(case.daemon, case.work, home), "recover", "--server", case.daemon.server, "--name", name,
                    "--pin", case.daemon.pin, "--no-passphrase", **how)


def stopped(case, terminal):
    """One Ctrl-C at a question is enough, also before the program waits for the answer."""
    terminal.interrupt()
    case.assertIn("interrupted", terminal.end(expect=130))


class Registering(Case):
    users = ("bob",)

    def begin(self, name, *args):
        user = User(self.daemon, self.work, name)
        return user, Terminal(user, "register", "--server", self.daemon.server, "--name", name, "--email",
                              user.email, *args)

    def test_the_server_comes_before_the_passphrase(self):
        """Nobody types a passphrase for a server that he then refuses."""
        user, terminal = self.begin("ines")
        terminal.until(re.escape(self.daemon.pin))
        terminal.until(r"\(yes/no\) ")
        for slip in ("y", "", "n", "noo"):  # neither of them
            terminal.type(slip)
            terminal.until("Please type yes or no: ")
        terminal.type("no")
        self.assertNotIn("assphrase", terminal.end(expect=4))
        self.assertFalse((user.home / "profiles" / "default" / "settings").exists())

    def test_interrupted_at_the_fingerprint(self):
        """That is no no."""
        user, terminal = self.begin("inga")
        terminal.until(r"\(yes/no\) ")
        stopped(self, terminal)
        self.assertFalse((user.home / "profiles" / "default" / "settings").exists())

    def test_yes_behind_a_slip(self):
        _, terminal = self.begin("ilse", "--no-passphrase")
        terminal.until(r"\(yes/no\) ")
        terminal.type("y")
        terminal.until("Please type yes or no: ")
        terminal.type("yes")
        terminal.end()

    def test_yes_behind_a_line_that_is_too_long(self):
        """Its rest is no answer to the next question."""
        _, terminal = self.begin("irma", "--no-passphrase")
        terminal.until(r"\(yes/no\) ")
        terminal.type("y" * 126 + " yes or no" * 10)
        terminal.until("Please type yes or no: ")
        terminal.type("yes")
        terminal.end()

    def test_neither_yes_nor_no(self):
        """Not for ever; the end of input is a no at once."""
        _, terminal = self.begin("ivan", "--no-passphrase")
        terminal.until(r"\(yes/no\) ")
        for _ in range(4):
            terminal.type("perhaps")
            terminal.until("Please type yes or no: ")
        terminal.type("perhaps")
        terminal.end(expect=4)
        _, terminal = self.begin("ivan", "--no-passphrase")
        terminal.until(r"\(yes/no\) ")
        os.write(terminal.fd, b"\x04")
        self.assertNotIn("Please type", terminal.end(expect=4))

    def test_a_passphrase_is_asked_again(self):
        """Until both are the same; then it is the one that opens the keys."""
        user, terminal = self.begin("jane")
        terminal.until(r"\(yes/no\) ")
        terminal.type("yes")
        terminal.until("Choose a passphrase for your keys: ")
        terminal.type("correct horse")
        terminal.until("The same passphrase again: ")
        terminal.type("correct house")
        terminal.until("The two differ. Choose a passphrase for your keys: ")
        terminal.type("battery staple")
        terminal.until("The same passphrase again: ")
        terminal.type("battery staple")
        shown = terminal.end()
        for typed in ("correct horse", "correct house", "battery staple"):
            self.assertNotIn(typed, shown)  # no echo
        again = Terminal(user, "whoami")
        again.until("Passphrase: ")
        again.type("correct horse")
        self.assertIn("wrong passphrase", again.end(expect=4))
        again = Terminal(user, "whoami")
        again.until("Passphrase: ")
        again.type("battery staple")
        self.assertIn("jane", again.end())

    def test_interrupted_at_the_repetition(self):
        """That is no passphrase that differs."""
        user, terminal = self.begin("jona", "--pin", self.daemon.pin)
        terminal.until("Choose a passphrase for your keys: ")
        terminal.type("correct horse")
        terminal.until("The same passphrase again: ")
        stopped(self, terminal)
        self.assertFalse((user.home / "profiles" / "default" / "settings").exists())

    def test_a_passphrase_takes_its_time(self):
        """Longer than the server waits for a request."""
        self.daemon.stop()
        self.daemon.configure({("timeouts", "handshake"): "1s"})
        self.daemon.start()
        user, terminal = self.begin("kate", "--pin", self.daemon.pin)
        terminal.until("Choose a passphrase")
        time.sleep(2)
        terminal.type("correct horse")
        terminal.until("again: ")
        terminal.type("correct horse")
        terminal.end()
        self.assertTrue((user.home / "profiles" / "default" / "settings").exists())

    def test_no_passphrase_for_nothing(self):
        """What the server will refuse anyway is said before."""
        self.daemon.stop()
        self.daemon.configure({("server", "registration"): "invite"})
        self.daemon.start()
        self.addCleanup(self.open_again)
        _, terminal = self.begin("lena", "--pin", self.daemon.pin)
        shown = terminal.end(expect=4)
        self.assertIn("needs an invitation", shown)
        self.assertNotIn("assphrase", shown)

    def open_again(self):
        self.daemon.stop()
        self.daemon.configure({("server", "registration"): "open"})
        self.daemon.start()

    def test_words_in_numbered_rows(self):
        """Typed in as they were shown."""
        user, terminal = self.begin("mara", "--pin", self.daemon.pin, "--no-passphrase")
        rows = re.findall(r"^  ( ?\d+ [a-z]+ .*?)\s*$", terminal.end(), re.M)
        self.assertEqual(len(rows), 6, rows)
        self.assertLess(max(map(len, rows)), 78)
        back = recovering(self, "new-machine", user.name)
        back.until("The 24 recovery words: ")
        for count, row in enumerate(rows):
            back.type(row)
            if count < 5:
                back.until(rf"{4 * (count + 1)} of 24; the next: ")
        self.assertIn("you are mara again", back.end())
        short = recovering(self, "other", user.name)
        short.until("The 24 recovery words: ")
        short.type(rows[0])
        short.until("4 of 24; the next: ")
        short.type("")
        self.assertIn("4 words, not 24", short.end(expect=2))


class Codes(Ahead, Case):
    """One-time passwords that are typed; a recovery asks for one when the factor has stood for a while."""
    users = ("bob",)

    def enrolled(self, name):
        user = User(self.daemon, self.work, name)
        reading, writing = os.pipe()
        user.register("--recovery-fd", str(writing), pass_fds=(writing,))
        os.close(writing)
        with os.fdopen(reading) as words:
            user.words = words.read().strip()
        terminal = Terminal(user, "factor", "totp", "enrol")
        user.phone = Authenticator(terminal.until(r"\n  ([A-Z2-7]{32,})\r?\n").group(1))
        terminal.until("The code that it shows now: ")
        terminal.type(user.phone.wrong())
        terminal.until("That is not the code. What it shows now: ")
        terminal.type(user.phone.code(0))
        user.codes = re.findall(r"^ +([A-Z0-9]{4,}(?:-[A-Z0-9]+)*)\s*$", terminal.end().split("Recovery codes", 1)[1], re.M)
        return user

    def words_typed(self, user):
        """His recovery, when the factor has settled, as far as the question for a code."""
        self.go_ahead(days=8)
        back = recovering(self, "new-machine", user.name, env=self.env)
        back.until("recovery words: ")
        back.type(user.words)
        return back

    def setUp(self):
        super().setUp()
        self.go_ahead(days=0)

    def test_asked_again_when_it_is_wrong(self):
        user = self.enrolled("nora")
        back = self.words_typed(user)
        back.until("One-time password or recovery code: ")
        back.type("abc")
        back.until("That is neither 6 digits nor a recovery code. Again: ")
        back.type(user.phone.wrong())
        back.until("One-time password or recovery code: ")
        back.type(user.codes[0])
        self.assertIn("you are nora again", back.end())

    def test_three_times_at_most(self):
        user = self.enrolled("olga")
        back = self.words_typed(user)
        for _ in range(3):
            back.until("One-time password or recovery code: ")
            back.type(user.phone.wrong())
        shown = back.end(expect=4)
        self.assertIn("hint: type a code of your authenticator", shown)
        self.assertEqual(shown.count("recovery code: "), 3)

    def test_right_behind_a_longer_slip(self):
        """Nothing of what was typed before stands behind the code."""
        user = self.enrolled("paul")
        removing = Terminal(user, "factor", "totp", "remove")
        removing.until("One-time password or recovery code: ")
        for slip in ("12345678", "1" * 100):  # that one does not fit, and its rest is no answer
            removing.type(slip)
            removing.until("That is neither 6 digits nor a recovery code. Again: ")
        removing.type(user.phone.code(1))
        self.assertIn("removed", removing.end())

    def test_recovered_behind_a_longer_slip(self):
        """And no try is lost by it."""
        user = self.enrolled("rita")
        back = self.words_typed(user)
        back.until("One-time password or recovery code: ")
        for slip in ("1234-5678-9012-3456-7890", "ABCD-EFGH-IJKL-MNOP-QRST-UVWX"):
            back.type(slip)
            back.until("That is neither 6 digits nor a recovery code. Again: ")
        back.type(user.codes[0])
        shown = back.end()
        self.assertIn("you are rita again", shown)
        self.assertEqual(shown.count("One-time password"), 1)


class Output(Case):
    def test_no_bytes_on_a_terminal(self):
        tid = self.alice.send(self.file(100), to=(self.bob,)).result["id"]
        refused = Terminal(self.bob, "get", tid, "-o", "-").end(expect=4)
        self.assertIn("would write a file's bytes to the terminal", refused)
        self.assertIn("--force", refused)
        (row,) = [row for row in self.alice.json("status", tid).result["recipients"]]
        self.assertEqual(row["state"], "stored")  # not even asked for
        path = self.work / "text"
        path.write_text("only letters")
        tid = self.alice.send(path, to=(self.bob,)).result["id"]
        self.assertIn("only letters", Terminal(self.bob, "get", tid, "-o", "-", "--force").end())


def width(text):
    """How many columns it takes; nothing here has combining characters."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


class Tables(Case):
    """Names of any length do not break the lines of a list."""

    def test_long_names(self):
        name, friend = f"{'quarterly-report-' * 8}{chr(0x6F22) * 20}.pdf", chr(0x6F22) * 20
        self.alice.json("contacts", "add", "bob", "--name", friend)
        self.alice.send(self.file(10, name), to=(friend,))
        User(self.daemon, self.work, "dave").register()
        self.alice.send(self.file(10, "short"), to=(friend, "carol", "dave"))
        self.bob.json("contacts", "add", "alice", "--name", "alice-" * 10)
        for user, verb, who in ((self.alice, "sent", friend), (self.bob, "inbox", "alice-" * 10)):
            self.assertRegex(user.run(verb).text, f"  {who} +{name}  ")  # no terminal: all of it
            for columns, most in ((0, 80), (66, 79), (80, 80), (400, 400)):  # who it is is cut no further
                lines = [line.rstrip("\r") for line in Terminal(user, verb, columns=columns).end().splitlines()]
                self.assertLessEqual(max(map(width, lines)), most, lines)
                (line,) = [line for line in lines if "df  " in line]
                self.assertEqual("\u2026" in line, columns != 400)
                self.assertEqual(len({width(line[:line.index(" B  ")]) for line in lines[1:]}), 1, lines)
            if verb == "sent":
                self.assertIn(" +2  ", lines[-1])
        self.assertEqual(self.alice.json("sent").result["transfers"][0]["name"], name)


    def test_contacts(self):
        for number, name in enumerate(("gr\u00fc\u00df", chr(0x6F22) * 6, "e\u0301" * 4)):
            User(self.daemon, self.work, f"user{number}").register()
            self.carol.json("contacts", "add", f"user{number}", "--name", name)
        lines = self.carol.run("contacts").text.splitlines()
        places = {width(line.replace("\u0301", "").split(" sat1")[0]) for line in lines}
        self.assertEqual((len(lines), len(places)), (3, 1), lines)

    def test_progress(self):
        """The end of a name stays, and the line is no wider than the terminal."""
        path = self.file(12_000_000, f"{chr(0x6F22) * 60}.pdf")
        for columns in (80, 200):
            sending = Terminal(self.alice, "send", path, "--to", "bob", "--limit-rate", "1M", columns=columns)
            sending.until(r"\d MiB ")
            sending.interrupt()
            bars = re.findall(r"\r([^\r\n]*)\x1b\[K", sending.end(expect=130))
            self.assertLess(max(map(width, bars)), columns, bars)
            self.assertRegex(max(bars), f"^/.*\u2026{chr(0x6F22)}+\\.pdf \\[[#.]")


class Interrupted(Case):
    """Ctrl-C: what is kept, and what to run to go on."""

    def test_send(self):
        path = self.file(12_000_000)
        sending = Terminal(self.alice, "send", path, "--to", "bob", "--limit-rate", "1M")
        sending.until(r"[1-9]\.\d MiB of")
        sending.interrupt()
        shown = sending.end(expect=130)
        self.assertIn("interrupted", shown)
        self.assertIn("hint: run the same command again: it goes on with what the server has by now", shown)
        again = self.alice.json("send", path, "--to", "bob")
        self.assertGreater(again.result["kept_pieces"], 0)

    def test_given_up(self):
        """The server does not wait for the rest any more, and a later send begins anew."""
        def waiting():
            return self.daemon.ctl("--json", "status").result["store"]["uploads"]

        before = waiting()
        path = self.file(12_000_000)
        command = ("send", path, "--to", "bob", "--message", "large")
        sending = Terminal(self.alice, *command, "--limit-rate", "1M")
        sending.until(r"[1-9]\.\d MiB of")
        sending.interrupt()
        self.assertIn("or with --abandon: that is given up", sending.end(expect=130))
        (left,) = [check for check in self.alice.json("doctor").result["checks"] if "interrupted" in check["detail"]]
        self.assertIn("--abandon", left["hint"])
        self.assertEqual(waiting(), before + 1)
        # Another command is not meant.
        self.assertEqual(self.alice.json("send", path, "--to", "bob", "--abandon", expect=3).error["code"], "notfound")
        self.alice.json("send", "-", "--to", "bob", "--abandon", expect=2)
        os.unlink(path)
        self.assertRegex(self.alice.run(*command, "--abandon").text, r"^[0-9a-f]{12}  gave up sending file\.bin\n$")
        self.assertEqual(waiting(), before)
        details = [check["detail"] for check in self.alice.json("doctor").result["checks"]]
        self.assertIn("no send was interrupted", details)
        self.assertEqual(self.alice.json(*command, "--abandon", expect=3).error["code"], "notfound")
        self.file(12_000_000)
        self.assertEqual(self.alice.json(*command).result["kept_pieces"], 0)

    def test_get(self):
        tid = self.alice.send(self.file(12_000_000), to=(self.bob,)).result["id"]
        out = self.folder_of("out")
        getting = Terminal(self.bob, "get", tid, "-o", out, "--limit-rate", "1M")
        getting.until(r"[1-9]\.\d MiB of")
        getting.interrupt()
        shown = getting.end(expect=130)
        self.assertIn("hint: run the same command again: it goes on with what is here, and checks it", shown)
        self.assertEqual([path.name for path in out.iterdir()], [".file.bin.satchel-part"])
        self.assertGreater(self.bob.get(tid, "-o", out).result["kept_pieces"], 0)

    def test_what_keeps_nothing(self):
        top = self.folder_of("top")
        os.rename(self.file(12_000_000), top / "large")
        tid = self.alice.send(top, to=(self.bob,)).result["id"]
        getting = Terminal(self.bob, "get", tid, "-o", self.folder_of("out"), "--limit-rate", "1M")
        getting.until(r"[1-9]\.\d MiB of")
        getting.interrupt()
        shown = getting.end(expect=130)
        self.assertIn("run the same command again: it begins anew", shown)
        (way,) = re.findall(r"'satchel (get [0-9a-f]+ -o) NAME.tar --no-unpack'", shown)
        archive = self.work / "top.tar"
        getting = Terminal(self.bob, *way.split(), archive, "--no-unpack", "--limit-rate", "1M")
        getting.until(r"[1-9]\.\d MiB of")
        getting.interrupt()
        self.assertIn("it goes on with what is here", getting.end(expect=130))
        self.assertGreater(self.bob.get(tid, "-o", archive, "--no-unpack").result["kept_pieces"], 0)

    def test_what_went_all_the_same(self):
        """Of several, those behind the interrupted one: who does not know of them sends them twice."""
        first, large, behind = self.file(10, "first"), self.file(12_000_000, "large"), self.file(20, "behind")
        sending = Terminal(self.alice, "send", first, large, behind, "--to", "carol", "--limit-rate", "1M")
        end = time.monotonic() + WAIT
        while "behind" not in [row["name"] for row in self.carol.inbox()]:
            self.assertLess(time.monotonic(), end)
            sending.poll()
        sending.until(r"[1-9]\.\d MiB of")
        sending.interrupt()
        shown = sending.end(expect=130)
        self.assertIn("without the files that were sent", shown)
        self.assertEqual(re.findall(r"sent (\w+) \(", shown), ["first", "behind"])

    def test_what_is_small(self):
        """Nothing is kept of what is sent, or has come, in a few pieces."""
        path = self.file(1_000_000)
        sending = Terminal(self.alice, "send", path, "--to", "bob", "--limit-rate", "100K")
        sending.until(r" of 976")
        sending.interrupt()
        shown = sending.end(expect=130)
        self.assertIn("hint: nothing of a file below 1 MiB is kept: it has to be sent anew", shown)
        again = self.alice.json("send", path, "--to", "bob").result
        self.assertEqual(again["kept_pieces"], 0)
        getting = Terminal(self.bob, "get", again["id"], "-o", self.folder_of("out"), "--limit-rate", "100K")
        getting.until(r" of 976")
        getting.interrupt()
        self.assertIn("run the same command again: it begins anew", getting.end(expect=130))
        self.assertEqual(os.listdir(self.work / "out"), [])
        sending = Terminal(self.alice, "send", self.file(1 << 20), "--to", "bob", "--limit-rate", "100K")
        sending.until(r"of 1\.0 MiB")
        sending.interrupt()
        self.assertIn("it goes on with what the server has", sending.end(expect=130))

    def test_revoked_meanwhile(self):
        tid = self.alice.send(self.file(12_000_000), to=(self.bob,)).result["id"]
        getting = Terminal(self.bob, "get", tid, "-o", self.folder_of("out"), "--limit-rate", "1M")
        getting.until(r"[1-9]\.\d MiB of")
        self.alice.json("revoke", tid)
        self.assertRegex(getting.end(expect=4), f"satchel: transfer '{tid}': alice revoked it on ")
        self.assertEqual(os.listdir(self.work / "out"), [])

    def test_what_is_read_once_goes_on(self):
        """A connection that is lost is not the end of a folder."""
        top = self.folder_of("top")
        os.rename(self.file(4_000_000), top / "large")
        sending = Terminal(self.alice, "send", top, "--to", "bob", "--limit-rate", "1M")
        sending.until(r"[1-9]\.\d MiB")
        self.daemon.kill()
        self.daemon.start()
        sending.until("the connection was lost: trying again in")
        self.assertIn("sent top", sending.end())

    def test_what_is_sent_anew(self):
        top = self.folder_of("top")
        os.rename(self.file(12_000_000), top / "large")
        sending = Terminal(self.alice, "send", top, "--to", "bob", "--limit-rate", "1M")
        sending.until(r"[1-9]\.\d MiB")
        sending.interrupt()
        shown = sending.end(expect=130)
        self.assertIn("hint: nothing of a folder is kept: it has to be sent anew", shown)
        self.assertNotIn("goes on", shown)
        self.assertEqual(self.alice.json("send", top, "--to", "bob").result["kept_pieces"], 0)

    def test_verify(self):
        """The numbers have not been said to differ."""
        self.alice.json("contacts", "add", "bob")
        verifying = Terminal(self.alice, "contacts", "verify", "bob")
        verifying.until(r"\(yes/no\) ")
        stopped(self, verifying)
        self.assertNotIn("hint", verifying.shown)

    def test_a_word(self):
        """What would have gone stays."""
        user = User(self.daemon, self.work, "wanda")
        user.register()
        deleting = Terminal(user, "account", "delete")
        deleting.until(r"type the account's name \(wanda\): ")
        stopped(self, deleting)
        removing = Terminal(user, "profile", "reset")
        removing.until(r"type the profile's name \(default\): ")
        stopped(self, removing)
        user.json("inbox")

    def test_revoking(self):
        user = User(self.daemon, self.work, "wilma")
        user.register()
        revoking = Terminal(user, "device", "revoke", user.json("whoami").result["device"])
        revoking.until("This is the device that you are on")
        revoking.until(r"\(yes/no\) ")
        stopped(self, revoking)
        revoking = Terminal(user, "device", "revoke", user.json("whoami").result["device"])
        revoking.until(r"\(yes/no\) ")
        revoking.type("yes")
        revoking.until("This is your last device")
        revoking.until(r"\(yes/no\) ")
        stopped(self, revoking)
        user.json("inbox")

    def test_echo_comes_back(self):
        """A passphrase without a profile: the terminal is as it was."""
        typing = Terminal(self.alice, "fernet", "encrypt", self.file(10), "--key", self.salted())
        typing.until("Passphrase: ")
        self.assertFalse(termios.tcgetattr(typing.fd)[3] & termios.ECHO)
        typing.interrupt()
        typing.until("interrupted at the passphrase")
        self.assertTrue(termios.tcgetattr(typing.fd)[3] & termios.ECHO)
        typing.end(expect=130)

    def salted(self):
        path = self.work / "key"
        self.alice.run("fernet", "keygen", "--passphrase", "-o", path)
        return path

    def test_watch(self):
        watching = Terminal(self.bob, "watch", "--json")
        watching.until("watching")
        watching.interrupt()
        self.assertIn("the next watch tells what happens from here on", watching.end(expect=130))


class Helper(Case):
    users = ()

    def test_a_wait_in_vain_is_told(self):
        """The tests above would wait for ever otherwise."""
        terminal = Terminal(User(self.daemon, self.work, "x"), "--version")
        with self.assertRaises(Failed):
            terminal.until("nothing like this")
        with self.assertRaises(Failed):
            terminal.end(expect=1)
