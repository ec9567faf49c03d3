# SPDX-License-Identifier: Apache-2.0
"""satchel watch: each event once, whatever happens to the daemon."""
import json
import queue
import random
import signal
import threading

from harness import LEVEL, WAIT, Case, Terminal
from test_life import documented


class Watcher:
    """satchel watch in the background; its lines as they come."""

    def __init__(self, user, *args):
        self.process = user.start("watch", *args)
        self.lines = queue.Queue()
        self.events = []
        self.anew = 0  # how often watching has begun again
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        self.ready()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put(None)

    def _next(self):
        line = self.lines.get(timeout=WAIT)
        if line is None:
            raise AssertionError(f"watch has ended: {self.process.stderr.read().decode()}")
        return line

    def ready(self):
        while self._next()["event"] != "watching":
            pass

    def wait(self, count):
        """Until so many events have come in all."""
        while len(self.events) < count:
            line = self._next()
            if "number" in line:  # others are notices
                self.events.append(line)
            self.anew += line["event"] == "watching"
        return self.events

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(WAIT)
        self.thread.join(WAIT)
        self.process.stdout.close()
        self.process.stderr.close()
        while not self.lines.empty():
            line = self.lines.get()
            if line is not None and "number" in line:
                self.events.append(line)
        return code


class Watch(Case):
    settings = {("limits", "min_lifetime"): "1s"}

    def watch(self, user, *args):
        watcher = Watcher(user, *args)
        self.addCleanup(lambda: watcher.process.poll() is None and watcher.stop())
        return watcher

    def test_a_life(self):
        self.bob.json("contacts", "add", "alice")
        sender, recipient = self.watch(self.alice), self.watch(self.bob)
        tid = self.alice.send(self.file(100), to=(self.bob,)).result["id"]
        self.bob.get(tid, "-o", self.work / "x")
        self.alice.json("revoke", tid)
        names = [(event["event"], event["id"], event["who"]) for event in sender.wait(4)]
        self.assertEqual(names, [("stored", tid, "alice"), ("released", tid, "bob"), ("received", tid, "bob"),
                                 ("revoked", tid, "bob")])
        names = [(event["event"], event["id"], event["who"]) for event in recipient.wait(2)]
        self.assertEqual(names, [("arrived", tid, "alice"), ("revoked", tid, "alice")])
        for watcher, ours in ((sender, True), (recipient, False)):
            for event in watcher.events:
                self.assertEqual((event["name"], event["ours"]), ("file.bin", ours), event)
                self.assertEqual(set(event), documented("watch"))
        self.assertEqual(sender.stop(), 130)
        # What happens while nobody watches is told next time, and nothing twice.
        second = self.alice.send(self.file(100), to=(self.bob,)).result["id"]
        again = self.watch(self.alice)
        self.assertEqual([(event["event"], event["id"]) for event in again.wait(1)], [("stored", second)])
        self.bob.json("delete", second)
        self.assertEqual(again.wait(2)[1]["event"], "deleted")

    def test_names_of_what_has_ended(self):
        """They are gone with the keys: what was not seen before has none; another's end takes no name away."""
        self.watch(self.alice).stop()
        whole, part = (self.alice.send(self.file(10, name), to=(self.bob, self.carol)).result["id"]
                       for name in ("whole", "part"))
        self.alice.json("revoke", whole)
        self.alice.json("revoke", part, "--from", "bob")
        told = self.watch(self.alice).wait(5)
        self.assertEqual([(event["event"], event["name"], event["ours"]) for event in told],
                         [("stored", None, True), ("stored", "part", True), ("revoked", None, True),
                          ("revoked", None, True), ("revoked", "part", True)])

    def test_lines(self):
        """Who has revoked what, for whom; names are for a terminal."""
        self.bob.json("contacts", "add", "alice")
        sender, recipient = Terminal(self.alice, "watch"), Terminal(self.bob, "watch")
        for user, terminal in ((self.bob, recipient), (self.alice, sender)):
            while "arrived" not in terminal.shown and "stored" not in terminal.shown:
                # Watching has begun when it tells of what came meanwhile.
                self.alice.send(self.file(10, "first"), to=(user,))
                terminal.poll()
        path = self.file(10, "name\x1b[2J.txt")
        tid = self.alice.send(path, to=(self.bob,)).result["id"]
        short = tid[:12]
        recipient.until(rf"arrived +{short}  from alice: name\\x1b\[2J\.txt")
        sender.until(rf"stored +{short}  by alice: name")
        self.alice.json("revoke", tid)
        recipient.until(rf"revoked +{short}  by alice, for you: name")
        sender.until(rf"revoked +{short}  by you, for bob: name")
        for terminal in (sender, recipient):
            terminal.interrupt()
            self.assertNotIn("\x1b[2J", terminal.end(expect=130))

    def test_strangers_have_names(self):
        watcher = self.watch(self.carol)
        self.alice.send(self.file(10), to=(self.carol,))
        self.assertEqual(watcher.wait(1)[0]["who"], "alice")
        self.assertEqual(watcher.events[0]["name"], "file.bin")

    def test_expiry_is_told(self):
        sender = self.watch(self.alice)
        self.alice.send(self.file(10), "--expires", "2s", to=(self.bob,))
        self.assertEqual([(event["event"], event["name"]) for event in sender.wait(2)],
                         [("stored", "file.bin"), ("expired", "file.bin")])

    def test_programs(self):
        self.bob.json("contacts", "add", "alice")
        script, log = self.work / "hook", self.work / "log"
        script.write_text("#!/bin/sh\n"
                          f"echo \"$1 $2 $3 $SATCHEL_EVENT $SATCHEL_WHO $SATCHEL_NAME $#\" >> '{log}'\n")
        script.chmod(0o755)
        watcher = self.watch(self.bob, "--exec", script)
        tid = self.alice.send(self.file(10), to=(self.bob,)).result["id"]
        while watcher.events[-1:] == [] or watcher.events[-1]["id"] != tid:
            watcher.wait(len(watcher.events) + 1)
        watcher.stop()  # and wait for the programs
        line = f"arrived {tid} alice arrived alice file.bin 3\n"
        for _ in range(WAIT * 10):
            if log.exists() and line in log.read_text():
                break
            threading.Event().wait(0.1)
        self.assertIn(line, log.read_text())
        self.bob.json("watch", "--exec", self.work / "nothing", expect=3)
        empty = {"PATH": str(self.folder_of("empty"))}
        self.assertEqual(self.bob.json("watch", "--notify", env=empty, expect=1).error["code"], "unsupported")

    def test_restarts_of_the_daemon(self):
        """Events around restarts and kills: each is told once, in order."""
        restarts, events = (20, 500) if LEVEL == "soak" else (4, 24)
        path, sent, chance = self.file(10), [], random.Random(4)
        watcher = self.watch(self.bob)
        for turn in range(restarts):
            while len(sent) < events * (turn + 1) // restarts:
                sent.append(self.alice.send(path, to=(self.bob,)).result["id"])
            if chance.random() < 0.5:
                self.daemon.kill()
            else:
                self.daemon.stop()
            self.daemon.start()
        told = watcher.wait(len(sent))
        self.assertEqual([event["id"] for event in told], sent)
        self.assertEqual([event["number"] for event in told],
                         list(range(told[0]["number"], told[0]["number"] + len(sent))))
        watcher.stop()
        self.assertEqual(len(watcher.events), len(sent))


class Crowd(Case):
    users = ("alice", "ben", "cleo", "dan", "eve", "fay")
    settings = {("limits", "lookups"): "3"}

    def test_more_strangers_than_lookups(self):
        """Who cannot be asked for now is told by his ID; watching goes on."""
        watcher = Watcher(self.alice)
        self.addCleanup(lambda: watcher.process.poll() is None and watcher.stop())
        senders = [getattr(self, name) for name in self.users[1:]]
        sent = [sender.send(self.file(10), to=(self.alice,)).result["id"] for sender in senders]
        told = watcher.wait(len(sent))
        self.assertEqual([event["id"] for event in told], sent)
        self.assertEqual(watcher.anew, 0)
        for sender, event in zip(senders, told):
            self.assertIn(event["who"] or event["who_id"], (sender.name, event["who_id"]))
        self.assertEqual(watcher.stop(), 130)
