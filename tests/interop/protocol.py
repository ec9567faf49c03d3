# SPDX-License-Identifier: Apache-2.0
"""A client of satchel/1 in Python, from proto/PROTOCOL.md and proto/FORMATS.md alone."""
import base64
import contextlib
import importlib.util
import pathlib
import select
import socket
import struct
import subprocess
import tempfile
import time

from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL

import formats as f

PROTO = pathlib.Path(__file__).resolve().parent.parent.parent / "proto"
WAIT = 60
DAY = 24 * 3600 * 1000


def load_schema():
    """satchel.proto as a Python module."""
    with tempfile.TemporaryDirectory(prefix="satchel-proto-") as folder:
        subprocess.run(["protoc", f"--proto_path={PROTO}", f"--python_out={folder}", "satchel.proto"], check=True)
        spec = importlib.util.spec_from_file_location("satchel_pb2", f"{folder}/satchel_pb2.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


pb = load_schema()


class WireError(Exception):
    """The daemon answered with an error."""

    def __init__(self, error):
        super().__init__(f"{pb.Code.Name(error.code)}: {error.message}")
        self.code = error.code


def now():
    return int(time.time() * 1000)


class Connection:
    """Frames over TLS 1.3, the daemon's key pinned."""

    def __init__(self, host, port, pin):
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.set_alpn_protos([b"satchel/1"])
        self.socket = socket.create_connection((host, port), WAIT)
        self.socket.setblocking(False)
        self.tls = SSL.Connection(context, self.socket)
        self.tls.set_connect_state()
        self._retry(self.tls.do_handshake)
        key = self.tls.get_peer_certificate().to_cryptography().public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        f.require(base64.urlsafe_b64encode(f.sha256(key)).rstrip(b"=").decode() == pin, "pin")
        f.require(self.tls.get_alpn_proto_negotiated() == b"satchel/1", "ALPN")
        self.exporter = self.tls.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
        self.last_id = 0

    def _retry(self, step, *args):
        while True:
            try:
                return step(*args)
            except SSL.WantReadError:
                ready = select.select([self.socket], [], [], WAIT)
            except SSL.WantWriteError:
                ready = select.select([], [self.socket], [], WAIT)
            if not any(ready):
                raise TimeoutError("the daemon is silent")

    def _receive(self, length):
        data = b""
        while len(data) < length:
            data += self._retry(self.tls.recv, length - len(data))
        return data

    def send(self, tail=b"", **body):
        """Send one request; gives its ID."""
        self.last_id += 1
        head = pb.Envelope(id=self.last_id, **body).SerializeToString()
        data = memoryview(struct.pack(">II", len(head), len(tail)) + head + tail)
        while data:
            data = data[self._retry(self.tls.send, data[:16384]):]
        return self.last_id

    def receive(self):
        """The next frame: (Envelope, tail)."""
        head_len, tail_len = struct.unpack(">II", self._receive(8))
        f.require(1 <= head_len <= 262144 and tail_len <= 262400, "frame")
        return pb.Envelope.FromString(self._receive(head_len)), self._receive(tail_len)

    def answer(self, request):
        envelope, tail = self.receive()
        f.require(envelope.id == request, "answer to another request")
        kind = envelope.WhichOneof("body")
        if kind == "error":
            raise WireError(envelope.error)
        return getattr(envelope, kind), tail

    def call(self, tail=b"", **body):
        return self.answer(self.send(tail, **body))[0]

    def close(self):
        with contextlib.suppress(SSL.Error):
            self.tls.shutdown()
        self.socket.close()


class Client:
    """A user with his keys."""

    def __init__(self, host, port, pin):
        self.where = (host, port, pin)
        self.connection = None
        self.isk, self.rk, self.dsk, self.ek = f.new_keys()
        self.uid = f.user_id(f.public_bytes(self.isk), f.public_bytes(self.rk))
        self.device = f.device_id(f.public_bytes(self.dsk))
        self.manifest = None

    def connect(self):
        self.connection = Connection(*self.where)
        self.hello = self.connection.call(hello=pb.Hello(min_version=1, max_version=1, software="python"))
        f.require(f.server_id(self.hello.server_key) == self.hello.server_id, "server ID")
        return self

    def close(self):
        self.connection.close()

    def make_manifest(self):
        body = pb.Manifest(
            version=1, user_id=self.uid, first_identity_key=f.public_bytes(self.isk),
            recovery_key=f.public_bytes(self.rk), sequence=1, created=now(),
            devices=[pb.Device(key=f.public_bytes(self.dsk), added=now())],
            keys=[pb.EncryptionKey(suite=1, key=f.public_bytes(self.ek), not_before=now() - 60000,
                                   not_after=now() + 30 * DAY)]).SerializeToString()
        return pb.Signed(body=body, signature=f.sign(self.isk, "manifest", body))

    def register(self, username, email):
        self.manifest = self.manifest or self.make_manifest()
        signed = f.lp(self.hello.server_id, self.connection.exporter, username, email,
                      f.manifest_hash(self.manifest.body))
        reply = self.connection.call(register=pb.Register(
            username=username, email=email, manifest=self.manifest,
            signature=f.sign(self.isk, "register", signed)))
        f.require(reply.user_id == self.uid, "user ID in the answer")
        return reply

    def login(self):
        at = now()
        signed = f.lp(self.hello.server_id, self.hello.nonce, self.connection.exporter, self.uid, self.device,
                      f.u64(at))
        return self.connection.call(login=pb.Login(user_id=self.uid, device=self.device, time=at,
                                                   signature=f.sign(self.dsk, "login", signed)))

    def enrol(self, code_of, code=""):
        """Enrol a second factor, or renew it with a code of the one that is there; gives the recovery codes."""
        key = self.connection.call(factor_enrol=pb.FactorEnrol(code=code))
        f.require((key.digits, key.step) == (6, 30), "codes of another form")
        return self.connection.call(factor_confirm=pb.FactorConfirm(code=code_of(key.key))).recovery_codes

    def next_event(self):
        """The next event that comes by itself; this connection has subscribed."""
        return self.connection.answer(0)[0]

    def leave(self, *keys, code=""):
        """Delete the account, with signatures by the identity key and, maybe, another one."""
        signed = f.lp(self.hello.server_id, self.connection.exporter, self.uid)
        names = ("signature", "recovery_signature")
        proofs = {name: f.sign(key, "delete", signed) for name, key in zip(names, keys)}
        return self.connection.call(delete_account=pb.DeleteAccount(code=code, **proofs))

    def lookup(self, **who):
        """The user's ID and checked chain of manifests."""
        manifests, first = [], 1
        while True:
            reply = self.connection.call(lookup=pb.Lookup(from_sequence=first, **who))
            manifests += reply.manifests
            first = len(manifests) + 1
            if len(manifests) >= reply.last_sequence:
                chain = f.check_chain(pb, manifests)
                f.require(chain[0][0].user_id == reply.user_id, "manifests of another user")
                return reply.user_id, chain

    # ---- sending

    def send(self, usernames, name, data, message="", preview=None, weights=b""):
        """One transfer to some users, perhaps with a preview's latent; gives its ID in hex."""
        people = [self.lookup(username=username) for username in usernames]
        people = [(uid, f.newest_key(chain[-1][0], now()), pb.RECIPIENT) for uid, chain in people]
        own = self.make_own_key()
        people.append((self.uid, own, pb.SENDER))
        created = now()
        expires = created + 7 * DAY
        length = f.padded_length(len(data))
        opened = self.connection.call(open_transfer=pb.OpenTransfer(
            upload_key=f.random_bytes(16), body_length=length, created=created, expires=expires,
            recipients=[pb.Recipient(user_id=uid, ek_id=f.ek_id(1, key.key), role=role)
                        for uid, key, role in people]))
        cek, mek, salt = f.random_bytes(32), f.random_bytes(32), f.random_bytes(24)
        body = f.Body(cek, 0, opened.tid, self.uid, salt)
        leaves = self.put_pieces(opened.tid, body, data + bytes(length - len(data)))
        metadata = pb.Metadata(version=1, name=name, length=len(data), message=message, preview_weights=weights)
        if preview is not None:
            metadata.preview = f.preview_fernet(mek, opened.tid).encrypt(preview)
        metadata = f.seal_metadata(mek, opened.tid, metadata)
        header = pb.Header(
            version=1, suite=1, tid=opened.tid, sender=self.uid, manifest=f.manifest_hash(self.manifest.body),
            device=self.device, created=created, expires=expires, kid=f.prf(cek, "kid", f.u32(0)),
            cid=f.prf(cek, "cid"), mkid=f.prf(mek, "mkid", opened.tid), body_length=length, salt=salt,
            commitment=body.commitment, body_root=f.tree(leaves), metadata_hash=f.sha256(metadata),
            slots=len(people))
        slots = [(uid, f.seal_slot(pb, header, uid, key, shares, (mek, cek)))
                 for (uid, key, _), shares in zip(people, opened.shares)]
        header.slots_root = f.tree([f.leaf_hash(slot) for _, slot in slots])
        header = header.SerializeToString()
        self.connection.call(seal_transfer=pb.SealTransfer(
            header=header, signature=f.sign(self.dsk, "transfer", header), metadata=metadata,
            slots=[pb.SealedSlot(user_id=uid, slot=slot) for uid, slot in slots]))
        return opened.tid.hex()

    def make_own_key(self):
        return pb.Manifest.FromString(self.manifest.body).keys[0]

    def put_pieces(self, tid, body, padded):
        leaves = []
        for index in range(f.pieces_of(len(padded))):
            sealed = body.seal(index, padded[index * f.PIECE:(index + 1) * f.PIECE])
            leaves.append(f.leaf_hash(sealed))
            self.connection.call(sealed, put_piece=pb.PutPiece(tid=tid, index=index, leaf=leaves[-1]))
        return leaves

    # ---- receiving

    def inbox(self):
        rows, cursor = [], b""
        while True:
            page = self.connection.call(list_transfers=pb.ListTransfers(folder=pb.INBOX, cursor=cursor))
            rows += page.transfers
            cursor = page.cursor
            if not page.more:
                return rows

    def check(self, row):
        """Steps 1 to 8 of section 16: gives (Header, Slot, Metadata); a preview comes as its latent."""
        header = pb.Header.FromString(row.header)
        _, chain = self.lookup(user_id=header.sender)
        listed = [manifest for manifest, digest in chain if digest == header.manifest]
        f.require(listed, "the header's manifest")
        devices = [device for device in listed[0].devices if f.device_id(device.key) == header.device]
        f.require(devices and (not devices[0].revoked or devices[0].revoked > header.created), "device")
        f.verify(devices[0].key, row.signature, "transfer", row.header)
        f.require((header.version, header.suite, header.policy_flags) == (1, 1, 0), "version")
        leaf = f.leaf_hash(row.slot)
        f.require(f.root_from_path(leaf, row.slot_index, header.slots, row.proof) == header.slots_root, "slot")
        f.require(header.created < now() + DAY and header.created < header.expires > now(), "times")
        slot = pb.Slot.FromString(row.slot)
        mek = f.open_slot(header, self.uid, slot, self.ek, "meta", row.share_meta)
        f.require(f.prf(mek, "mkid", header.tid) == header.mkid, "MKID")
        f.require(f.sha256(row.metadata) == header.metadata_hash, "metadata")
        metadata = f.open_metadata(pb, mek, header.tid, row.metadata)
        if metadata.preview:
            metadata.preview = f.preview_fernet(mek, header.tid).decrypt(metadata.preview)
        return header, slot, metadata

    def get(self, tid):
        """The file: (Metadata, bytes)."""
        tid = bytes.fromhex(tid)
        row = self.connection.call(get_transfer=pb.GetTransfer(tid=tid)).transfer
        header, slot, metadata = self.check(row)
        share = self.connection.call(release=pb.Release(tid=tid)).share_body
        cek = f.open_slot(header, self.uid, slot, self.ek, "body", share)
        body = f.Body(cek, header.tweak, tid, header.sender, header.salt)
        f.require(f.prf(cek, "kid", f.u32(header.tweak)) == header.kid, "KID")
        f.require(f.prf(cek, "cid") == header.cid, "CID")
        f.require(body.commitment == header.commitment, "commitment")
        leaves = self.get_leaves(tid, f.pieces_of(header.body_length))
        f.require(f.tree(leaves) == header.body_root, "leaves")
        plain = b"".join(self.get_pieces(tid, body, leaves))
        f.require(len(plain) == header.body_length, "length")
        f.require(metadata.length <= len(plain) and not any(plain[metadata.length:]), "padding")
        return metadata, plain[:metadata.length]

    def get_leaves(self, tid, count):
        leaves = []
        while len(leaves) < count:
            reply = self.connection.call(get_leaves=pb.GetLeaves(tid=tid, first=len(leaves),
                                                                 count=min(4096, count - len(leaves))))
            f.require(reply.first == len(leaves) and reply.leaves, "leaves")
            leaves += [reply.leaves[at:at + 32] for at in range(0, len(reply.leaves), 32)]
        return leaves

    def get_pieces(self, tid, body, leaves):
        window = self.hello.limits.window
        for first in range(0, len(leaves), window):
            count = min(window, len(leaves) - first)
            request = self.connection.send(get_pieces=pb.GetPieces(tid=tid, first=first, count=count))
            for index in range(first, first + count):
                piece, sealed = self.connection.answer(request)
                f.require(piece.index == index and f.leaf_hash(sealed) == leaves[index], "piece")
                yield body.open(index, sealed)
            self.connection.answer(request)
