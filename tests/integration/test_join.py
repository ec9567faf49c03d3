# SPDX-License-Identifier: Apache-2.0
"""A second device: let in with a one-time code, and what the two have in common afterwards."""
import json
import os
import signal
import subprocess
import time

from harness import LEVEL, WAIT, Ahead, Case, Terminal, User, program, sha256, with_fd
from test_factor import Authenticator
from test_life import documented
from test_watch import Watcher


def parse(line):
    """A line that must be an event, with the fields that the manual page has: scripts rely on them."""
    event = json.loads(line)
    assert "event" in event and set(event) == {"event"} | documented(event["event"]), event
    return event


class Adding:
    """`device add` in the background."""

    def __init__(self, user, *args, otp=False):
        self.write, fds, more = None, (), []
        if otp:
            read, self.write = os.pipe()
            fds, more = (read,), ["--otp-fd", read]
        self.process = user.start("device", "add", "--yes", *more, *args, pass_fds=fds)
        for fd in fds:
            os.close(fd)

    def event(self, name):
        """The next line, which must be this event."""
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        event = parse(line)
        assert event["event"] == name, event
        return event

    def code(self):
        return self.event("code")

    def give(self, text):
        os.write(self.write, text.encode() + b"\n")

    def end(self, expect=0):
        out, errors = self.process.communicate(timeout=WAIT)
        if self.write is not None:
            os.close(self.write)
        assert self.process.returncode == expect, f"{self.process.returncode}\n{out}\n{errors}"
        assert b"Sanitizer" not in errors, errors
        last = json.loads(out.splitlines()[-1])
        return last["result"] if expect == 0 else last["error"]


class Machines(Case):
    """What the tests below have in common."""
    users = ("bob",)

    def person(self, name, *args):
        user = User(self.daemon, self.work, name)
        user.register(*args)
        return user

    def machine(self, user, home):
        """Another machine of ${user}, with nothing on it."""
        other = User(self.daemon, self.work, home)
        other.name, other.uid = user.name, user.uid
        return other

    def join(self, other, code, *args, server=True, expect=0):
        where = ["--server", self.daemon.server] if server else []
        return other.json("device", "join", *where, "--no-passphrase", "--code-fd", 0, *args, expect=expect,
                          stdin=code.encode() + b"\n")

    def both(self, user, home="second"):
        """The second device, made as people make it."""
        adding = Adding(user)
        other = self.machine(user, home)
        other.joined = self.join(other, adding.code()["code"]).result
        added = adding.end()
        self.assertEqual(added["id"], other.joined["device"])
        return other

    def joining(self, other, code, *args):
        """`device join` in the background."""
        process = subprocess.Popen([program("satchel"), "--json", "device", "join", "--server", self.daemon.server,
                                    "--no-passphrase", "--code-fd", "0", *args], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env={**os.environ, "SATCHEL_HOME": str(other.home)})
        process.stdin.write(code.encode() + b"\n")
        process.stdin.flush()
        return process

    def enrol(self, user, old=None):
        """With a code of the one that is there: renew it."""
        read, write = os.pipe()
        process = user.start("factor", "totp", "renew" if old else "enrol", "--otp-fd", read, pass_fds=(read,))
        os.close(read)
        if old:
            os.write(write, old.encode() + b"\n")
        line = process.stdout.readline()
        if json.loads(line)["event"] == "factor_changed":  # what another device has enrolled is told each time
            line = process.stdout.readline()
        phone = Authenticator(parse(line)["secret"])
        os.write(write, phone.code().encode() + b"\n")
        os.close(write)
        phone.recovery = parse(process.stdout.readline())["codes"]
        process.communicate(timeout=WAIT)
        self.assertEqual(process.returncode, 0)
        return phone


class Join(Machines):
    def test_all_of_it(self):
        alice = self.person("ann")
        alice.json("contacts", "add", "bob", "--name", "Robert")
        before = self.bob.send(self.file(3000, "before"), to=[alice]).result["id"]
        adding = Adding(alice, "--name", "desk")
        code = adding.code()
        self.assertRegex(code["code"], "^([A-Z2-7]{4}-){7}[A-Z2-7]{4}$")
        self.assertEqual(code["uri"], f"satchel://join/{self.daemon.server}/{code['code']}")
        other = self.machine(alice, "second")
        # As people type it, and without a word on the server's key: the other device knows that.
        joined = self.join(other, code["code"].replace("-", " ").lower(), "--name", "lap\u00e9top").result
        added = adding.end()
        self.assertEqual(set(joined), documented("device join"))
        self.assertEqual(added["name"], "lap\u00e9top")
        self.assertEqual((joined["user_id"], joined["name"], joined["other_name"]), (alice.uid, "ann", "desk"))
        self.assertEqual((joined["device"], joined["contacts"], joined["lost"]), (added["id"], 1, 0))
        me, there = alice.json("whoami").result, other.json("whoami").result
        self.assertEqual((joined["other_id"], there["pin"]), (me["device"], self.daemon.pin))
        names = {row["id"]: (row["name"], row["self"]) for row in other.json("device").result["devices"]}
        self.assertEqual(names, {me["device"]: ("desk", False), there["device"]: ("lap\u00e9top", True)})
        # Old mail, contacts; new mail on both; what one sends the other can show.
        out = self.folder_of("out")
        self.assertEqual(other.get(before, "-o", out).result["from"], "Robert")
        both = self.bob.send(self.file(100, "x"), to=[alice]).result["id"]
        for user, name in ((alice, "a"), (other, "b")):
            user.get(both, "-o", self.folder_of(name))
        tid = other.send(self.file(50, "y"), to=["Robert"]).result["id"]
        self.assertEqual(alice.json("status", tid).result["recipients"][0]["state"], "stored")
        self.bob.get(tid, "-o", self.folder_of("bob"))
        # A code lets one machine in, once.
        third = self.machine(alice, "third")
        self.assertEqual(self.join(third, code["code"], expect=4).error["code"], "exists")

    def test_contacts_that_come_along(self):
        """They are none that this machine has met first: nothing is said of pins, and verified stays so."""
        alice = self.person("vera")
        alice.json("contacts", "add", "bob")
        (bob,) = alice.json("contacts").result["contacts"]
        alice.json("contacts", "verify", "bob", "--number", bob["safety"])
        adding = Adding(alice)
        code = adding.code()["code"]
        other = self.machine(alice, "second")
        joined = other.run("device", "join", "--server", self.daemon.server, "--no-passphrase", "--code-fd", 0,
                           stdin=code.encode() + b"\n")
        adding.end()
        self.assertIn("1 contact came along", joined.text)
        self.assertNotIn("not verified", joined.errors)
        (bob,) = other.json("contacts").result["contacts"]
        self.assertTrue(bob["verified"])
        self.assertIn("nothing has changed", other.run("contacts", "accept", "bob").text)

    def test_keys_follow(self):
        """A key that one device draws is known to the other at its next login, also after a revocation."""
        alice = self.person("kim")
        other = self.both(alice)
        for first, second in ((alice, other), (other, alice)):
            first.json("keys", "rotate")
            first.inbox()  # the record with the key follows at a login
            tid = self.bob.send(self.file(700), to=[alice]).result["id"]
            for user, out in ((first, "a"), (second, "b")):
                user.get(tid, "-o", self.folder_of(f"{out}-{tid}"))
        self.assertEqual(alice.json("whoami").result["manifest"], other.json("whoami").result["manifest"])
        third = self.both(alice, "third")
        alice.json("device", "revoke", other.joined["device"])
        alice.inbox()
        tid = self.bob.send(self.file(800), to=[alice]).result["id"]
        third.get(tid, "-o", self.folder_of("third-out"))
        self.assertEqual(other.json("inbox", expect=4).error["code"], "auth")
        self.assertEqual(len(third.json("device").result["devices"]), 3)

    def test_uri_and_typing(self):
        alice = self.person("uma")
        other = self.machine(alice, "second")
        self.assertEqual(self.join(other, "ABCD", expect=2).error["code"], "invalid")
        self.join(other, "", expect=2)
        other.json("device", "join", "ABCD", "--server", self.daemon.server, expect=2)
        adding = Adding(alice)
        code = adding.code()
        wrong = code["code"][:-1] + ("A" if code["code"][-1] != "A" else "B")
        self.assertIn("mistyped", self.join(other, wrong, expect=2).error["message"])
        self.assertFalse((other.home / "profiles" / "default" / "settings").exists())
        self.join(other, code["uri"], server=False)
        adding.end()
        self.assertEqual(self.join(other, code["code"], expect=4).error["code"], "exists")

    def test_the_server_comes_before_the_code(self):
        """Nobody types a code for nothing."""
        nobody = User(self.daemon, self.work, "nobody")
        for args, told in (((), "device join: --server is missing"), (("--server", "[::1"), "[::1")):
            shown = Terminal(nobody, "device", "join", "--no-passphrase", *args).end(expect=2)
            self.assertIn(told, shown)
            self.assertNotIn("The code", shown)
        self.assertIn("device add", Terminal(nobody, "device", "join").end(expect=2))
        bare = self.join(nobody, "-".join(["ABCD"] * 8), server=False, expect=2).error
        self.assertIn(bare["code"], "invalid")

    def test_nobody(self):
        """A code that does not count: none, run out, taken back."""
        alice = self.person("nora")
        other = self.machine(alice, "second")
        adding = Adding(alice)
        code = adding.code()["code"]
        adding.process.send_signal(signal.SIGINT)
        self.assertEqual(adding.end(expect=130)["code"], "canceled")
        self.assertEqual(self.join(other, code, expect=3).error["code"], "notfound")
        adding = Adding(alice, "--valid", "1s")
        code = adding.code()["code"]
        self.assertEqual(adding.end(expect=4)["code"], "expired")
        self.assertEqual(self.join(other, code, expect=3).error["code"], "notfound")
        (only,) = alice.json("device").result["devices"]
        self.assertTrue(only["self"])
        self.assertEqual(alice.json("whoami").result["manifest"], 1)
        alice.json("device", "add", "--yes", "--valid", "2h", expect=2)

    def test_killed(self):
        """Neither side leaves anything when it is killed while it waits."""
        alice = self.person("kate")
        other = self.machine(alice, "second")
        adding = Adding(alice)
        adding.code()
        adding.process.kill()
        adding.process.communicate(timeout=WAIT)
        self.assertEqual(alice.json("whoami").result["manifest"], 1)
        # Another code takes the place of the first at once.
        adding = Adding(alice)
        code = adding.code()["code"]
        self.daemon.kill()
        self.daemon.start()
        # The offer is made again when the daemon is back; a join is tried until it is there.
        for _ in range(100):
            result = self.join(other, code, expect=None)
            if result.code == 0:
                break
            self.assertEqual(result.error["code"], "notfound")
            time.sleep(0.1)
        self.assertEqual(adding.end()["id"], other.json("whoami").result["device"])

    def test_somebody_is_asked(self):
        """Nothing leaves before a person has said yes; without one, nobody is let in."""
        alice = self.person("ask")
        for extra in ((), ("--valid", "1m")):
            refused = alice.json("device", "add", *extra, expect=4).error
            self.assertEqual(refused["code"], "refused")
            self.assertIn("--yes", refused["hint"])
        for answer in ("no", "yes"):
            other = self.machine(alice, f"asked-{answer}")
            terminal = Terminal(alice, "device", "add", "--name", "desk")
            code = terminal.until(r"((?:[A-Z2-7]{4}-){7}[A-Z2-7]{4})\r?\n").group(1)
            joining = self.joining(other, code, "--name", "laptop")
            check = parse(joining.stdout.readline())["check"]
            self.assertRegex(check, "^[0-9]{3} [0-9]{3}$")
            terminal.until(r"\(yes/no\) ")
            terminal.type("y")  # a slip burns no code
            terminal.until("Please type yes or no: ")
            self.assertIn("laptop", terminal.shown)
            self.assertIn(check, terminal.shown)
            self.assertEqual(len(alice.json("device").result["devices"]), 1)
            terminal.type(answer)
            out, errors = joining.communicate(timeout=WAIT)
            terminal.end(expect=0 if answer == "yes" else 4)
            self.assertEqual(joining.returncode, 0 if answer == "yes" else 4, (out, errors))
        self.assertEqual(json.loads(out.splitlines()[-1])["result"]["other_name"], "desk")

    def test_interrupted_at_the_question(self):
        """Ctrl-C lets nobody in, and is no answer that failed."""
        alice = self.person("int")
        terminal = Terminal(alice, "device", "add")
        code = terminal.until(r"((?:[A-Z2-7]{4}-){7}[A-Z2-7]{4})\r?\n").group(1)
        joining = self.joining(self.machine(alice, "never"), code)
        parse(joining.stdout.readline())  # it waits for the answer by the time of the second question
        terminal.until(r"\(yes/no\) ")
        terminal.type("y")
        terminal.until("Please type yes or no: ")
        terminal.interrupt()
        self.assertIn("interrupted; nobody was let in", terminal.end(expect=130))
        out, errors = joining.communicate(timeout=WAIT)
        self.assertEqual(joining.returncode, 4, (out, errors))
        self.assertEqual(len(alice.json("device").result["devices"]), 1)

    def test_between(self):
        """Somebody who passes everything on, under a key of his own: the code's owner notices."""
        alice = self.person("mia")
        other = self.machine(alice, "second")
        wrong = "A" * 43
        adding = Adding(alice)
        code = adding.code()["code"]
        self.assertEqual(self.join(other, code, "--pin", wrong, expect=4).error["code"], "pin")
        self.join(other, code, "--pin", self.daemon.pin)
        adding.end()

    def test_names_stay_ours(self):
        """A stranger who is called like a group of ours does not get its name on the second device."""
        user = self.person("olga")
        user.json("contacts", "add", "bob")
        user.json("contacts", "group", "family", "add", "bob")
        thief = self.person("family")
        thief.send(self.file(100), to=[user])
        user.inbox()
        other = self.both(user, "olga-second")
        self.assertEqual(other.joined["lost_groups"], 0)
        self.assertEqual(other.json("contacts", "group").result["groups"], [{"name": "family", "members": ["bob"]}])
        other.send(self.file(500), to=["family"])
        self.assertEqual(thief.inbox(), [])


    def test_a_lost_contact_is_named(self):
        user, gone = self.person("lena"), self.person("gustav")
        user.json("contacts", "add", "gustav", "--name", "Uncle G.")
        user.json("contacts", "add", "bob")
        gone.leave()
        adding = Adding(user)
        other = self.machine(user, "lena-second")
        joined = self.join(other, adding.code()["code"])
        adding.end()
        self.assertEqual((joined.result["contacts"], joined.result["lost"]), (1, 1))
        (lost,) = [item for item in joined.objects if item.get("event") == "lost"]
        self.assertEqual(lost["who"], "Uncle G.")
        self.assertIn(f"the contact 'Uncle G.' ({gone.uid}) did not come back: there is no such user any more",
                      lost["message"])


class Factors(Machines):
    """What lets a device in needs the second factor."""

    def test_device(self):
        user = self.person("olga")
        phone = self.enrol(user)
        adding = Adding(user, otp=True)
        code = adding.code()["code"]
        other = self.machine(user, "second")
        joining = self.joining(other, code)
        self.assertEqual(parse(joining.stdout.readline())["check"], adding.event("joiner")["check"])
        adding.event("otp_needed")
        adding.give(phone.wrong())
        adding.event("otp_needed")
        adding.give(phone.recovery[0])
        adding.end()
        out, errors = joining.communicate(timeout=WAIT)
        self.assertEqual(joining.returncode, 0, errors)
        self.assertEqual(other.json("whoami").result["user_id"], user.uid, out)

    def test_none_given(self):
        user = self.person("pia")
        self.enrol(user)
        adding = Adding(user, otp=True)
        code = adding.code()["code"]
        other = self.machine(user, "second")
        joining = self.joining(other, code)
        adding.event("joiner")
        for _ in range(3):
            adding.event("otp_needed")
            adding.give("abcdef")
        self.assertEqual(adding.end(expect=4)["code"], "factor")
        out, errors = joining.communicate(timeout=WAIT)
        self.assertEqual(joining.returncode, 3, errors)
        self.assertEqual(json.loads(out.splitlines()[-1])["error"]["code"], "notfound")
        self.assertEqual(len(user.json("device").result["devices"]), 1)
        self.assertEqual(user.json("whoami").result["manifest"], 1)
        user.json("keys", "rotate")  # nothing stands in the way of the next manifest

    def test_one_slip(self):
        """What was wrong with it is told, not that nothing follows."""
        user = self.person("pim")
        self.enrol(user)
        adding = Adding(user, otp=True)
        code = adding.code()["code"]
        joining = self.joining(self.machine(user, "second"), code)
        adding.event("joiner")
        adding.event("otp_needed")
        adding.give("12345")
        os.close(adding.write)
        adding.write = None
        self.assertIn("neither a one-time password", adding.end(expect=4)["message"])
        joining.communicate(timeout=WAIT)


class Opens(Machines):
    """A transfer with one open, and a user with two devices."""

    def test_race(self):
        """Both ask for it at the same time, again and again: one of them gets it."""
        first = self.person("ray")
        second = self.both(first)
        for turn in range({"quick": 3, "all": 25, "soak": 25}[LEVEL]):
            tid = self.bob.send(self.file(900, f"turn{turn}"), "--opens", "1", to=[first]).result["id"]
            running = [user.start("get", tid, "-o", self.work / f"{turn}-{n}") for n, user in enumerate((first, second))]
            ends = [process.communicate(timeout=WAIT) for process in running]
            self.assertEqual(sorted(process.returncode for process in running), [0, 4], ends)
            loser = ends[0] if running[0].returncode == 4 else ends[1]
            self.assertEqual(json.loads(loser[0].splitlines()[-1])["error"]["code"], "spent")

    def test_cut(self):
        """Who has begun goes on; the other device is refused throughout."""
        first = self.person("cut")
        second = self.both(first)
        turns = {"quick": 3, "all": 20, "soak": 20}[LEVEL]
        path = self.file(4_000_000 * turns, "large")
        tid = self.bob.send(path, "--opens", "1", to=[first]).result["id"]
        out = self.work / "got"
        for turn in range(turns):
            getting = first.start("get", tid, "-o", out, "--limit-rate", "500K")
            for line in getting.stdout:
                event = json.loads(line)
                if event.get("phase") == "transfer" and event["done"] > 0:
                    break
            getting.kill()
            getting.communicate(timeout=WAIT)
            if turn % 4 == 1:
                self.daemon.kill()
                self.daemon.start()
            self.assertEqual(second.get(tid, "-o", self.work / "other", expect=4).error["code"], "spent")
        first.get(tid, "-o", out)
        self.assertEqual(sha256(out), sha256(path))
        self.assertEqual(second.get(tid, "-o", self.work / "other", expect=4).error["code"], "spent")

    def test_revoked(self):
        """The second device is taken out: nothing of it counts that was not seen before."""
        first = self.person("rita")
        second = self.both(first)
        seen = second.send(self.file(10, "seen"), to=["bob"]).result["id"]
        self.assertIn(seen, [row["id"] for row in self.bob.inbox()])
        unseen = second.send(self.file(11, "unseen"), to=["bob"]).result["id"]
        waiting = self.bob.send(self.file(12, "waiting"), to=[first]).result["id"]
        first.json("device", "revoke", second.joined["device"][:12])
        for args in (["inbox"], ["get", waiting, "-o", self.work], ["send", self.file(5), "--to", "bob"]):
            self.assertEqual(second.json(*args, expect=4).error["code"], "auth")
        self.bob.get(seen, "-o", self.folder_of("seen-out"))
        self.assertEqual(self.bob.get(unseen, "-o", self.folder_of("unseen-out"), expect=4).error["code"], "revoked")
        first.get(waiting, "-o", self.folder_of("waiting-out"))
        self.deliver(first, self.file(13), [self.bob])
        # It is not let in again without a code, and the last one is not taken out by chance.
        self.assertEqual(first.json("device", "revoke", first.json("whoami").result["device"], expect=4).error["code"],
                         "refused")


class Leaving(Machines):
    def test_by_its_own_will(self):
        """A device that takes itself out does nothing more; it draws no key that the others would not have."""
        first = self.person("lea")
        second = self.both(first)
        before = first.json("keys").result["keys"]
        gone = second.json("device", "revoke", second.joined["device"]).result
        self.assertEqual(gone["id"], second.joined["device"])
        for args in (["inbox"], ["keys", "rotate"], ["send", self.file(5), "--to", "bob"]):
            self.assertEqual(second.json(*args, expect=4).error["code"], "auth")
        first.inbox()  # a login: it hears of it
        rows = {row["id"]: row for row in first.json("device").result["devices"]}
        self.assertIsNotNone(rows[second.joined["device"]]["revoked"])
        self.assertEqual([key["id"] for key in first.json("keys").result["keys"]], [key["id"] for key in before])
        tid = self.bob.send(self.file(600), to=[first]).result["id"]
        first.get(tid, "-o", self.folder_of("still"))
        self.assertEqual(second.get(tid, "-o", self.folder_of("no"), expect=4).error["code"], "auth")
        doctor = first.json("doctor").result["checks"]
        self.assertEqual({check["verdict"] for check in doctor}, {"ok"}, doctor)


class FactorsTold(Machines):
    """Whoever has got hold of one device can enrol a factor: the others tell their owner."""
    settings = {("limits", "registrations"): 100}

    @staticmethod
    def told(result):
        return [item["message"] for item in result.objects if item.get("event") == "factor_changed"]

    def test_told_at_each_device(self):
        first = self.person("fatima")
        second = self.both(first)
        short = second.joined["device"][:12]
        watcher = Watcher(first)
        self.addCleanup(watcher.stop)
        phone = self.enrol(second)
        (enrolled,) = watcher.wait(1)
        self.assertEqual((enrolled["event"], enrolled["id"], enrolled["name"]),
                         ("factor_enrolled", second.joined["device"], None))
        self.assertEqual(self.told(second.json("inbox")), [])  # its own
        (message,) = self.told(first.json("inbox"))
        since = second.json("factor").result["factors"][0]["since"][:10]
        self.assertIn(f"a second factor was enrolled on {since} from device {short}", message)
        self.assertIn(f"satchel device revoke {short}", message)
        self.assertIn("satchel factor totp remove --recovery-fd", message)
        self.assertEqual(self.told(first.json("inbox")), [message])  # at every login until it counts
        # It is renewed, with a code of the old one, at the first.
        self.assertIn("renew", second.json("factor", "totp", "enrol", expect=4).error["hint"])
        second.json("factor", "totp", "renew", expect=4)
        phone = self.enrol(first, phone.recovery[0])
        self.assertEqual(watcher.wait(2)[1]["event"], "factor_enrolled")
        self.assertEqual(len(self.told(second.json("inbox"))), 1)
        self.assertEqual(self.told(first.json("inbox")), [])
        with_fd(phone.recovery[0], "--otp-fd", first.json, "factor", "totp", "remove")
        self.assertEqual(watcher.wait(3)[2]["event"], "factor_removed")
        self.assertEqual(self.told(first.json("inbox")), [])
        quiet = second.run("--quiet", "inbox")
        self.assertIn(f"the second factor that was enrolled on {since} was removed", quiet.errors)
        self.assertEqual(second.run("--quiet", "inbox").errors, "")


class Recovery(Ahead, Machines):
    """The words are not enough where a second factor has stood for a while."""
    settings = {("limits", "registrations"): 100}

    def test_recover(self):
        user = User(self.daemon, self.work, "rob")
        told = next(item for item in user.register().objects if item.get("event") == "recovery_words")
        self.assertEqual(set(told), {"event"} | documented("recovery_words"))
        words = told["words"]
        thiefs = self.enrol(user)

        def recover(home, codes, expect=0, how=("--json",)):
            again = self.machine(user, home)
            pipes = [os.pipe(), os.pipe()]
            os.write(pipes[0][1], words.encode() + b"\n")
            os.write(pipes[1][1], "".join(code + "\n" for code in codes).encode())
            for _, write in pipes:
                os.close(write)
            again.result = again.run(*how, "recover", "--server", self.daemon.server, "--name", "rob", "--pin",
                                      self.daemon.pin, "--no-passphrase", "--words-fd", pipes[0][0], "--otp-fd",
                                      pipes[1][0], expect=expect, pass_fds=(pipes[0][0], pipes[1][0]), env=self.env)
            for read, _ in pipes:
                os.close(read)
            return again

        # Whoever has the only device has enrolled one a moment ago: the words are enough, and it goes.
        since = user.json("factor").result["factors"][0]["since"]
        own = recover("own", [])
        self.assertEqual(own.result.result["factor_removed"], since)
        self.assertIs(own.result.result["factor"], False)
        self.assertEqual(own.json("factor").result["factors"], [])
        self.assertEqual(user.json("inbox", expect=4).error["code"], "auth")
        once_more = recover("once-more", [], how=())  # as behind an answer that was lost
        self.assertNotIn("was removed: it", once_more.result.errors)
        self.assertIn("no second factor is enrolled; if you had one", once_more.result.errors)
        own = once_more
        self.enrol(own)
        since = own.json("factor").result["factors"][0]["since"]
        own = recover("text", [], how=())
        self.assertIn(f"the second factor enrolled on {since[:10]} was removed", own.result.errors)
        phone = self.enrol(own)
        self.assertNotEqual(phone.key, thiefs.key)
        self.go_ahead(days=8)
        self.assertEqual(recover("none", [], expect=4).result.error["code"], "factor")
        wrong = recover("slip", ["12345"], expect=4).result.error  # and nothing behind it
        self.assertIn("neither a one-time password", wrong["message"])
        wrong = recover("long", ["1" * 100], expect=4).result.error
        self.assertIn("neither a one-time password", wrong["message"])
        own.json("inbox", env=self.env)  # it is his still
        again = recover("again", ["nonsense", phone.recovery[1]])
        self.assertIsNone(again.result.result["factor_removed"])
        self.assertIs(again.result.result["factor"], True)
        self.assertEqual(again.json("whoami", env=self.env).result["user_id"], user.uid)
        self.assertEqual(own.json("inbox", expect=4, env=self.env).error["code"], "auth")
        # The recovery code counted once.  Who has tried often enough is not even asked for another one.
        self.assertIn(recover("more", [phone.recovery[1]], expect=4).result.error["code"], ("factor", "rate"))
