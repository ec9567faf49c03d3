# SPDX-License-Identifier: Apache-2.0
"""Peers that do not keep to the protocol: each gets its error or is cut off, and the daemon serves the others."""
import os
import random
import socket
import ssl
import struct

from harness import Case
from wire import Closed, Peer, frame, schema

MAX_HEAD, MAX_TAIL = 262144, 262400


class Frames(Case):
    users = ("alice",)

    def setUp(self):
        super().setUp()
        self.addCleanup(self.still_serves)

    def still_serves(self):
        self.alice.json("inbox")

    def peer(self):
        peer = Peer(self.daemon)
        self.addCleanup(peer.stream.close)
        return peer

    def test_hello(self):
        reply = self.peer().hello().hello_reply
        self.assertEqual((reply.version, len(reply.server_id), len(reply.server_key), len(reply.nonce)), (1, 20, 32, 32))
        self.assertTrue(reply.limits.max_transfer > 0 and reply.limits.window > 0 and reply.limits.page > 0)

    def test_nonce_is_fresh(self):
        self.assertNotEqual(self.peer().hello().hello_reply.nonce, self.peer().hello().hello_reply.nonce)

    def test_frames_too_long(self):
        for head, tail in ((0, 0), (MAX_HEAD + 1, 0), (0xffffffff, 0), (1, MAX_TAIL + 1), (1, 0xffffffff)):
            with self.subTest(head=head, tail=tail):
                peer = self.peer()
                peer.raw(struct.pack(">II", head, tail))
                envelope, _ = peer.receive()
                self.assertEqual((envelope.id, schema().Code.Name(envelope.error.code)), (0, "BAD_FRAME"))
                self.assertTrue(peer.closed())

    def test_not_protobuf(self):
        peer = self.peer()
        peer.raw(frame(b"\xff" * 40))
        self.assertIn(peer.error(), ("BAD_FRAME", "BAD_REQUEST"))

    def test_tail_where_none_belongs(self):
        peer = self.peer()
        peer.hello()
        peer.send("ping", tail=b"x")
        self.assertIn(peer.error(), ("BAD_FRAME", "BAD_REQUEST"))

    def test_before_hello(self):
        peer = self.peer()
        peer.send("ping")
        self.assertEqual(peer.error(), "BAD_STATE")
        self.assertTrue(peer.closed())

    def test_before_login(self):
        for name in ("list_transfers", "get_pieces", "open_transfer", "put_piece", "lookup", "release", "status",
                     "put_manifest", "seal_transfer", "delete", "find_transfers"):
            with self.subTest(name=name):
                peer = self.peer()
                peer.hello()
                peer.send(name)
                self.assertEqual(peer.error(), "BAD_STATE")

    def test_ping_and_second_hello(self):
        peer = self.peer()
        peer.hello()
        self.assertEqual(peer.ask("ping").WhichOneof("body"), "done")
        peer.send("hello", min_version=1, max_version=1)
        self.assertEqual(peer.error(), "BAD_STATE")

    def test_versions(self):
        for low, high in ((2, 3), (0, 0), (3, 1)):
            with self.subTest(low=low, high=high):
                peer = self.peer()
                peer.send("hello", min_version=low, max_version=high)
                self.assertIn(peer.error(), ("UNSUPPORTED", "BAD_REQUEST"))

    def test_unknown_message(self):
        peer = self.peer()
        peer.hello()
        # Envelope with an id and an unknown field 99.
        peer.raw(frame(b"\x08\x07" + b"\x9a\x06\x01x"))
        envelope, _ = peer.receive()
        self.assertEqual((envelope.id, schema().Code.Name(envelope.error.code)), (7, "UNSUPPORTED"))
        self.assertEqual(peer.ask("ping").WhichOneof("body"), "done")

    def test_numbers(self):
        peer = self.peer()
        peer.hello()
        peer.send("ping", number=0)
        self.assertIn(peer.error(), ("BAD_FRAME", "BAD_REQUEST"))

    def test_wrong_login(self):
        peer = self.peer()
        now = peer.hello().hello_reply.time
        peer.send("login", user_id=b"u" * 20, device=b"d" * 16, time=now, signature=b"s" * 64)
        self.assertEqual(peer.error(), "AUTH_FAILED")
        self.assertTrue(peer.closed())

    def test_odd_sizes_in_login(self):
        for fields in ({}, {"user_id": b""}, {"user_id": b"u" * 21, "device": b"d" * 16, "signature": b"s" * 64},
                       {"user_id": b"u" * 20, "device": b"d" * 16, "signature": b"s" * 63}):
            with self.subTest(fields=sorted(fields)):
                peer = self.peer()
                peer.hello()
                peer.send("login", **fields)
                self.assertIn(peer.error(), ("BAD_REQUEST", "AUTH_FAILED"))

    def test_one_byte_at_a_time(self):
        peer = self.peer()
        envelope = schema().Envelope(id=1)
        envelope.hello.min_version = envelope.hello.max_version = 1
        for byte in frame(envelope.SerializeToString()):
            peer.raw(bytes([byte]))
        self.assertEqual(peer.receive()[0].WhichOneof("body"), "hello_reply")

    def test_random_bytes(self):
        source = random.Random(1)
        for _ in range(30):
            peer = self.peer()
            peer.hello()
            try:
                peer.raw(source.randbytes(source.randrange(1, 5000)))
                peer.stream.unwrap()
            except (OSError, ssl.SSLError):
                pass

    def test_changed_requests(self):
        """A valid request with bits flipped never ends the daemon."""
        source = random.Random(2)
        envelope = schema().Envelope(id=9)
        envelope.register.username = "mallory"
        envelope.register.email = "mallory@example.org"
        envelope.register.manifest.body = bytes(range(200))
        envelope.register.signature = b"s" * 64
        good = envelope.SerializeToString()
        for _ in range(60):
            bad = bytearray(good)
            for _ in range(source.randrange(1, 6)):
                bad[source.randrange(len(bad))] ^= 1 << source.randrange(8)
            peer = self.peer()
            peer.hello()
            peer.raw(frame(bytes(bad)))
            try:
                self.assertNotEqual(peer.receive()[0].WhichOneof("body"), "register_reply")
            except Closed:
                pass
            peer.stream.close()

    def test_rude_ends(self):
        for _ in range(20):
            plain = socket.create_connection((self.daemon.address, self.daemon.port))
            plain.send(os.urandom(50))
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            plain.close()
            peer = self.peer()
            peer.raw(struct.pack(">II", 100, 0) + b"half")
            peer.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.stream.close()


class Slow(Case):
    """Who does not go on is cut off."""

    users = ("alice",)
    settings = {("timeouts", "handshake"): "1s", ("timeouts", "login"): "2s", ("timeouts", "stall"): "1s",
                ("timeouts", "idle"): "5s"}

    def test_no_handshake(self):
        with socket.create_connection((self.daemon.address, self.daemon.port), timeout=30) as plain:
            self.assertEqual(plain.recv(1), b"")

    def test_no_login(self):
        with Peer(self.daemon, timeout=30) as peer:
            peer.hello()
            self.assertTrue(peer.closed())

    def test_half_a_frame(self):
        with Peer(self.daemon, timeout=30) as peer:
            peer.raw(struct.pack(">II", 1000, 0) + b"x")
            self.assertTrue(peer.closed())

    def test_reads_nothing(self):
        with Peer(self.daemon, timeout=30) as peer:
            peer.hello()
            try:
                for _ in range(100_000):
                    peer.send("ping")
            except OSError:
                pass
        self.alice.json("inbox")


class Crowd(Case):
    """More connections than one address may have: some are refused, the rest is served."""

    users = ("alice",)
    settings = {("limits", "connections_per_address"): "8"}

    def test_too_many(self):
        peers = []
        try:
            for _ in range(20):
                try:
                    peers.append(Peer(self.daemon, timeout=30))
                    peers[-1].hello()
                except (OSError, ssl.SSLError, Closed):
                    pass
            served = 0
            for peer in peers:
                try:
                    served += peer.ask("ping").WhichOneof("body") == "done"
                except (OSError, Closed):
                    pass
            self.assertEqual(served, 8)
        finally:
            for peer in peers:
                peer.stream.close()
        self.alice.json("inbox")
