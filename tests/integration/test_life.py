# SPDX-License-Identifier: Apache-2.0
"""The life of a transfer after it was sent."""
import datetime
import os
import re
import time

from harness import TREE, WAIT, Case


def today():
    """The day in UTC, on either side of midnight."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")


def lines_of(verb):
    """The fields of a verb's JSON, as the manual page has them: a set for each line."""
    page = (TREE / "deploy" / "man" / "satchel.1").read_text()
    section = page[page.index(".Sh JSON"):page.index(".Sh ENVIRONMENT")]
    item = section[section.index(f".It Cm {verb}\n"):].split("\n.It ", 1)[0].split("\n.El", 1)[0]
    return [{word for word in line.split()[1:] if word[0].isalpha()}
            for line in item.splitlines() if line.startswith(".Va ")]


def documented(verb):
    """Those of its result."""
    return lines_of(verb)[0]


def fields_of(verb):
    """All of them."""
    return set().union(*lines_of(verb))


class Fields(Case):
    users = ("alice", "bob")

    def test_documented(self):
        """Scripts rely on them."""
        sent = self.alice.send(self.file(100), to=(self.bob,)).result
        self.assertEqual(set(sent), documented("send"))
        tid = sent["id"]
        self.assertEqual(set(self.bob.get(tid, "-o", self.work / "b").result), documented("get"))
        (row,) = [row for row in self.bob.inbox() if row["id"] == tid]
        self.assertLessEqual({"id", "from", "from_id", "name", "size", "state", "expires"}, set(row))
        status = self.alice.json("status", tid).result
        self.assertEqual(set(status), documented("status"))
        self.assertEqual(set(status["recipients"][0]),
                         {"user_id", "name", "state", "opens_used", "received", "changed"})
        self.assertEqual(set(status["log"][0]), {"number", "time", "event", "user_id", "name", "receipt"})
        self.assertEqual(set(self.alice.json("extend", tid, "1d").result), documented("extend"))
        revoked = self.alice.json("revoke", tid).result
        self.assertEqual(set(revoked), documented("revoke"))
        self.assertEqual(set(revoked["recipients"][0]), {"user_id", "name", "state", "opens_used", "received"})
        self.assertEqual(set(self.alice.json("delete", tid, "--force").result), documented("delete"))
        for verb in ("device", "doctor"):
            result = self.alice.json(verb).result
            self.assertEqual(set(result), documented(verb))
            (rows,) = result.values()
            self.assertLess(set(), set(rows[0]))
            self.assertLessEqual(set(rows[0]), fields_of(verb))
        self.assertEqual(set(self.alice.json("lock").result), documented("lock"))

    def test_codes_documented(self):
        """Each one that an error can have, with its exit status."""
        there = re.findall(r'X\(ERR_\w+, \d+, "(\w+)", "[^"]*", (\d+)\)', (TREE / "common" / "err.h").read_text())
        page = (TREE / "deploy" / "man" / "satchel.1").read_text()
        told = re.findall(r"^\.It Ql (\w+) No \((\d+)\)$", page, re.M)
        self.assertEqual(told, [row for row in there if row[0] != "again"])
        self.assertEqual(self.alice.json("status", "beef", expect=3).error["code"], "notfound")


class Revoke(Case):
    def test_everybody(self):
        tid = self.alice.send(self.file(1000), to=(self.bob, self.carol)).result["id"]
        self.carol.get(tid, "-o", self.work / "before")
        done = self.alice.json("revoke", tid[:10]).result
        self.assertEqual((done["id"], done["revoked"], done["opened"]), (tid, 2, 1))
        states = {row["name"]: (row["state"], row["opens_used"]) for row in done["recipients"]}
        self.assertEqual(states, {"bob": ("revoked", 0), "carol": ("revoked", 1)})
        for user in (self.bob, self.carol):
            refused = user.get(tid, "-o", self.work / "after", expect=4)
            self.assertEqual(refused.error["code"], "revoked")
            self.assertIn(f"alice revoked it on {today()}", refused.error["message"])
        self.assertFalse(os.path.exists(self.work / "after"))
        self.assertNotIn(tid, [row["id"] for row in self.bob.inbox()])
        (row,) = [row for row in self.bob.inbox("--all") if row["id"] == tid]
        self.assertEqual(row["state"], "revoked")
        self.assertFalse(done["already"])
        self.assertTrue(self.alice.json("revoke", tid).result["already"])
        said = self.alice.run("revoke", tid).text
        self.assertIn(f"was revoked already, on {today()}", said)
        self.assertIn("carol had", said)
        self.assertNotIn("bob had", said)

    def test_one(self):
        tid = self.alice.send(self.file(1000), to=(self.bob, self.carol)).result["id"]
        self.alice.json("revoke", tid, "--from", "bob")
        self.assertEqual(self.bob.get(tid, "-o", self.work / "x", expect=4).error["code"], "revoked")
        self.carol.get(tid, "-o", self.work / "y")
        states = {row["name"]: row["state"] for row in self.alice.json("status", tid).result["recipients"]}
        self.assertEqual(states["bob"], "revoked")
        self.assertIn(states["carol"], ("released", "received"))

    def test_refused(self):
        tid = self.alice.send(self.file(10), to=(self.bob,)).result["id"]
        refused = self.bob.json("revoke", tid, expect=4).error
        self.assertEqual(refused["code"], "refused")
        self.assertIn("only its sender can revoke it", refused["message"])
        self.assertIn(f"satchel delete {tid}", refused["hint"])
        refused = self.alice.json("revoke", tid, "--from", "bob,carol", expect=3).error
        self.assertEqual((refused["code"], refused["message"]),
                         ("notfound", f"transfer '{tid}' was not sent to 'carol'"))
        self.assertIn(f"satchel status {tid}", refused["hint"])
        refused = self.bob.json("revoke", tid, "--from", "carol", expect=4).error
        self.assertIn("only its sender can revoke it", refused["message"])
        self.alice.json("revoke", "f" * 32, expect=3)
        self.alice.json("revoke", tid, "--from", "nobody-of-that-name", expect=3)
        self.alice.run("revoke", expect=2)
        self.bob.get(tid, "-o", self.work / "x")

    def test_too_late_for_one(self):
        """Who has received it, with his last open: nothing is left to take from him."""
        tid = self.alice.send(self.file(10), "--opens", "1", to=(self.bob, self.carol)).result["id"]
        self.bob.get(tid, "-o", self.work / "x")
        for _ in range(2):
            said = self.alice.run("revoke", tid, "--from", "bob").text
            self.assertIn("nothing has changed", said)
            self.assertRegex(said, r"bob had received it by 2\S+Z and keeps it\n")
            self.assertNotIn("carol", said)
        self.assertIn("revoked for 1 person", self.alice.run("revoke", tid, "--from", "carol").text)
        said = self.alice.run("revoke", tid, "--from", "bob").text
        self.assertIn("bob had received it", said)
        self.carol.get(tid, "-o", self.work / "y", expect=4)


class Opens(Case):
    def test_receipt(self):
        tid = self.alice.send(self.file(1000), to=(self.bob, self.carol)).result["id"]
        self.assertTrue(self.bob.get(tid, "-o", self.work / "b").result["receipt"])
        self.assertFalse(self.carol.get(tid, "-o", self.work / "c", "--no-receipt").result["receipt"])
        rows = {row["name"]: row for row in self.alice.json("status", tid).result["recipients"]}
        self.assertEqual(rows["bob"]["state"], "received")
        self.assertIsNotNone(rows["bob"]["received"])
        self.assertEqual((rows["carol"]["state"], rows["carol"]["received"]), ("released", None))

    def test_no_receipts(self):
        """A setting of the profile; what the sender sees is 'released'."""
        self.assertEqual(self.bob.json("receipts").result, {"receipts": True})
        self.bob.json("receipts", "perhaps", expect=2)
        self.assertEqual(self.bob.json("receipts", "off").result, {"receipts": False})
        tid = self.alice.send(self.file(1000), "--opens", "1", to=(self.bob,)).result["id"]
        self.assertFalse(self.bob.get(tid, "-o", self.work / "off").result["receipt"])
        (row,) = self.alice.json("status", tid).result["recipients"]
        self.assertEqual((row["state"], row["received"]), ("released", None))
        log = [event["event"] for event in self.alice.json("status", tid).result["log"]]
        self.assertEqual(log, ["stored", "released", "committed"])  # the open is committed all the same
        self.bob.json("receipts", "on")
        tid = self.alice.send(self.file(1000), to=(self.bob,)).result["id"]
        self.assertTrue(self.bob.get(tid, "-o", self.work / "on").result["receipt"])

    def test_the_last_open_is_committed(self):
        """Then the key is gone, for the device that opened it too."""
        tid = self.alice.send(self.file(1000), "--opens", "1", to=(self.bob,)).result["id"]
        self.bob.get(tid, "-o", self.work / "b")
        self.assertEqual(self.bob.get(tid, "-o", self.work / "again", expect=4).error["code"], "spent")
        (row,) = self.alice.json("status", tid).result["recipients"]
        self.assertEqual((row["state"], row["opens_used"]), ("received", 1))
        self.bob.json("inbox", "--all")


class Extend(Case):
    settings = {("limits", "min_lifetime"): "1s", ("limits", "max_lifetime"): "10d"}

    def test_later_and_earlier(self):
        tid = self.alice.send(self.file(1000), "--expires", "10s", to=(self.bob, self.carol)).result["id"]
        done = self.alice.json("extend", tid, "2h").result
        self.assertGreater(done["expires"], done["before"])
        (row,) = [row for row in self.bob.inbox() if row["id"] == tid]
        self.assertEqual(row["expires"], done["expires"])
        self.assertEqual(self.alice.json("status", tid).result["expires"], done["expires"])
        self.pass_by(done["before"])
        self.bob.get(tid, "-o", self.work / "b")
        self.pass_by(self.alice.json("extend", tid, "1s").result["expires"])
        late = self.carol.get(tid, "-o", self.work / "c", expect=4).error
        self.assertEqual((late["code"], late["hint"]), ("expired", "ask alice to send it again"))
        self.assertIn("it expired on 2", late["message"])
        refused = self.alice.json("extend", tid, "1h", expect=4).error
        self.assertEqual(refused["code"], "expired")
        self.assertIn("it expired on 2", refused["message"])
        log = [event["event"] for event in self.alice.json("status", tid).result["log"]]
        self.assertEqual(log.count("extended"), 2)

    def pass_by(self, moment):
        for _ in range(WAIT * 10):
            if self.clock() > moment:
                return
            time.sleep(0.1)
        self.fail(f"{moment} never comes")

    def clock(self):
        return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"

    def test_refused(self):
        tid = self.alice.send(self.file(10), to=(self.bob,)).result["id"]
        refused = self.bob.json("extend", tid, "1h", expect=4).error
        self.assertEqual(refused["code"], "refused")
        self.assertIn("only its sender", refused["message"])
        refused = self.alice.json("extend", tid, "30d", expect=4).error
        self.assertEqual((refused["code"], refused["hint"]), ("toolarge", "the longest from now on is 9d"))
        self.assertIn("at most 10 days", refused["message"])
        refused = self.alice.send(self.file(10), "--expires", "90d", to=(self.bob,), expect=4).error
        self.assertEqual((refused["code"], refused["hint"]), ("toolarge", "the longest is --expires 10d"))
        self.alice.json("extend", tid, "soon", expect=2)
        self.alice.json("extend", "f" * 32, "1h", expect=3)
        self.alice.json("extend", tid, "8d")
        self.bob.get(tid, "-o", self.work / "x")
        self.alice.json("revoke", tid)
        refused = self.alice.json("extend", tid, "1h", expect=4).error
        self.assertEqual(refused["code"], "revoked")
        self.assertIn(f"you revoked it on {today()}", refused["message"])

    def test_nobody_left(self):
        """Refused, for whatever reason nobody can open it any more."""
        spent = self.alice.send(self.file(10), "--opens", "1", to=(self.bob,)).result["id"]
        self.bob.get(spent, "-o", self.work / "spent")
        self.alice.json("extend", spent, "1h")  # her own copy is left
        gone = self.alice.send(self.file(10), to=(self.bob, self.carol)).result["id"]
        self.bob.json("delete", gone)
        self.alice.json("extend", gone, "1h")  # carol is
        for tid, code in ((spent, "spent"), (gone, "refused")):
            self.alice.json("revoke", tid)
            refused = self.alice.json("extend", tid, "1h", expect=4).error
            self.assertEqual((refused["code"], refused["hint"]), (code, "that cannot be undone: send it again"))
        self.alice.json("delete", spent)
        self.assertEqual(self.alice.json("extend", spent[:12], "1h", expect=3).error["code"], "notfound")

    def test_dates(self):
        """An end may be a day, or a time; in UTC."""
        day = datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days=3)
        sent = self.alice.send(self.file(10), "--expires", str(day), to=(self.bob,)).result
        self.assertEqual(sent["expires"], f"{day}T00:00:00.000Z")
        end = f"{day + datetime.timedelta(days=1)}T12:30:00.000Z"
        done = self.alice.json("extend", sent["id"], end).result
        self.assertEqual((done["before"], done["expires"]), (sent["expires"], end))
        (row,) = [row for row in self.bob.inbox() if row["id"] == sent["id"]]
        self.assertEqual(row["expires"], end)
        for args in (["extend", sent["id"], "2020-01-01"], ["send", self.file(10), "--to", "bob", "--expires", "2020-01-01"]):
            self.assertIn("'2020-01-01' is in the past", self.alice.json(*args, expect=2).error["message"])
        self.assertIn("no date", self.alice.json("extend", sent["id"], "2030-02-31", expect=2).error["message"])
        refused = self.alice.send(self.file(10), "--expires", "2999-01-01", to=(self.bob,), expect=4).error
        self.assertEqual((refused["code"], refused["hint"]), ("toolarge", "the longest is --expires 10d"))
