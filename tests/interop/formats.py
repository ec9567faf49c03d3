# SPDX-License-Identifier: Apache-2.0
"""satchel/1 as proto/FORMATS.md has it, written from that document alone, with python3-cryptography."""
import base64
import hashlib
import hmac
import os
import struct

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CHUNK = 16384
PIECE = 16 * CHUNK
NONCE_0 = bytes(12)


class Refused(Exception):
    """A check of FORMATS.md section 16 failed."""


def require(condition, what):
    if not condition:
        raise Refused(what)


# ---- 1. conventions --------------------------------------------------------------------------------

def u32(number):
    return struct.pack(">I", number)


def u64(number):
    return struct.pack(">Q", number)


def as_bytes(value):
    return value.encode() if isinstance(value, str) else value


def lp(*values):
    return b"".join(u32(len(as_bytes(value))) + as_bytes(value) for value in values)


def sha256(data):
    return hashlib.sha256(data).digest()


def sha512(data):
    return hashlib.sha512(data).digest()


def prf(key, name, *values):
    """F(k, "name", a, b, ...)"""
    return hmac.new(key, lp("satchel/1 " + name, *values), hashlib.sha512).digest()[:32]


def hkdf_extract(digest, salt, secret):
    return hmac.new(salt or bytes(digest().digest_size), secret, digest).digest()


def hkdf_expand(digest, prk, info, length):
    out, block, number = b"", b"", 1
    while len(out) < length:
        block = hmac.new(prk, block + info + bytes([number]), digest).digest()
        out, number = out + block, number + 1
    return out[:length]


def public_bytes(key):
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def sign(key, purpose, data):
    return key.sign(lp("satchel/1 " + purpose) + sha512(data))


def verify(public, signature, purpose, data):
    Ed25519PublicKey.from_public_bytes(public).verify(signature, lp("satchel/1 " + purpose) + sha512(data))


# ---- 2. identifiers --------------------------------------------------------------------------------

def user_id(first_identity, recovery):
    return sha256(lp("satchel/1 uid") + first_identity + recovery)[:20]


def device_id(public):
    return sha256(lp("satchel/1 device", public))[:16]


def ek_id(suite, public):
    return sha256(lp("satchel/1 ek", u32(suite), public))[:16]


def server_id(public):
    return sha256(lp("satchel/1 server") + public)[:20]


def bech32m(prefix, data):
    """BIP-350."""
    digits = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    bits, count, words = 0, 0, []
    for byte in data:
        bits, count = bits << 8 | byte, count + 8
        while count >= 5:
            count -= 5
            words.append(bits >> count & 31)
    if count:
        words.append(bits << (5 - count) & 31)

    def polymod(values):
        state = 1
        for value in values:
            top, state = state >> 25, (state & 0x1ffffff) << 5 ^ value
            for bit, constant in enumerate((0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3)):
                state ^= constant if top >> bit & 1 else 0
        return state

    spread = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    check = polymod(spread + words + [0] * 6) ^ 0x2bc830a3
    words += [check >> 5 * (5 - i) & 31 for i in range(6)]
    return prefix + "1" + "".join(digits[word] for word in words)


# ---- 4. manifests ----------------------------------------------------------------------------------

def manifest_hash(body):
    return sha256(lp("satchel/1 manifest hash", body))


def check_manifest(pb, signed):
    """Parse and check one manifest without successions; gives (Manifest, hash)."""
    manifest = pb.Manifest.FromString(signed.body)
    require(manifest.version == 1, "manifest version")
    require(user_id(manifest.first_identity_key, manifest.recovery_key) == manifest.user_id, "user ID")
    require(not manifest.successions, "successions are not for this client")
    verify(manifest.first_identity_key, signed.signature, "manifest", signed.body)
    require((manifest.sequence == 1) == (manifest.previous == b""), "previous")
    return manifest, manifest_hash(signed.body)


def check_chain(pb, signed_manifests):
    """Gives [(Manifest, hash)], each following from the one before."""
    chain = []
    for signed in signed_manifests:
        manifest, digest = check_manifest(pb, signed)
        require(manifest.sequence == len(chain) + 1, "sequence")
        if chain:
            require(manifest.previous == chain[-1][1], "chain")
            require(manifest.user_id == chain[-1][0].user_id, "chain of another user")
        chain.append((manifest, digest))
    require(chain, "no manifest")
    return chain


def newest_key(manifest, now):
    keys = [key for key in manifest.keys if key.suite == 1 and key.not_before <= now]
    return max(keys, key=lambda key: key.not_before)


# ---- 6. slots: HPKE base mode, KEM 0x0020, KDF 0x0003, AEAD 0x0002 ---------------------------------

KEM_SUITE = b"KEM" + struct.pack(">H", 0x20)
HPKE_SUITE = b"HPKE" + struct.pack(">HHH", 0x20, 0x03, 0x02)


def labeled_extract(digest, suite, salt, label, secret):
    return hkdf_extract(digest, salt, b"HPKE-v1" + suite + label + secret)


def labeled_expand(digest, suite, prk, label, info, length):
    return hkdf_expand(digest, prk, struct.pack(">H", length) + b"HPKE-v1" + suite + label + info, length)


def kem_secret(shared, context):
    prk = labeled_extract(hashlib.sha256, KEM_SUITE, b"", b"eae_prk", shared)
    return labeled_expand(hashlib.sha256, KEM_SUITE, prk, b"shared_secret", context, 32)


def hpke_export(shared_secret, info, context, length):
    digest = hashlib.sha512
    psk_hash = labeled_extract(digest, HPKE_SUITE, b"", b"psk_id_hash", b"")
    info_hash = labeled_extract(digest, HPKE_SUITE, b"", b"info_hash", info)
    secret = labeled_extract(digest, HPKE_SUITE, shared_secret, b"secret", b"")
    schedule = b"\0" + psk_hash + info_hash
    exporter = labeled_expand(digest, HPKE_SUITE, secret, b"exp", schedule, 64)
    return labeled_expand(digest, HPKE_SUITE, exporter, b"sec", context, length)


def encapsulate(public):
    ephemeral = X25519PrivateKey.generate()
    enc = public_bytes(ephemeral)
    return kem_secret(ephemeral.exchange(X25519PublicKey.from_public_bytes(public)), enc + public), enc


def decapsulate(private, enc):
    shared = private.exchange(X25519PublicKey.from_public_bytes(enc))
    return kem_secret(shared, enc + public_bytes(private))


def slot_context(header, recipient, slot):
    policy = u32(header.policy_flags) + u32(header.opens)
    return sha512(lp(u32(header.version), u32(header.suite), "slot", header.tid, header.sender, recipient,
                     slot.ek_id, slot.enc, slot.share_commit_meta, slot.share_commit_body, header.commitment,
                     u32(header.tweak), header.kid, header.cid, header.mkid, u64(header.created),
                     u64(header.expires), policy))


def share_commit(part, tid, recipient, key_id, share):
    return sha256(lp("satchel/1 share commit", part, tid, recipient, key_id, share))


def wrapping_key(exported, share, part, context):
    own, daemon = prf(exported, "kek1", part, context), prf(share, "kek2", part, context)
    return bytes(a ^ b for a, b in zip(own, daemon))


def hpke_info(header, recipient, key_id):
    return lp("satchel/1 hpke", header.tid, header.sender, recipient, key_id)


def seal_slot(pb, header, recipient, key, shares, secrets):
    """secrets is (MEK, CEK), shares the SlotShares of this recipient."""
    key_id = ek_id(key.suite, key.key)
    shared, enc = encapsulate(key.key)
    exported = hpke_export(shared, hpke_info(header, recipient, key_id), b"satchel/1 kek", 64)
    slot = pb.Slot(ek_id=key_id, enc=enc,
                   share_commit_meta=share_commit("meta", header.tid, recipient, key_id, shares.share_meta),
                   share_commit_body=share_commit("body", header.tid, recipient, key_id, shares.share_body))
    context = slot_context(header, recipient, slot)
    for part, share, secret in (("meta", shares.share_meta, secrets[0]), ("body", shares.share_body, secrets[1])):
        wrapped = AESGCM(wrapping_key(exported, share, part, context)).encrypt(NONCE_0, secret, context)
        setattr(slot, "wrap_" + part, wrapped)
    return slot.SerializeToString()


def open_slot(header, recipient, slot, private, part, share):
    require(share_commit(part, header.tid, recipient, slot.ek_id, share) ==
            getattr(slot, "share_commit_" + part), "share")
    exported = hpke_export(decapsulate(private, slot.enc), hpke_info(header, recipient, slot.ek_id),
                           b"satchel/1 kek", 64)
    context = slot_context(header, recipient, slot)
    return AESGCM(wrapping_key(exported, share, part, context)).decrypt(
        NONCE_0, getattr(slot, "wrap_" + part), context)


# ---- RFC 6962 --------------------------------------------------------------------------------------

def leaf_hash(data):
    return sha256(b"\0" + data)


def tree(leaves):
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1" + tree(leaves[:split]) + tree(leaves[split:]))


def root_from_path(leaf, index, size, path):
    """RFC 9162 section 2.1.3.2."""
    node, last = index, size - 1
    require(index < size, "index of the slot")
    for sibling in path:
        require(last > 0, "path too long")
        if node & 1 or node == last:
            leaf = sha256(b"\1" + sibling + leaf)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            leaf = sha256(b"\1" + leaf + sibling)
        node, last = node >> 1, last >> 1
    require(last == 0, "path too short")
    return leaf


# ---- 7 to 9. header, metadata, body ----------------------------------------------------------------

def padme(length):
    if length < 2:
        return length
    exponent = length.bit_length() - 1
    step = 1 << exponent - (exponent.bit_length())
    return -(-length // step) * step


def padded_length(length):
    return max(4096, padme(length))


def pieces_of(length):
    return length // PIECE + 1


def seal_metadata(mek, tid, metadata):
    plain = metadata.SerializeToString()
    plain = u32(len(plain)) + plain
    plain += bytes(-len(plain) % 1024)
    return AESGCM(prf(mek, "meta", tid)).encrypt(NONCE_0, plain, lp("satchel/1 meta") + lp(tid))


def open_metadata(pb, mek, tid, sealed):
    plain = AESGCM(prf(mek, "meta", tid)).decrypt(NONCE_0, sealed, lp("satchel/1 meta") + lp(tid))
    (length,) = struct.unpack(">I", plain[:4])
    require(length <= len(plain) - 4 and not any(plain[4 + length:]) and len(plain) % 1024 == 0, "metadata")
    metadata = pb.Metadata.FromString(plain[4:4 + length])
    require(len(metadata.preview_weights) in ((0, 4) if metadata.preview else (0,)), "preview_weights")
    return metadata


def preview_fernet(mek, tid):
    return Fernet(base64.urlsafe_b64encode(prf(mek, "preview", tid)))


class Body:
    """Cobblestone-256 over pieces that open alone."""

    def __init__(self, cek, tweak, tid, sender, salt):
        context = sha256(lp("satchel/1 body ctx", tid, sender))
        keys = hkdf_expand(hashlib.sha512, prf(cek, "body", u32(tweak), tid),
                           b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + salt + context, 76)
        self.aead, self.nonce, self.commitment = AESGCM(keys[:32]), int.from_bytes(keys[32:44], "big"), keys[44:]

    def _nonce(self, chunk):
        return (self.nonce ^ chunk).to_bytes(12, "big")

    def seal(self, index, plain):
        """A piece; the last one of a body ends with the short chunk, perhaps an empty one."""
        chunks = [plain[at:at + CHUNK] for at in range(0, len(plain), CHUNK)]
        if len(plain) < PIECE and len(plain) % CHUNK == 0:
            chunks.append(b"")
        return b"".join(self.aead.encrypt(self._nonce(16 * index + i), chunk, None)
                        for i, chunk in enumerate(chunks))

    def open(self, index, sealed):
        step = CHUNK + 16
        return b"".join(self.aead.decrypt(self._nonce(16 * index + at // step), sealed[at:at + step], None)
                        for at in range(0, len(sealed), step))


def new_keys():
    """Keys of a user with one device: (identity, recovery, device, encryption)."""
    return (Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate(),
            X25519PrivateKey.generate())


def random_bytes(length):
    return os.urandom(length)
