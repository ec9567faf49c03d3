# SPDX-License-Identifier: Apache-2.0
"""The Python client and satchel exchange files both ways through the real daemon."""
import base64
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(__file__))

import formats as f  # noqa: E402
import log  # noqa: E402
from harness import TREE, Case, sha256  # noqa: E402
from protocol import Client, WireError, now, pb  # noqa: E402
from test_factor import Authenticator  # noqa: E402

SIZES = (0, 1, 4096, 16384, 262143, 262144, 262145, 3_000_000)


class Documents(Case):
    users = ("alice",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.python = Client("127.0.0.1", cls.daemon.port, cls.daemon.pin).connect()
        cls.addClassCleanup(cls.python.close)
        cls.python.register("python", "python@example.org")
        cls.python.login()

    def test_user_id_as_text(self):
        found = self.alice.json("contacts", "add", "python").result
        self.assertEqual(found["user_id"], f.bech32m("sat", self.python.uid))

    def test_python_to_satchel(self):
        for size in SIZES:
            data = os.urandom(size)
            tid = self.python.send(["alice"], b"from python.bin", data, "hello from Python")
            out = self.work / f"got {size}"
            got = self.alice.get(tid, "-o", out).result
            self.assertEqual((got["size"], got["from"]), (size, "python"))
            self.assertEqual(out.read_bytes(), data)

    def test_satchel_to_python(self):
        for size in SIZES:
            path = self.file(size, f"to python {size}")
            tid = self.alice.send(path, "--message", "hello", to=["python"]).result["id"]
            metadata, data = self.python.get(tid)
            self.assertEqual(metadata.name.decode(), path.name)
            self.assertEqual(metadata.message, "hello")
            self.assertEqual(data, path.read_bytes())

    def test_inbox_lists_what_satchel_sent(self):
        path = self.file(1000, "listed")
        tid = self.alice.send(path, to=["python"]).result["id"]
        rows = {pb.Header.FromString(row.header).tid.hex(): row for row in self.python.inbox()}
        self.assertEqual(self.python.check(rows[tid])[2].name, b"listed")

    def test_previews_name_their_weights(self):
        tid = self.alice.send(TREE / "tests" / "data" / "picture.jpg", to=["python"]).result["id"]
        rows = {pb.Header.FromString(row.header).tid.hex(): row for row in self.python.inbox()}
        metadata = self.python.check(rows[tid])[2]
        self.assertEqual((len(metadata.preview), len(metadata.preview_weights)), (256, 4))

        ours = metadata.preview_weights
        others = bytes([ours[0] ^ 1]) + ours[1:]
        named = {weights: self.python.send(["alice"], b"a.jpg", b"jpeg", preview=metadata.preview, weights=weights)
                 for weights in (ours, b"", others)}
        rows = {row["id"]: row for row in self.alice.inbox("--previews")}
        for weights in (ours, b""):  # older senders named none
            self.assertEqual(rows[named[weights]]["preview"]["bytes"], 256)
            self.assertNotIn("preview_problem", rows[named[weights]])
        self.assertNotIn("preview", rows[named[others]])
        for who in (others, ours):
            self.assertIn(who.hex(), rows[named[others]]["preview_problem"])
        self.assertIn("other weights", self.alice.run("inbox", "--previews").text)
        self.alice.get(named[others], "-o", self.work / "got all the same")

        for weights, preview in ((b"abc", metadata.preview), (bytes(5), metadata.preview), (ours, None)):
            tid = self.python.send(["alice"], b"b.jpg", b"jpeg", preview=preview, weights=weights)
            (row,) = [row for row in self.alice.inbox("--previews") if row["id"] == tid]
            self.assertIn("preview_weights", json.dumps(row["problem"]))

    def test_two_recipients_do_not_see_each_other(self):
        other = Client("127.0.0.1", self.daemon.port, self.daemon.pin).connect()
        self.addCleanup(other.close)
        other.register("other", "other@example.org")
        other.login()
        path = self.file(300000)
        tid = self.alice.send(path, to=["python", "other"]).result["id"]
        for client in (self.python, other):
            self.assertEqual(client.get(tid)[1], path.read_bytes())
            row = client.connection.call(get_transfer=pb.GetTransfer(tid=bytes.fromhex(tid))).transfer
            status = client.connection.call(status=pb.Status(tid=bytes.fromhex(tid)))
            self.assertEqual([who.user_id for who in status.recipients], [client.uid])
            self.assertEqual(pb.Header.FromString(row.header).slots, 3)

    def test_foreign_and_missing_look_alike(self):
        stranger = Client("127.0.0.1", self.daemon.port, self.daemon.pin).connect()
        self.addCleanup(stranger.close)
        stranger.register("stranger", "stranger@example.org")
        stranger.login()
        tid = self.python.send(["alice"], b"x", b"not for strangers")
        answers = set()
        for wanted in (bytes.fromhex(tid), bytes(16)):
            with self.assertRaises(WireError) as refused:
                stranger.connection.call(get_transfer=pb.GetTransfer(tid=wanted))
            answers.add(str(refused.exception))
        self.assertEqual(len(answers), 1)

    def test_login_is_bound_to_the_connection(self):
        client = Client("127.0.0.1", self.daemon.port, self.daemon.pin)
        client.__dict__.update({key: value for key, value in self.python.__dict__.items() if key != "connection"})
        client.connect()
        self.addCleanup(client.close)
        client.connection.exporter = self.python.connection.exporter
        with self.assertRaises(WireError) as refused:
            client.login()
        self.assertEqual(refused.exception.code, pb.AUTH_FAILED)

    def test_a_second_factor_is_told(self):
        client, watching, later = (Client("127.0.0.1", self.daemon.port, self.daemon.pin).connect()
                                   for _ in range(3))
        for each in (client, watching, later):
            self.addCleanup(each.close)
            each.uid, each.device, each.dsk = client.uid, client.device, client.dsk
        client.register("wary", "wary@example.org")
        client.login()
        self.assertEqual(watching.login().factor.kind, pb.FACTOR_NONE)
        watching.connection.call(subscribe=pb.Subscribe(from_now=True))
        recovery = client.enrol(lambda key: Authenticator(base64.b32encode(key).decode()).code())
        first = later.login().factor
        self.assertEqual((first.kind, first.active, first.device), (pb.TOTP, True, client.device))
        with self.assertRaises(WireError) as refused:
            client.connection.call(factor_enrol=pb.FactorEnrol())
        self.assertEqual(refused.exception.code, pb.EXISTS)
        recovery = client.enrol(lambda key: Authenticator(base64.b32encode(key).decode()).code(), recovery[0])
        client.connection.call(factor_remove=pb.FactorRemove(code=recovery[0]))
        told = [watching.next_event() for _ in range(3)]
        self.assertEqual([event.kind for event in told],
                         [pb.EVENT_FACTOR_ENROLLED, pb.EVENT_FACTOR_ENROLLED, pb.EVENT_FACTOR_REMOVED])
        self.assertEqual({event.tid for event in told}, {client.device})

    def test_leaving_takes_the_recovery_key(self):
        client = Client("127.0.0.1", self.daemon.port, self.daemon.pin).connect()
        self.addCleanup(client.close)
        client.register("leaver", "leaver@example.org")
        client.login()
        for keys in ((client.isk,), (client.isk, client.isk)):
            with self.assertRaises(WireError) as refused:
                client.leave(*keys)
            self.assertEqual(refused.exception.code, pb.AUTH_FACTOR)
        client.leave(client.isk, client.rk)
        self.alice.send(self.file(10), to=["leaver"], expect=3)

    def test_a_body_longer_than_it_says_is_refused_by_satchel(self):
        """Padding that is not zeros: the sender signed it, the recipient must not take it."""
        data = b"x" * 5000
        send, original = Client.put_pieces, Client.put_pieces

        def dirty(client, tid, body, padded):
            return original(client, tid, body, padded[:-1] + b"!")

        Client.put_pieces = dirty
        self.addCleanup(setattr, Client, "put_pieces", send)
        tid = self.python.send(["alice"], b"dirty", data)
        out = self.work / "dirty"
        self.alice.get(tid, "-o", out, expect=6)
        self.assertFalse(out.exists())
        self.assertEqual(os.listdir(self.work), [])

    def test_clock(self):
        self.assertLess(abs(self.python.hello.time - now()), 3_600_000)

    def test_large_file_both_ways(self):
        path = self.file(20_000_000)
        tid = self.alice.send(path, to=["python"]).result["id"]
        data = self.python.get(tid)[1]
        self.assertEqual(f.sha256(data).hex(), sha256(path))


class Log(Case):
    """The log that satchel exports, checked by the Python of log.py."""

    users = ("alice", "bob")

    def exported(self):
        tid = self.alice.send(self.file(1000), to=(self.bob,)).result["id"]
        self.bob.get(tid, "-o", self.work / "got")
        path = self.work / "log.json"
        shown = self.alice.json("status", tid, "--export", path).result
        self.assertEqual([event["event"] for event in shown["log"]], ["stored", "released", "committed", "received"])
        self.assertTrue(shown["log"][3]["receipt"])
        self.bob.json("status", tid, "--export", self.work / "x", expect=4)
        return path.read_text()

    def test_export(self):
        text = self.exported()
        self.assertEqual([event["kind"] for event in log.check(text)["events"]], [1, 2, 4, 5])
        whole = json.loads(text)
        # Any digit of any byte string, changed, is noticed.
        places = [match.start() for match in re.finditer(r'(?<=")[0-9a-f]{16,}(?=")', text)]
        self.assertGreater(len(places), 20)
        for place in places:
            at = place + len(re.match(r"[0-9a-f]+", text[place:]).group()) // 2
            changed = text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1:]
            with self.subTest(place=place), self.assertRaises(Exception):
                log.check(changed)
        for event in whole["events"]:
            event["time"] += 1
            with self.assertRaises(f.Refused):
                log.check(json.dumps(whole))
            event["time"] -= 1
        log.check(json.dumps(whole))
        del whole["events"][-1]
        with self.assertRaises(f.Refused):
            log.check(json.dumps(whole))
