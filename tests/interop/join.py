# SPDX-License-Identifier: Apache-2.0
"""A second device, from FORMATS.md section 22 alone."""
import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import formats as f

VERSION = 2


class Code:
    """What both sides have: S, and what follows from it."""

    def __init__(self, secret, server):
        self.secret, self.server = secret, server
        self.id = f.prf(secret, "join id")[:16]

    def place(self, label):
        return f.lp(label, self.server, self.id)

    def key(self, name, once):
        return AESGCM(f.prf(self.secret, name, once))

    @staticmethod
    def checksum(secret):
        return f.sha256(f.lp("satchel/1 join code", secret))[:4]

    @staticmethod
    def commit(nonce, uid):
        return f.sha256(f.lp("satchel/1 join secret", nonce, uid))[:16]

    @classmethod
    def read(cls, text, server):
        raw = base64.b32decode(text.replace("-", ""))
        f.require(raw[16:] == cls.checksum(raw[:16]), "checksum of the code")
        return cls(raw[:16], server)

    def text(self):
        digits = base64.b32encode(self.secret + self.checksum(self.secret)).decode()
        return "-".join(digits[at:at + 4] for at in range(0, 32, 4))

    # ---- what is said

    def seal_request(self, message):
        salt = f.random_bytes(32)
        sealed = self.key("join request", salt).encrypt(f.NONCE_0, message.SerializeToString(),
                                                        self.place("satchel/1 join request"))
        return salt + sealed

    def open_request(self, pb, request):
        plain = self.key("join request", request[:32]).decrypt(f.NONCE_0, request[32:],
                                                               self.place("satchel/1 join request"))
        return pb.JoinRequest.FromString(plain)

    def seal_opening(self, request, nonce, uid):
        return self.key("join opening", request).encrypt(f.NONCE_0, nonce + uid, self.place("satchel/1 join opening"))

    def open_opening(self, request, sealed):
        plain = self.key("join opening", request).decrypt(f.NONCE_0, sealed, self.place("satchel/1 join opening"))
        nonce, uid = plain[:32], plain[32:]
        f.require(len(plain) == 52 and self.commit(nonce, uid) == self.secret, "opening")
        return nonce, uid

    def check(self, request, nonce, uid):
        number = int.from_bytes(f.prf(nonce, "join number", self.server, self.id, uid, request)[:4], "big") % 1000000
        return f"{number // 1000:03} {number % 1000:03}"

    def open_answer(self, pb, request, sealed, private):
        enc = sealed[:32]
        ctx = f.sha512(f.lp("satchel/1 join answer", self.server, self.id, enc, request))
        shared = f.decapsulate(private, enc)
        x = f.hpke_export(shared, self.place("satchel/1 join"), b"satchel/1 join kek", 32)
        halves = f.prf(x, "join 1", ctx), f.prf(self.secret, "join 2", ctx)
        plain = AESGCM(bytes(a ^ b for a, b in zip(*halves))).decrypt(f.NONCE_0, sealed[32:], ctx)
        length = int.from_bytes(plain[:4], "big")
        f.require(len(plain) % 4096 == 0 and not any(plain[4 + length:]), "padding of the answer")
        return pb.JoinAnswer.FromString(plain[4:4 + length])


class Joiner:
    """A new device that asks."""

    def __init__(self, pb, code, version=VERSION):
        self.dsk, self.box, self.key = Ed25519PrivateKey.generate(), X25519PrivateKey.generate(), X25519PrivateKey.generate()
        self.request = code.seal_request(pb.JoinRequest(
            version=version, device_key=f.public_bytes(self.dsk), box=f.public_bytes(self.box),
            key=f.public_bytes(self.key), name="python"))
