# SPDX-License-Identifier: Apache-2.0
"""Account records: what satchel writes Python reads, and what Python writes satchel recovers."""
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))

import account  # noqa: E402
import formats as f  # noqa: E402
from harness import Case, User  # noqa: E402
from protocol import Client, pb  # noqa: E402


class Account(Case):
    users = ("bob", "carol")

    def connect(self, client=None):
        client = client or Client("127.0.0.1", self.daemon.port, self.daemon.pin)
        client.connect()
        self.addCleanup(client.close)
        return client

    def test_python_reads_what_satchel_wrote(self):
        alice = User(self.daemon, self.work, "alice")
        result = alice.register()
        words = next(item["words"] for item in result.objects if item.get("event") == "recovery_words")
        alice.json("contacts", "add", "bob", "--name", "Robert")
        alice.json("contacts", "add", "carol")
        alice.json("contacts", "block", "carol")
        alice.json("contacts", "group", "team", "add", "Robert", "carol")
        alice.inbox()  # a login: the server's copy is brought up to date

        python, seed = self.connect(), account.seed_of(words)
        self.assertEqual(account.words_of(seed).split(), words.split())
        reply, chain = account.recover(pb, python.connection, python.hello.server_id, seed, "alice")
        self.assertEqual((reply.username, reply.email), ("alice", alice.email))
        found = account.open_record(pb, reply.record, chain[-1][0], account.box_key(seed))
        self.assertEqual(found.version, 1)
        python.register("onlooker", "onlooker@example.org")
        python.login()
        people = {row.user_id: row for row in found.contacts}
        (bob, pinned), (carol, _) = (python.lookup(username=name) for name in ("bob", "carol"))
        self.assertEqual(set(people), {bob, carol})
        self.assertEqual((people[bob].name, people[bob].named), ("Robert", True))
        self.assertEqual(people[bob].manifest, pinned[-1][1])
        self.assertEqual([people[who].blocked for who in (bob, carol)], [False, True])
        self.assertEqual([(group.name, set(group.members)) for group in found.groups], [("team", {bob, carol})])
        own = [account.X25519PrivateKey.from_private_bytes(key.private_key) for key in found.keys]
        self.assertEqual([f.public_bytes(key) for key in own], [key.key for key in chain[-1][0].keys])
        with self.assertRaises(f.Refused):
            account.open_record(pb, reply.record, chain[-1][0], account.box_key(bytes(32)))

    def test_satchel_recovers_what_python_wrote(self):
        seed = f.random_bytes(32)
        python = Client("127.0.0.1", self.daemon.port, self.daemon.pin)
        python.rk = account.recovery_key(seed)
        python.uid = f.user_id(f.public_bytes(python.isk), f.public_bytes(python.rk))
        self.connect(python)
        python.register("python", "python@example.org")
        number = python.login().account
        bob, chain = python.lookup(username="bob")
        tid = self.bob.send(self.file(3000, "old"), to=["python"]).result["id"]
        key = python.make_own_key()
        body = account.seal(
            pb, pb.AccountRecord(version=1, user_id=python.uid, number=number, device=python.device),
            [f.public_bytes(account.box_key(seed))],
            pb.Account(version=1,
                       keys=[pb.OwnKey(suite=1, private_key=account.private_bytes(python.ek),
                                       not_before=key.not_before, not_after=key.not_after)],
                       contacts=[pb.AccountContact(user_id=bob, name="Robert", named=True, manifest=chain[-1][1])],
                       groups=[pb.Group(version=1, name="all", members=[bob])]))
        python.connection.call(put_account=pb.PutAccount(
            number=number, record=pb.Signed(body=body, signature=f.sign(python.dsk, "account", body))))

        again = User(self.daemon, self.work, "again")
        reading, writing = os.pipe()
        os.write(writing, account.words_of(seed).encode() + b"\n")
        os.close(writing)
        self.addCleanup(os.close, reading)
        result = again.json("recover", "--server", self.daemon.server, "--name", "python", "--pin", self.daemon.pin,
                            "--no-passphrase", "--words-fd", reading, pass_fds=(reading,)).result
        self.assertEqual((result["record"], result["keys"], result["contacts"], result["lost"]), (True, 1, 1, 0))
        self.assertEqual([row["name"] for row in again.json("contacts").result["contacts"]], ["Robert"])
        self.assertEqual(again.json("contacts", "group", "all").result["groups"][0]["members"], ["Robert"])
        again.get(tid, "-o", self.work / "got")
        self.assertEqual((self.work / "got").read_bytes(), (self.work / "old").read_bytes())
