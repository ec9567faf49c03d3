#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check proto/vectors against proto/FORMATS.md with code that shares nothing with Satchel's.

usage: check_vectors.py FOLDER
"""
import base64
import hashlib
import hmac
import json
import math
import struct
import sys

try:
    from cryptography.fernet import Fernet
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ed25519, x25519
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

# ---- section 1 ----


def u32(n):
    return struct.pack(">I", n)


def u64(n):
    return struct.pack(">Q", n)


def LP(x):
    return u32(len(x)) + x


def leb128(n):
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + leb128(n >> 7)


def LPs(*parts):
    return b"".join(LP(p) for p in parts)


def h(x):
    return hashlib.sha256(x).digest()


def H(x):
    return hashlib.sha512(x).digest()


def F(key, name, *parts):
    data = LPs(b"satchel/1 " + name, *parts)
    return hmac.new(key, data, hashlib.sha512).digest()[:32]


def expand(key, info, n):
    return HKDFExpand(algorithm=hashes.SHA512(), length=n, info=info).derive(key)


def XPD(key, label, ctx, n):
    return expand(key, LP(label) + LP(ctx), n)


def raw(public):
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def ed_public(seed):
    return raw(ed25519.Ed25519PrivateKey.from_private_bytes(seed).public_key())


def sign(seed, purpose, x):
    key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    return key.sign(LP(b"satchel/1 " + purpose) + H(x))


def verify(public, purpose, x, signature):
    key = ed25519.Ed25519PublicKey.from_public_bytes(public)
    key.verify(signature, LP(b"satchel/1 " + purpose) + H(x))


NONCE_0 = bytes(12)


def seal(key, aad, x):
    return AESGCM(key).encrypt(NONCE_0, x, aad)


def open_(key, aad, x):
    return AESGCM(key).decrypt(NONCE_0, x, aad)


# ---- protobuf, read by hand: field number -> list of values ----


def message(data):
    fields, at = {}, 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            value = varint()
        else:
            assert key & 7 == 2
            n = varint()
            value = data[at : at + n]
            assert len(value) == n
            at += n
        fields.setdefault(key >> 3, []).append(value)
    return fields


def one(fields, number, default=0):
    return fields.get(number, [default])[-1]


# ---- RFC 6962 ----


def tree(leaves):
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return h(b"\x01" + tree(leaves[:k]) + tree(leaves[k:]))


def leaf(x):
    return h(b"\x00" + x)


def root_from(index, n, x, path):
    if n == 1:
        assert not path
        return x
    k = 1
    while k * 2 < n:
        k *= 2
    if index < k:
        return h(b"\x01" + root_from(index, k, x, path[:-1]) + path[-1])
    return h(b"\x01" + path[-1] + root_from(index - k, n - k, x, path[:-1]))


# ---- section 2 ----


def bech32m(prefix, data):
    letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    bits = "".join(f"{b:08b}" for b in data)
    groups = [int(bits[i : i + 5].ljust(5, "0"), 2) for i in range(0, len(bits), 5)]

    def polymod(values):
        check = 1
        for v in values:
            top = check >> 25
            check = (check & 0x1FFFFFF) << 5 ^ v
            for i, g in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
                check ^= g if top >> i & 1 else 0
        return check

    spread = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    mod = polymod(spread + groups + [0] * 6) ^ 0x2BC830A3
    sums = [mod >> 5 * (5 - i) & 31 for i in range(6)]
    return prefix + "1" + "".join(letters[g] for g in groups + sums)


def uid_of(isk_0, rk):
    return h(LP(b"satchel/1 uid") + isk_0 + rk)[:20]


def device_of(key):
    return h(LPs(b"satchel/1 device", key))[:16]


def ek_id_of(suite, key):
    return h(LPs(b"satchel/1 ek", u32(suite), key))[:16]


def check_user(c):
    assert ed_public(c.identity_seed) == c.identity_key
    assert ed_public(c.recovery_key_seed) == c.recovery_key
    assert uid_of(c.identity_key, c.recovery_key) == c.user_id
    assert bech32m("sat", c.user_id) == c.text("user_id_text")
    assert ed_public(c.device_seed) == c.device_key
    assert device_of(c.device_key) == c.device
    private = x25519.X25519PrivateKey.from_private_bytes(c.ek_private)
    assert raw(private.public_key()) == c.ek_public
    assert ek_id_of(c.number("suite"), c.ek_public) == c.ek_id


def check_safety(c):
    one_, other = sorted([(c.one_user_id, c.one_identity_key), (c.other_user_id, c.other_identity_key)])
    seed = h(LPs(b"satchel/1 safety", *one_, *other))
    digits = "".join(str(b % 250 % 10) for b in XPD(seed, b"satchel/1 safety digits", b"", 60))
    assert " ".join(digits[i : i + 5] for i in range(0, 60, 5)) == c.text("safety_number")


def check_identifiers(c):
    if c.kind == "user":
        check_user(c)
    elif c.kind == "server":
        assert h(LP(b"satchel/1 server") + c.server_key)[:20] == c.server_id
    elif c.kind == "instance":
        assert h(c.weight_file)[:16] == c.instance_id
    elif c.kind == "recovery":
        assert F(c.recovery_seed, b"recovery key") == c.recovery_key_seed
    else:
        assert c.kind == "safety number"
        check_safety(c)


# ---- sections 3 and 4 ----

previous = None


def check_succession(signed, number, uid, rk):
    outer = message(signed)
    verify(rk, b"succession", one(outer, 1), one(outer, 2))
    inner = message(one(outer, 1))
    assert one(inner, 1) == 1 and one(inner, 2) == uid and one(inner, 3) == number
    return one(inner, 4)


def check_manifest(c):
    global previous
    if c.kind == "succession":
        m = message(previous.body)
        check_succession(c.signed, 1, one(m, 2), ed_public(c.recovery_key_seed))
        return
    m = message(c.body)
    assert one(m, 1) == 1
    identity, rk = one(m, 3), one(m, 4)
    assert uid_of(identity, rk) == one(m, 2) == c.user_id
    for i, s in enumerate(m.get(5, [])):
        identity = check_succession(s, i + 1, c.user_id, rk)
    assert identity == c.identity_key == ed_public(c.identity_seed)
    assert sign(c.identity_seed, b"manifest", c.body) == c.signature
    assert h(LPs(b"satchel/1 manifest hash", c.body)) == c.hash
    assert h(b"\x0a" + leb128(len(c.body)) + c.body + b"\x12\x40" + c.signature) == c.known_manifest
    assert one(m, 6) == c.number("sequence")
    assert one(m, 7, b"") == (previous.hash if previous else b"")
    assert len(m[9]) == c.number("devices") and len(m[10]) == c.number("keys")
    previous = c


# ---- section 5 ----


def check_login(c):
    if c.kind == "register":
        x = LPs(c.server_id, c.exporter, c.text("username").encode(), c.text("email").encode(), c.manifest_hash)
        assert sign(c.identity_seed, b"register", x) == c.signature
    elif c.kind == "next pin":
        assert ed_public(c.server_seed) == c.server_key
        assert h(LPs(b"satchel/1 server") + c.server_key)[:20] == c.server_id
        assert sign(c.server_seed, b"next pin", LPs(c.server_id, c.pin, c.next_pin)) == c.signature
    else:
        x = LPs(c.server_id, c.nonce, c.exporter, c.user_id, c.device, u64(c.number("time")))
        assert sign(c.device_seed, b"login", x) == c.signature


# ---- sections 6, 10, 11 ----


def share_commit(part, tid, uid, ek_id, share):
    return h(LPs(b"satchel/1 share commit", part, tid, uid, ek_id, share))


def check_share(c):
    place = (c.tid, c.user_id, c.ek_id)
    if c.kind == "sealed seed":
        key = F(c.day_key, b"seed", c.slot_key)
        nonce, sealed = c.sealed_seed[:12], c.sealed_seed[12:]
        assert AESGCM(key).decrypt(nonce, sealed, LPs(*place)) == c.seed
        return
    a = XPD(F(c.seed, b"nn-in", *place), b"satchel/1 nn", b"", 256)
    assert bytes(x & 0x7F for x in a) == c.a
    b = F(c.seed, b"base", *place)
    for part, share, commit in (
        (b"meta", c.share_meta, c.share_commit_meta),
        (b"body", c.share_body, c.share_commit_body),
    ):
        assert F(b, b"share", part, c.o, c.instance_id, *place) == share
        assert share_commit(part, *place, share) == commit


# ---- HPKE, RFC 9180, KEM 0x0020, KDF 0x0003, AEAD 0x0002: the exporter alone ----


def extract(name, salt, ikm):
    return hmac.new(salt, ikm, name).digest()


def labeled_extract(name, suite, salt, label, ikm):
    return extract(name, salt or bytes(hashlib.new(name).digest_size), b"HPKE-v1" + suite + label + ikm)


def labeled_expand(name, suite, prk, label, info, n):
    algorithm = {"sha256": hashes.SHA256, "sha512": hashes.SHA512}[name]()
    full = struct.pack(">H", n) + b"HPKE-v1" + suite + label + info
    return HKDFExpand(algorithm=algorithm, length=n, info=full).derive(prk)


def hpke_export(private, enc, public, info, context, n):
    kem = b"KEM" + struct.pack(">H", 0x20)
    dh = private.exchange(x25519.X25519PublicKey.from_public_bytes(enc))
    prk = labeled_extract("sha256", kem, b"", b"eae_prk", dh)
    secret = labeled_expand("sha256", kem, prk, b"shared_secret", enc + public, 32)
    suite = b"HPKE" + struct.pack(">HHH", 0x20, 3, 2)
    id_hash = labeled_extract("sha512", suite, b"", b"psk_id_hash", b"")
    info_hash = labeled_extract("sha512", suite, b"", b"info_hash", info)
    prk = labeled_extract("sha512", suite, secret, b"secret", b"")
    exporter = labeled_expand("sha512", suite, prk, b"exp", b"\0" + id_hash + info_hash, 64)
    return labeled_expand("sha512", suite, exporter, b"sec", context, n)


def hpke_enc(ikm):
    kem = b"KEM" + struct.pack(">H", 0x20)
    prk = labeled_extract("sha256", kem, b"", b"dkp_prk", ikm)
    sk = labeled_expand("sha256", kem, prk, b"sk", b"", 32)
    return raw(x25519.X25519PrivateKey.from_private_bytes(sk).public_key())


# ---- section 6 ----


def policy_of(header):
    return u32(one(header, 9)) + u32(one(header, 10))


def check_slot(c):
    hd, slot = message(c.header), message(c.slot)
    tid, sender = one(hd, 3), one(hd, 4)
    ek_id, enc = one(slot, 1), one(slot, 2)
    assert ek_id == ek_id_of(1, c.ek_public) and enc == hpke_enc(c.ephemeral_ikm)
    for part, share, number in ((b"meta", c.share_meta, 3), (b"body", c.share_body, 4)):
        assert share_commit(part, tid, c.recipient, ek_id, share) == one(slot, number)
    ctx = H(LPs(
        u32(one(hd, 1)), u32(one(hd, 2)), b"slot", tid, sender, c.recipient, ek_id, enc,
        one(slot, 3), one(slot, 4), one(hd, 17), u32(one(hd, 11)), one(hd, 12), one(hd, 13),
        one(hd, 14), u64(one(hd, 7)), u64(one(hd, 8)), policy_of(hd)))
    assert ctx == c.ctx
    info = LPs(b"satchel/1 hpke", tid, sender, c.recipient, ek_id)
    private = x25519.X25519PrivateKey.from_private_bytes(c.ek_private)
    x = hpke_export(private, enc, c.ek_public, info, b"satchel/1 kek", 64)
    for part, share, number, key in ((b"meta", c.share_meta, 5, c.mek), (b"body", c.share_body, 6, c.cek)):
        halves = F(x, b"kek1", part, ctx), F(share, b"kek2", part, ctx)
        kek = bytes(a ^ b for a, b in zip(*halves))
        assert seal(kek, ctx, key) == one(slot, number)
        assert open_(kek, ctx, one(slot, number)) == key


# ---- section 7 ----

HEADER_FIELDS = (
    (3, "tid"), (4, "sender"), (5, "manifest"), (6, "device"), (12, "kid"), (13, "cid"), (14, "mkid"),
    (16, "salt"), (17, "commitment"), (18, "body_root"), (19, "metadata_hash"), (20, "slots_root"))
HEADER_NUMBERS = (
    (7, "created"), (8, "expires"), (9, "policy_flags"), (10, "opens"), (11, "tweak"),
    (15, "body_length"), (21, "slots"))


def check_header(c):
    hd = message(c.header)
    if c.kind == "slot in its tree":
        path = [c.proof[i : i + 32] for i in range(0, len(c.proof), 32)]
        assert root_from(c.number("slot_index"), one(hd, 21), leaf(c.slot), path) == one(hd, 20)
        return
    assert one(hd, 1) == 1 and one(hd, 2) == 1
    for number, name in HEADER_FIELDS:
        assert one(hd, number) == getattr(c, name), name
    for number, name in HEADER_NUMBERS:
        assert one(hd, number) == c.number(name), name
    assert sign(c.device_seed, b"transfer", c.header) == c.signature
    assert device_of(ed_public(c.device_seed)) == c.device
    assert h(LPs(b"satchel/1 manifest hash", c.manifest_body)) == c.manifest


# ---- section 8 ----


def check_metadata(c):
    assert F(c.mek, b"mkid", c.tid) == c.mkid
    assert F(c.mek, b"preview", c.tid) == c.preview_key
    assert h(c.sealed) == c.metadata_hash
    plain = open_(F(c.mek, b"meta", c.tid), LPs(b"satchel/1 meta", c.tid), c.sealed)
    assert plain == c.plain and len(plain) % 1024 == 0
    n = struct.unpack(">I", plain[:4])[0]
    assert not any(plain[4 + n :]) and len(plain) - 4 - n < 1024
    m = message(plain[4 : 4 + n])
    assert one(m, 1) == 1 and one(m, 2) == c.name
    assert one(m, 3).decode() == c.text("media_type") and one(m, 6).decode() == c.text("message")
    assert one(m, 4) == c.number("length") and one(m, 5) == c.number("modified")
    if c.kind == "metadata with a preview":
        assert Fernet(base64.urlsafe_b64encode(c.preview_key)).decrypt(one(m, 7)) == c.latent
        assert one(m, 9) == c.preview_weights and len(c.preview_weights) == 4
    else:
        assert 7 not in m and 9 not in m


# ---- section 9 ----


def padded(n):
    if n >= 2:
        e = int(math.floor(math.log2(n)))
        s = int(math.floor(math.log2(e))) + 1
        step = 1 << max(e - s, 0)
        n = (n + step - 1) // step * step
    return max(4096, n)


def check_body(c):
    if c.kind == "padding":
        assert padded(c.number("length")) == c.number("padded_length")
        return
    tweak, n = u32(c.number("tweak")), c.number("body_length")
    assert F(c.cek, b"kid", tweak) == c.kid and F(c.cek, b"cid") == c.cid
    context = h(LPs(b"satchel/1 body ctx", c.tid, c.sender))
    okm = expand(
        F(c.cek, b"body", tweak, c.tid),
        b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + c.salt + context, 76)
    key, base, commitment = AESGCM(okm[:32]), int.from_bytes(okm[32:44], "big"), okm[44:]
    assert commitment == c.commitment
    plain = bytes(i % 251 for i in range(n))
    chunks = [
        key.encrypt((base ^ i).to_bytes(12, "big"), plain[i * 16384 : (i + 1) * 16384], None)
        for i in range(n // 16384 + 1)]
    pieces = [b"".join(chunks[i : i + 16]) for i in range(0, len(chunks), 16)]
    assert len(pieces) == c.number("pieces") == n // 262144 + 1
    for i, piece in enumerate(pieces):
        assert h(piece) == getattr(c, f"piece_{i}_sha256")
        assert leaf(piece) == getattr(c, f"piece_{i}_leaf")
        assert getattr(c, f"piece_{i}", piece) == piece
    assert tree([leaf(p) for p in pieces]) == c.body_root


# ---- section 7.1 ----


def check_statement(c):
    signed = message(c.signed)
    body, s = one(signed, 1), message(one(signed, 1))
    assert sign(c.device_seed, c.kind.encode(), body) == one(signed, 2)
    assert one(s, 1) == 1 and one(s, 2) == one(message(c.header), 3)
    assert one(s, 3) == h(c.header) and one(s, 4) == c.user_id
    assert one(s, 5) == h(LPs(b"satchel/1 manifest hash", c.manifest_body))
    assert one(s, 6) == device_of(ed_public(c.device_seed))
    assert one(s, 7) == c.number("time") and one(s, 8) == c.number("number") and one(s, 9) == c.number("expires")


# ---- section 14.4 ----


last = bytes(32)


def check_event(c):
    global last
    if c.kind == "event":
        assert c.previous == last
        last = h(LP(b"satchel/1 event") + last + c.tid + u32(c.number("number")) + u64(c.number("time")) +
                 c.number("kind").to_bytes(2, "big") + c.user_id + LP(c.data))
        assert c.hash == last
        return
    head, key = message(c.body), ed_public(c.server_seed)
    assert c.server_id == h(LP(b"satchel/1 server") + key)[:20]
    assert [one(head, n) for n in range(1, 6)] == [1, c.server_id, c.tid, c.number("number"), last]
    assert one(head, 6) == c.number("time") and c.hash == last
    assert sign(c.server_seed, b"events", c.body) == c.signature


# ---- section 22 ----


def join_place(label, c):
    return LPs(b"satchel/1 " + label, c.server_id, c.id)


def check_join_request(c):
    plain = open_(F(c.secret, b"join request", c.salt), join_place(b"join request", c), c.request[32:])
    m = message(plain)
    assert c.request[:32] == c.salt
    assert [one(m, n) for n in range(1, 5)] == [2, c.device_key, c.box, c.key]
    assert one(m, 5, b"") == c.pin and one(m, 6).decode() == c.text("name")
    assert seal(F(c.secret, b"join request", c.salt), join_place(b"join request", c), plain) == c.request[32:]


def check_join_answer(c):
    enc, private = c.answer[:32], x25519.X25519PrivateKey.from_private_bytes(c.key_private)
    assert enc == hpke_enc(c.ephemeral_ikm)
    ctx = H(LPs(b"satchel/1 join answer", c.server_id, c.id, enc, c.request))
    x = hpke_export(private, enc, raw(private.public_key()), join_place(b"join", c), b"satchel/1 join kek", 32)
    key = bytes(a ^ b for a, b in zip(F(x, b"join 1", ctx), F(c.secret, b"join 2", ctx)))
    plain = open_(key, ctx, c.answer[32:])
    n = struct.unpack(">I", plain[:4])[0]
    assert len(plain) % 4096 == 0 and not any(plain[4 + n :])
    m = message(plain[4 : 4 + n])
    assert [one(m, i) for i in (1, 2, 5, 6, 7)] == [2, c.identity_seed, c.recovery_box, c.manifest, c.account]
    assert [one(m, i).decode() for i in (3, 4, 8)] == [c.text(name) for name in ("username", "email", "name")]


def check_join(c):
    if c.kind == "code":
        assert h(LPs(b"satchel/1 join secret", c.nonce, c.user_id))[:16] == c.secret
        assert F(c.secret, b"join id")[:16] == c.id
        digits = base64.b32encode(c.secret + h(LPs(b"satchel/1 join code", c.secret))[:4]).decode()
        assert "-".join(digits[i : i + 4] for i in range(0, 32, 4)) == c.text("code")
    elif c.kind == "opening":
        plain, place = c.nonce + c.user_id, join_place(b"join opening", c)
        assert seal(F(c.secret, b"join opening", c.request), place, plain) == c.opening
        check = F(c.nonce, b"join number", c.server_id, c.id, c.user_id, c.request)
        check = "%06d" % (int.from_bytes(check[:4], "big") % 1000000)
        assert check[:3] + " " + check[3:] == c.text("check")
    elif c.kind == "answer":
        check_join_answer(c)
    else:
        check_join_request(c)


class Case:
    """Attributes are bytes; text() and number() give the others."""

    def __init__(self, fields):
        self.fields = fields
        self.kind = fields["case"]

    def __getattr__(self, name):
        if name not in self.fields:
            raise AttributeError(name)
        return bytes.fromhex(self.fields[name])

    def text(self, name):
        return self.fields[name]

    def number(self, name):
        return int(self.fields[name])


CHECKS = {
    "identifiers": check_identifiers,
    "manifest": check_manifest,
    "login": check_login,
    "share": check_share,
    "slot": check_slot,
    "header": check_header,
    "metadata": check_metadata,
    "body": check_body,
    "statement": check_statement,
    "events": check_event,
    "join": check_join,
}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for name, check in CHECKS.items():
        with open(f"{sys.argv[1]}/{name}.json", encoding="utf-8") as file:
            cases = json.load(file)["cases"]
        assert cases
        for fields in cases:
            check(Case(fields))
        print(f"{name}: {len(cases)} passed")


main()
