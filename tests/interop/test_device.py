# SPDX-License-Identifier: Apache-2.0
"""A second device: Python asks satchel, satchel asks Python, well or badly."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))

import formats as f  # noqa: E402
import join  # noqa: E402
from harness import WAIT, User  # noqa: E402
from protocol import Client, WireError, pb  # noqa: E402
from test_join import Adding, Machines  # noqa: E402

class Device(Machines):
    users = ()

    def client(self):
        client = Client("127.0.0.1", self.daemon.port, self.daemon.pin)
        client.connect()
        self.addCleanup(client.close)
        return client

    def ask(self, client, code, joiner, version=join.VERSION, opened=False):
        """Join until there is something."""
        while True:
            reply = client.connection.call(join=pb.Join(id=code.id, request=joiner.request, version=version, opened=opened))
            if reply.opening or reply.sealed:
                return reply

    def refused(self, *args, **more):
        with self.assertRaises(WireError) as caught:
            self.ask(*args, **more)
        return caught.exception


class Joining(Device):
    """Python is the new device."""

    def test_all_of_it(self):
        alice = self.person("ann")
        adding, python = Adding(alice), self.client()
        code = join.Code.read(adding.code()["code"], python.hello.server_id)
        joiner = join.Joiner(pb, code)
        reply = self.ask(python, code, joiner)
        self.assertFalse(reply.sealed or reply.manifests)
        nonce, uid = code.open_opening(joiner.request, reply.opening)
        self.assertEqual(code.check(joiner.request, nonce, uid), adding.event("joiner")["check"])
        reply = self.ask(python, code, joiner, opened=True)
        answer = code.open_answer(pb, joiner.request, reply.sealed, joiner.key)
        chain = f.check_chain(pb, reply.manifests)
        newest, digest = chain[-1]
        self.assertEqual((newest.user_id, digest), (uid, answer.manifest))
        isk = join.Ed25519PrivateKey.from_private_bytes(answer.identity_seed)
        self.assertEqual(f.public_bytes(isk), newest.first_identity_key)
        self.assertEqual((answer.version, answer.username, answer.email), (2, "ann", alice.email))
        self.assertEqual(adding.end()["name"], "python")
        # It is a device of hers from now on.
        python.uid, python.dsk, python.device = uid, joiner.dsk, f.device_id(f.public_bytes(joiner.dsk))
        python.login()

    def test_one_machine(self):
        """Whoever has the code, and comes after it was opened, hears nothing, and ends nothing."""
        alice = self.person("ida")
        adding, first, second = Adding(alice), self.client(), self.client()
        code = join.Code.read(adding.code()["code"], first.hello.server_id)
        joiner, other = join.Joiner(pb, code), join.Joiner(pb, code)
        first.connection.send(join=pb.Join(id=code.id, request=joiner.request, version=2, opened=True))
        adding.event("joiner")
        self.assertIn(self.refused(second, code, other).code, (pb.BUSY, pb.EXISTS))
        envelope, _ = first.connection.receive()
        code.open_answer(pb, joiner.request, envelope.join_reply.sealed, joiner.key)
        adding.end()
        self.assertEqual(self.refused(second, code, other).code, pb.EXISTS)

    def test_older(self):
        """One of another version hears so; who has forged the number of the version is turned away."""
        alice = self.person("old")
        adding, python = Adding(alice), self.client()
        code = join.Code.read(adding.code()["code"], python.hello.server_id)
        for version in (0, 1, 3):
            error = self.refused(python, code, join.Joiner(pb, code, version), version=version)
            self.assertEqual(error.code, pb.UNSUPPORTED)
            self.assertIn("different versions", str(error))
        self.assertEqual(self.refused(python, code, join.Joiner(pb, code, 1)).code, pb.AUTH_FAILED)
        error = adding.end(expect=1)
        self.assertEqual(error["code"], "unsupported")
        self.assertEqual(error["message"], "the new machine has another version of Satchel")
        self.assertIn("up to date", error["hint"])
        self.assertEqual(len(alice.json("device").result["devices"]), 1)


class Adds(Device):
    """Python is the device that is there."""

    def setUp(self):
        super().setUp()
        self.python = self.client()
        name = self._testMethodName.replace("_", "-")
        self.python.register(name, f"{name}@example.org")
        self.python.login()
        self.nonce = f.random_bytes(32)
        self.code = join.Code(join.Code.commit(self.nonce, self.python.uid), self.python.hello.server_id)

    def offer(self, **more):
        return self.python.connection.call(offer_join=pb.OfferJoin(id=self.code.id, **more))

    def begin(self, version=join.VERSION, home="second"):
        """A machine with nothing on it asks."""
        self.offer(lifetime=60000, version=version)
        return self.joining(User(self.daemon, self.work, home), self.code.text())

    def request(self):
        while True:
            reply = self.offer()
            if reply.sealed:
                return reply.sealed

    def error(self, process, expect):
        out, errors = process.communicate(timeout=WAIT)
        self.assertEqual(process.returncode, expect, (out, errors))
        return json.loads(out.splitlines()[-1])["error"], out

    def test_number(self):
        process = self.begin()
        request = self.request()
        self.assertEqual(self.code.open_request(pb, request).version, 2)
        self.offer(opening=self.code.seal_opening(request, self.nonce, self.python.uid))
        self.assertEqual(json.loads(process.stdout.readline())["check"],
                         self.code.check(request, self.nonce, self.python.uid))
        self.offer(end=True)
        self.assertEqual(self.error(process, 3)[0]["code"], "notfound")

    def test_wrong_opening(self):
        """Who has the code can seal another nonce or user: the code was not made of them, no number is shown."""
        for home, nonce, uid in (("a", f.random_bytes(32), self.python.uid), ("b", self.nonce, f.random_bytes(20))):
            process = self.begin(home=home)
            self.offer(opening=self.code.seal_opening(self.request(), nonce, uid))
            error, out = self.error(process, 6)
            self.assertEqual(error["code"], "integrity")
            self.assertIn("not made by the device", error["message"])
            self.assertNotIn(b"check", out)
            self.offer(end=True)

    def test_spoilt_opening(self):
        process = self.begin()
        opening = bytearray(self.code.seal_opening(self.request(), self.nonce, self.python.uid))
        opening[7] ^= 1
        self.offer(opening=bytes(opening))
        self.assertEqual(self.error(process, 6)[0]["code"], "integrity")

    def test_answer_before_its_time(self):
        process = self.begin()
        self.request()
        self.offer(answer=f.random_bytes(4144))
        error, out = self.error(process, 5)
        self.assertEqual(error["code"], "proto")
        self.assertNotIn(b"check", out)

    def test_older(self):
        """A device of an earlier version offers: the new one says so."""
        error, _ = self.error(self.begin(version=0), 1)
        self.assertEqual(error["code"], "unsupported")
        self.assertIn("different versions", error["message"])
        self.assertIn("up to date", error["hint"])
