#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the corpus of the fuzz targets that need no keys: tests/fuzz/seeds.py [TARGET...]

Fuzzing starts from these files, and every test run reads them once.  What fuzzing has found is kept beside them
under a name that says what it is; this script never deletes anything.
"""
import importlib
import json
import pathlib
import struct
import subprocess
import sys
import tarfile
import tempfile

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
PROTO = HERE.parent.parent / "proto"


def frames():
    """u8 portion (and 0x80: low limits), then what is read."""
    def one(head, tail=b""):
        return struct.pack(">II", len(head), len(tail)) + head + tail
    two = one(b"first", b"tail") + one(b"second")
    return {
        "two": b"\x00" + two,
        "two_slowly": b"\x02" + two,
        "low_limits": b"\x87" + one(b"small") + one(b"x" * 65),
        "low_limits_tail": b"\x87" + one(b"small", b"t"),
        "no_head": b"\x00" + one(b"", b"tail"),
        "cut_prefix": b"\x00" + two[:-9],
        "cut_head": b"\x00" + struct.pack(">II", 100, 0) + b"abc",
        "cut_tail": b"\x04" + struct.pack(">II", 1, 262400) + b"a" + b"t" * 50,
        "largest": b"\x7f" + struct.pack(">II", 262144, 262400) + b"h" * 50,
        "head_too_large": b"\x00" + struct.pack(">II", 262145, 0),
        "tail_too_large": b"\x00" + struct.pack(">II", 1, 262401),
        "all_ones": b"\x00" + b"\xff" * 8,
        "tls_inside": b"\x00\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    }


def addresses():
    texts = ["example.org", "example.org:1", "a-b_c.example.", "127.0.0.1", "127.0.0.1:65535", "0.0.0.0:0", "::1",
             "[::1]", "[::1]:7743", "[::ffff:192.0.2.1]:1", "fe80::1%eth0", "[fe80::1%lo]:9", "127.1", "1.2.3.4.5",
             "[]", "[::1", "host:", "host:0", "host:65536", "host:+1", ":1", "a..b", "-a", ".", "::1%" + "z" * 40,
             "x" * 64, "a." * 126 + "a", "0000:0000:0000:0000:0000:0000:0000:0000:0001", "::1%a b"]
    return {f"{number:02}": text.encode() for number, text in enumerate(texts)}


def texts():
    return {
        # BIP-350's valid and invalid texts, BIP-39's words of 32 zero bytes.
        "bech32m_empty": b"A1LQFN3A",
        "bech32m_long": b"an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6",
        "bech32m_data": b"abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx",
        "bech32m_split": b"split1checkupstagehandshakeupstreamerranterredcaperredlc445v",
        "bech32m_bad_sum": b"M1VUXWEZ",
        "uid": b"sat1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqx0fyxx",
        "words": b"abandon " * 23 + b"art",
        "words_capital": b"\t Zoo" * 23 + b"\n VOTE ",
        "words_few": b"abandon abandon",
        "pin": b"A" * 43,
        "pin_bits": b"A" * 42 + b"B",
        "b64url": b"_-9abcXYZ0",
        "b64url_one_over": b"abcde",
        "b64url_nul": b"ab\x00d",
        "hex": b"00ffAB9e",
        "hex_odd": b"00f",
    }


def chunked():
    """u8 what, u32 where, u8 bits, u64 length, u64 number, then the message."""
    def one(what, where, bits, length, number, message):
        return struct.pack(">BIBQQ", what, where, bits, length, number) + message
    return {
        "keep": one(0, 0, 0, 0, 0, b"a message"),
        "empty": one(0, 0, 1, 72, 0, b""),
        "flip_salt": one(1, 3, 1, 16, 1, b"a message"),
        "flip_commitment": one(1, 30, 128, 262400, 0, b"a message"),
        "flip_chunk": one(1, 60, 2, 262400 + 16, 1, b"a message"),
        "cut": one(2, 60, 0, 2**64 - 1, 2**64 - 1, b"a message"),
        "cut_prefix": one(2, 20, 0, 2**52 - 1, 2**34 - 1, b"a message"),
        "longer": one(3, 0, 16, 2**52, 2**38 - 1, b"a message"),
        "context": one(4, 0, 65, 16400, 2**38, b"a message"),
    }


def merkle():
    """u8 leaves - 1, u8 leaf, u64 index, u64 size, u8 length, then the path: see fuzz_merkle.c."""
    def one(leaves, leaf, index, size, length, path=b""):
        return struct.pack(">BBQQB", leaves - 1, leaf, index, size, length) + path
    true = bytes(range(0, 128, 2))
    return {
        "one": one(1, 0, 0, 1, 0),
        "two": one(2, 1, 1, 2, 1, true),
        "seven": one(7, 6, 6, 7, 2, true),
        "full": one(256, 200, 200, 256, 8, true),
        "odd": one(255, 254, 254, 255, 8, true),
        "long": one(5, 4, 4, 5, 64, true),
        "longer": one(5, 4, 4, 5, 65, true),
        "longest": one(5, 4, 2**64 - 2, 2**64 - 1, 255, true),
        "hostile": one(9, 3, 3, 9, 4, b"".join(b"\x01" + bytes([i]) * 32 for i in range(4))),
    }


def client_hello(name=b"satchel/1", group=0x001d):
    """TLS 1.3 alone, with a key that is not on the curve: enough to get an answer."""
    def extension(number, body):
        return struct.pack(">HH", number, len(body)) + body
    alpn = bytes([len(name)]) + name
    share = struct.pack(">HH", group, 32) + bytes(range(32))
    extensions = (extension(0x002b, b"\x02\x03\x04") + extension(0x000a, struct.pack(">HH", 2, group)) +
                  extension(0x000d, b"\x00\x04\x08\x07\x04\x03") + extension(0x0010, struct.pack(">H", len(alpn)) + alpn) +
                  extension(0x0033, struct.pack(">H", len(share)) + share))
    body = (b"\x03\x03" + b"r" * 32 + b"\x00" + b"\x00\x02\x13\x02" + b"\x01\x00" +
            struct.pack(">H", len(extensions)) + extensions)
    message = b"\x01" + struct.pack(">I", len(body))[1:] + body
    return b"\x16\x03\x01" + struct.pack(">H", len(message)) + message


def tls():
    """u8 mode * 2 + victim, u8 portion, then as fuzz_tls.c says."""
    raw, shake, after, records = 0, 2, 4, 6
    hello = client_hello()
    out = {
        "raw_hello": bytes([raw, 0]) + hello,
        "raw_hello_slowly": bytes([raw, 1]) + hello,
        "raw_hello_alpn": bytes([raw, 0]) + client_hello(b"h2"),
        "raw_hello_group": bytes([raw, 0]) + client_hello(group=0x0018),
        "raw_hello_cut": bytes([raw, 0]) + hello[:-5],
        "raw_http": bytes([raw, 0]) + b"GET / HTTP/1.1\r\n\r\n",
        "raw_alert": bytes([raw, 0]) + b"\x15\x03\x03\x00\x02\x02\x28",
        "raw_client_alert": bytes([raw + 1, 0]) + b"\x15\x03\x03\x00\x02\x02\x28",
        "raw_client_hello_to_client": bytes([raw + 1, 0]) + hello,
        "after_garbage": bytes([after, 0]) + b"\x17\x03\x03\x00\x20" + b"g" * 32,
        "after_alert": bytes([after, 0]) + b"\x15\x03\x03\x00\x02\x01\x00",
        "after_ccs": bytes([after, 0]) + b"\x14\x03\x03\x00\x01\x01" * 40,
        "after_long": bytes([after + 1, 7]) + b"\x17\x03\x03\x41\x01" + b"g" * 64,
        "records_plain": bytes([records, 0, 0]) + b"p" * 350,
        "records_plain_slowly": bytes([records + 1, 3, 0]) + b"p" * 350,
    }
    for what, name in enumerate(("drop", "twice", "swap", "flip", "cut")):
        for victim in (0, 1):
            out[f"records_{name}_{victim}"] = bytes([records + victim, 0, 1, what, 1]) + b"p" * 350
    for flight, at in ((0, 0), (0, 9), (0, 40), (0, 90), (1, 5), (1, 50), (2, 3)):
        for victim in (0, 1):
            out[f"shake_{flight}_{at}_{victim}"] = bytes([shake + victim, 0]) + struct.pack(">BHB", flight, at, 1)
    out["shake_honest"] = bytes([shake, 5])
    return out


SIZES = {"tid": 16, "user_id": 20, "device": 16, "leaf": 32, "signature": 64, "upload_key": 16, "ek_id": 16,
         "server_id": 20, "server_key": 32, "nonce": 32, "share_meta": 32, "share_body": 32, "leaves": 64}


def fill(message, deep):
    """Every field with a value that could be one."""
    for field in message.DESCRIPTOR.fields:
        repeated = field.label == field.LABEL_REPEATED
        if field.message_type is not None:
            if not deep:
                continue
            for _ in range(2 if repeated else 1):
                fill(getattr(message, field.name).add() if repeated else getattr(message, field.name), deep)
            if not repeated:
                getattr(message, field.name).SetInParent()
            continue
        value = {field.TYPE_BYTES: b"\x07" * SIZES.get(field.name, 40), field.TYPE_STRING: "some text",
                 field.TYPE_BOOL: True, field.TYPE_ENUM: 1}.get(field.type, 3)
        if repeated:
            getattr(message, field.name).extend([value, value])
        else:
            setattr(message, field.name, value)


def schema(name="satchel"):
    """The Python module of a file in proto/, made when it is first asked for."""
    module = f"{name}_pb2"
    if module not in sys.modules:
        with tempfile.TemporaryDirectory(prefix="satchel-seeds-") as folder:
            subprocess.run(["protoc", f"--proto_path={PROTO}", f"--python_out={folder}", f"{name}.proto"], check=True)
            sys.path.insert(0, folder)
            importlib.import_module(module)
            sys.path.remove(folder)
    return sys.modules[module]


def envelopes():
    proto = schema()
    out = {}
    for field in proto.Envelope.DESCRIPTOR.oneofs_by_name["body"].fields:
        envelope = proto.Envelope(id=5)
        getattr(envelope, field.name).SetInParent()
        out[f"{field.name}_empty"] = envelope.SerializeToString()
        fill(getattr(envelope, field.name), True)
        out[field.name] = envelope.SerializeToString()
    out["two_bodies"] = out["ping_empty"] + out["bye"]
    out["merged"] = out["login"] + out["login_empty"]
    out["unknown"] = out["hello"] + b"\xfa\x07\x02ab" + b"\xf8\x07\x05"
    out["group"] = b"\x0b\x08\x01\x0c"
    out["long_varint"] = b"\x08" + b"\xff" * 10 + b"\x01"
    out["long_length"] = b"\x52\xff\xff\xff\xff\x0f"
    out["many_ranges"] = b"\xaa\x02\x80\x01" + b"\x0a\x00" * 64
    out["bad_utf8"] = b"\x08\x01\x52\x05\x1a\x03\xff\xfe\x00"
    return out


# ---- conversations: fuzz_conn.c and forge.h say what the bytes mean ----

NEW, GREETED, ALICE, BOB, CAROL, DEAF, CUT = 0, 1, 2, 3, 4, 0x10, 0x20
SAY, FORGE, PUT, TAIL, RAW, TURN, SETTLE, LATER, NOMEM = range(9)
SENT, ONCE, BEGUN = b"\x00", b"\x01", b"\x02"
USER = [bytes([number]) for number in range(4)]


def item(what, data=b""):
    return struct.pack(">BH", what, len(data)) + data


class Talk:
    """What one client says, as the bytes of an input."""

    def __init__(self, speaker):
        self.data = bytes([speaker])
        self.number = 0

    def envelope(self, name, fields):
        self.number += 1
        envelope = schema().Envelope(id=self.number)
        getattr(envelope, name).SetInParent()
        for key, value in fields.items():
            target = getattr(envelope, name)
            if isinstance(value, list):
                getattr(target, key).extend(value)
            elif hasattr(value, "SerializeToString"):
                getattr(target, key).CopyFrom(value)
            else:
                setattr(target, key, value)
        return envelope.SerializeToString()

    def ask(self, name, **fields):
        self.data += item(FORGE, self.envelope(name, fields))
        return self

    def put(self, parcel, piece, **fields):
        self.data += item(PUT, parcel + bytes([piece]) + self.envelope("put_piece", fields))
        return self

    def tail(self, tail, name, **fields):
        self.data += item(TAIL, bytes([len(tail)]) + tail + self.envelope(name, fields))
        return self

    def add(self, what, data=b""):
        self.data += item(what, data)
        return self

    def settle(self):
        return self.add(SETTLE)


def greetings():
    proto = schema()
    manifest = proto.Signed(body=b"\x03", signature=b"\x03")
    other = proto.Signed(body=b"\x03", signature=b"\x00")

    def hello():
        return Talk(NEW).ask("hello", min_version=1, max_version=1, software="fuzz").settle()

    def register(talk, **fields):
        values = {"username": "dave", "email": "dave", "manifest": manifest, "signature": b"\x03"}
        return talk.ask("register", **{**values, **fields})
    return {
        "hello_ping_bye": hello().ask("ping").ask("bye", reason="done"),
        "hello_twice": hello().ask("hello", min_version=1, max_version=1),
        "hello_version": Talk(NEW).ask("hello", min_version=2, max_version=9),
        "hello_software": Talk(NEW).ask("hello", min_version=1, max_version=1, software="x" * 65),
        "no_hello": Talk(NEW).ask("ping"),
        "no_login": Talk(GREETED).ask("list_transfers", limit=1),
        "not_a_request": Talk(GREETED).ask("done").ask("piece", index=1),
        "not_a_frame": Talk(GREETED).add(RAW, b"\x00\x04\x00\x01\x00\x00\x00\x00"),
        "tail_early": Talk(GREETED).tail(b"tail", "ping"),
        "half_a_frame": Talk(GREETED).add(RAW, b"\x00\x00\x00\x09\x00\x00\x00\x00abc").settle(),
        "not_an_envelope": Talk(GREETED).add(SAY, b"\xff\xff\xff"),
        "id_zero": Talk(ALICE).add(SAY, b"\x9a\x01\x00"),
        "register": register(Talk(GREETED)).settle(),
        "register_again": register(Talk(GREETED), username="alice"),
        "register_name": register(Talk(GREETED), username="A b"),
        "register_email": register(Talk(GREETED), email="@"),
        "register_invite": register(Talk(GREETED), invite="x" * 40),
        "register_signature": register(Talk(GREETED), manifest=other),
        "register_by_other": register(Talk(GREETED), signature=b"\x00"),
        "register_login": register(Talk(GREETED)).settle().ask("login", user_id=USER[3], device=USER[3], time=1,
                                                               signature=b"\x03").settle().ask("ping"),
        "login": Talk(GREETED).ask("login", user_id=USER[1], device=USER[1], time=1, signature=b"\x01").settle()
        .ask("list_transfers"),
        "login_unknown": Talk(GREETED).ask("login", user_id=USER[3], device=USER[3], time=1, signature=b"\x03"),
        "login_device": Talk(GREETED).ask("login", user_id=USER[1], device=USER[0], time=1, signature=b"\x01"),
        "login_time": Talk(GREETED).ask("login", user_id=USER[1], device=USER[1], time=5, signature=b"\x01"),
        "login_pipelined": Talk(GREETED).ask("login", user_id=USER[0], device=USER[0], time=1, signature=b"\x00")
        .ask("ping").ask("list_transfers"),
    }


def sendings():
    proto = schema()
    recipients = [proto.Recipient(user_id=USER[0], ek_id=USER[0], role=1), proto.Recipient(user_id=USER[1], ek_id=USER[1])]
    both = [proto.Recipient(user_id=USER[0], ek_id=USER[0], role=2)]
    unknown = recipients + [proto.Recipient(user_id=USER[3], ek_id=USER[3])]
    slots = [proto.SealedSlot(user_id=USER[0], slot=b"\x02"), proto.SealedSlot(user_id=USER[1], slot=b"\x05")]
    header = proto.Header(version=1, suite=1, created=1, expires=1, body_length=1, slots=2)
    for name in ("tid", "sender", "manifest", "device", "kid", "cid", "mkid", "salt", "commitment", "body_root",
                 "metadata_hash", "slots_root"):
        setattr(header, name, BEGUN)
    spoilt = proto.Header()
    spoilt.CopyFrom(header)
    spoilt.body_root = b"\x00"

    def begin(talk, **fields):
        values = {"upload_key": b"upload key 16 by", "recipients": recipients, "body_length": 1, "created": 1, "expires": 1}
        return talk.ask("open_transfer", **{**values, **fields})

    def seal(talk, **fields):
        values = {"header": BEGUN, "signature": b"\x00", "slots": slots, "metadata": BEGUN}
        return talk.ask("seal_transfer", **{**values, **fields})
    return {
        "open": begin(Talk(ALICE)).settle().ask("list_transfers", folder=1),
        "open_again": begin(Talk(ALICE), upload_key=BEGUN),
        "open_twice": begin(begin(Talk(ALICE))).settle(),
        "open_other": begin(Talk(ALICE), upload_key=BEGUN, opens=3),
        "open_to_self": begin(Talk(ALICE), recipients=both),
        "open_nobody": begin(Talk(ALICE), recipients=[]),
        "open_unknown": begin(Talk(ALICE), recipients=unknown),
        "open_repeated": begin(Talk(ALICE), recipients=recipients + recipients),
        "open_as_other": begin(Talk(BOB)),
        "open_large": begin(Talk(ALICE), body_length=2**24),
        "open_odd": begin(Talk(ALICE), body_length=4097),
        "open_times": begin(Talk(ALICE), expires=2),
        "open_early": begin(Talk(ALICE), created=1767229200000, expires=1767229201000),
        "open_late": begin(Talk(ALICE), created=1767229200000, expires=1999999999999),
        "open_policy": begin(Talk(ALICE), policy_flags=2**31),
        "open_and_go": begin(Talk(ALICE | CUT)).add(TURN),
        "put": Talk(ALICE).put(BEGUN, 0, tid=BEGUN, leaf=BEGUN).settle().ask("upload_state", tid=BEGUN),
        "put_twice": Talk(ALICE).put(BEGUN, 0, tid=BEGUN, leaf=BEGUN).put(BEGUN, 0, tid=BEGUN, leaf=BEGUN),
        "put_other_leaf": Talk(ALICE).put(BEGUN, 0, tid=BEGUN, leaf=BEGUN).put(BEGUN, 0, tid=BEGUN, leaf=SENT),
        "put_index": Talk(ALICE).put(BEGUN, 0, tid=BEGUN, leaf=BEGUN, index=1),
        "put_short": Talk(ALICE).tail(b"short", "put_piece", tid=BEGUN, leaf=BEGUN),
        "put_large": Talk(ALICE).put(SENT, 0, tid=BEGUN, leaf=SENT),
        "put_foreign": Talk(BOB).put(BEGUN, 0, tid=BEGUN, leaf=BEGUN),
        "put_sealed": Talk(ALICE).put(SENT, 1, tid=SENT, leaf=b"\x03", index=1),
        "seal": seal(Talk(ALICE).put(BEGUN, 0, tid=BEGUN, leaf=BEGUN)).settle().ask("status", tid=BEGUN),
        "seal_written_out": seal(Talk(ALICE).put(BEGUN, 0, tid=BEGUN, leaf=BEGUN), header=header.SerializeToString()),
        "seal_twice": seal(seal(Talk(ALICE).put(BEGUN, 0, tid=BEGUN, leaf=BEGUN)).settle()).settle(),
        "seal_missing": seal(Talk(ALICE)),
        "seal_root": seal(Talk(ALICE).put(BEGUN, 0, tid=BEGUN, leaf=BEGUN), header=spoilt.SerializeToString()),
        "seal_foreign": seal(Talk(BOB)),
        "seal_signature": seal(Talk(ALICE), signature=b"\x01"),
        "seal_slots": seal(Talk(ALICE), slots=slots[1:]),
        "seal_slots_turned": seal(Talk(ALICE).put(BEGUN, 0, tid=BEGUN, leaf=BEGUN), slots=slots[::-1]),
        "seal_metadata": seal(Talk(ALICE), metadata=b"other bytes"),
        "seal_again": seal(Talk(ALICE), header=SENT, metadata=SENT,
                           slots=[proto.SealedSlot(user_id=USER[0], slot=b"\x00"),
                                  proto.SealedSlot(user_id=USER[1], slot=b"\x03")]),
        "state": Talk(ALICE).ask("upload_state", tid=BEGUN).ask("upload_state", tid=SENT, **{"from": 9}),
        "abandon": Talk(ALICE).ask("abandon_upload", tid=BEGUN).put(BEGUN, 0, tid=BEGUN, leaf=BEGUN).settle(),
        "abandon_foreign": Talk(BOB).ask("abandon_upload", tid=BEGUN).ask("upload_state", tid=BEGUN),
        "manifest": Talk(ALICE).ask("put_manifest", manifest=proto.Signed(body=b"\x04", signature=b"\x00")).settle()
        .ask("lookup", username="alice", from_sequence=2),
        "manifest_same": Talk(ALICE).ask("put_manifest", manifest=proto.Signed(body=b"\x00", signature=b"\x00")),
        "manifest_foreign": Talk(BOB).ask("put_manifest", manifest=proto.Signed(body=b"\x04", signature=b"\x00")),
        "manifest_missing": Talk(ALICE).ask("put_manifest"),
    }


def receivings():
    out = {
        "bye": Talk(BOB).ask("bye").ask("ping"),
        "lookup": Talk(BOB).ask("lookup", user_id=USER[0]).ask("lookup", username="carol")
        .ask("lookup", email="bob@example.org", from_sequence=9),
        "lookup_nobody": Talk(BOB).ask("lookup").ask("lookup", username="Nobody").ask("lookup", email="@@"),
        "find": Talk(BOB).ask("find_transfers", prefix="0").ask("find_transfers", prefix="A").ask("find_transfers"),
        "release_once": Talk(BOB).ask("release", tid=ONCE).settle().ask("release", tid=ONCE).ask("release", tid=SENT, code="1"),
        "release_twice": Talk(BOB).ask("release", tid=ONCE).ask("release", tid=ONCE),
        "release_and_go": Talk(BOB | CUT).ask("release", tid=SENT).add(TURN),
        "delete": Talk(BOB).ask("delete", tid=SENT).settle().ask("release", tid=SENT).ask("list_transfers"),
        "delete_by_all": Talk(ALICE).ask("delete", tid=SENT, folder=1).settle().ask("get_transfer", tid=SENT),
        "leaves": Talk(BOB).ask("get_leaves", tid=SENT, count=4096).ask("get_leaves", tid=SENT, first=1, count=1),
        "leaves_beyond": Talk(BOB).ask("get_leaves", tid=SENT, first=2**32 - 1, count=2**32 - 1),
        "pieces": Talk(BOB).ask("get_pieces", tid=SENT, count=2),
        "pieces_deaf": Talk(BOB | DEAF).ask("get_pieces", tid=SENT, count=2).ask("get_pieces", tid=SENT, count=2)
        .ask("get_pieces", tid=SENT, count=2).settle().ask("list_transfers"),
        "pieces_deaf_and_go": Talk(BOB | DEAF | CUT).ask("get_pieces", tid=SENT, count=2).settle(),
        "pieces_beyond": Talk(BOB).ask("get_pieces", tid=SENT, first=1, count=2**32 - 1).ask("get_pieces", tid=SENT, first=7),
        "expired": Talk(BOB).add(LATER, b"\xa0").ask("release", tid=SENT).ask("get_pieces", tid=SENT, count=1)
        .ask("get_transfer", tid=SENT).ask("list_transfers").settle().ask("delete", tid=SENT),
        "expired_upload": Talk(ALICE).add(LATER, b"\xa0").put(BEGUN, 0, tid=BEGUN, leaf=BEGUN).ask("upload_state", tid=BEGUN),
        "pieces_unsent": Talk(BOB).add(NOMEM, b"\x07").ask("get_pieces", tid=SENT, count=2),
        "later": Talk(BOB).ask("release", tid=ONCE).settle().add(LATER, b"\x01").ask("status", tid=ONCE),
        "find_found": Talk(BOB).ask("find_transfers", prefix="0").ask("find_transfers", prefix="1")
        .ask("find_transfers", prefix="2").ask("find_transfers", prefix="3").ask("find_transfers", prefix="4")
        .ask("find_transfers", prefix="5").ask("find_transfers", prefix="6").ask("find_transfers", prefix="7"),
        "list_pages": Talk(BOB).ask("list_transfers", limit=1).settle().ask("list_transfers", cursor=b"\x00" * 24, limit=1000),
    }
    for number, speaker in enumerate(("alice", "bob", "carol")):
        talk = Talk(ALICE + number)
        for parcel in (SENT, BEGUN):
            for name in ("get_transfer", "status", "release", "delete"):
                talk.ask(name, tid=parcel)
            talk.ask("get_leaves", tid=parcel, count=9).ask("get_pieces", tid=parcel, count=1).settle()
        out[f"everything_{speaker}"] = talk.ask("list_transfers").ask("list_transfers", folder=1)
    return out


def conversations():
    talks = {**greetings(), **sendings(), **receivings()}
    return {name: talk.data for name, talk in talks.items()}


def records():
    """One byte, then items of u8 record, u16 length and a message: see fuzz_records.c."""
    proto = schema("vault")
    alice, bob, carol, later, latest = (bytes([number]) for number in range(5))

    def own(message=proto.OwnKey, **fields):
        return message(**{"suite": 1, "private_key": alice, "not_before": 1767139200000, "not_after": 1769731200000, **fields})

    def identity(**fields):
        values = {"version": 1, "username": "alice", "email": "alice@example.org", "server_id": bob, "identity_seed": alice,
                  "device_seed": alice, "hedge_key": alice, "keys": [own()]}
        return 0, proto.Identity(**{**values, **fields})

    def chain(*manifests):
        return 1, proto.Chain(manifests=manifests)

    def contact(number=0, **fields):
        values = {"version": 1, "user_id": bytes([number]), "name": ("alice", "bob", "carol")[number], "manifests": [bytes([number])]}
        return 2 + 6 * number, proto.Contact(**{**values, **fields})

    def seen(number, *entries):
        return 4 + 6 * number, proto.Seen(entries=b"".join(entries))

    def join(*items):
        return b"\x00" + b"".join(item(what, m if isinstance(m, bytes) else m.SerializeToString()) for what, m in items)
    entry = b"k" * 16 + b"h" * 32 + (2**41).to_bytes(8, "big")
    settings = ("[profile]\nstate = active\nserver = example.org:7743\nusername = alice\n"
                "user-id = sat1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqx0fyxx\n")
    return {
        "nothing": join(),
        "identity": join(identity(), chain(alice)),
        "identity_grown": join(identity(recovery_seed=bob), chain(alice, later, latest)),
        "identity_next": join(identity(next_key=own(private_key=bob), next_manifest=later), chain(alice)),
        "identity_caught_up": join(identity(next_key=own(private_key=bob), next_manifest=later), chain(alice, later)),
        "identity_next_skips": join(identity(next_key=own(private_key=bob), next_manifest=latest), chain(alice)),
        "identity_next_missing": join(identity(next_key=own()), chain(alice)),
        "identity_full": join(identity(keys=[own()] * 64, next_key=own(), next_manifest=later), chain(alice, later)),
        "identity_too_many": join(identity(keys=[own()] * 65), chain(alice)),
        "identity_no_keys": join(identity(keys=[]), chain(alice)),
        "identity_suite": join(identity(keys=[own(suite=2)]), chain(alice)),
        "identity_version": join(identity(version=2), chain(alice)),
        "identity_seed": join(identity(identity_seed=b"short"), chain(alice)),
        "identity_name": join(identity(username="a" * 33), chain(alice)),
        "identity_other": join(identity(), chain(bob)),
        "chain_gap": join(identity(), chain(alice, latest)),
        "chain_mixed": join(identity(), chain(alice, bob)),
        "chain_empty": join(identity(), chain()),
        "chain_alone": join(chain(alice)),
        "no_message": join((0, b"\xff"), (1, b"\xff"), (2, b"\xff"), (3, b"\xff"), (4, b"\xff"), (5, b"\xff")),
        "contacts": join(contact(0, named=True), contact(1, username="bob", verified="1" * 30), contact(2, added=5, changed=6)),
        "contact_moved": join((2, contact(1)[1])),
        "contact_chain": join(contact(0, manifests=[alice, later, latest])),
        "contact_mixed": join(contact(0, manifests=[alice, bob])),
        "contact_twice": join(contact(0, manifests=[alice, alice])),
        "contact_long": join(contact(0, name="n" * 64)),
        "contact_empty": join(contact(0, manifests=[])),
        "counter": join((3, proto.Counter(next=2**40))),
        "counter_last": join((3, proto.Counter(next=2**64 - 1024))),
        "counter_end": join((3, proto.Counter(next=2**64 - 1023))),
        "seen": join(seen(0, entry, entry), seen(1, entry)),
        "seen_gap": join(seen(1, entry)),
        "seen_odd": join(seen(0, entry, b"x")),
        "seen_old": join(seen(0, entry[:-8] + bytes(8))),
        "settings": join((5, settings.encode())),
        "settings_bad": join((5, settings.replace("active", "other").encode())),
    }


def configs():
    """u8 schema (0: one with every type, 1: the daemon's), then the text."""
    every = {
        "least": "[a]\nneeded = x\n",
        "all": "# first\n[a]\ntext = \" a \\\" b \\\\ \"\nneeded = n\nflag = off\nnumber = 18446744073709551615\n"
               "[b]\nsize = 15T\ntime = 3d\nword = three\nlist = a, \"b, c\", d\n",
        "zeros": "[a]\nneeded = x\ntext =\nflag = no\nnumber = 0\n[b]\nsize = 0\ntime = 0\nlist =\n",
        "overflow": "[a]\nneeded = x\nnumber = 18446744073709551616\n[b]\nsize = 99999999999T\ntime = 999999999999999d\n",
        "units": "[a]\nneeded = x\n[b]\nsize = 1K\ntime = 1\n",
        "twice": "[a]\nneeded = x\nneeded = y\n[a]\nflag = yes\n",
        "unknown": "[a]\nneded = x\n[c]\nx = y\n",
        "stray": "needed = x\n[a\n=\n",
        "quotes": "[a]\nneeded = \"x\ntext = \"a\\\"\n",
        "crlf": "[a]\r\nneeded = x\r\n",
        "nul": "[a]\nneeded = x\0y\n",
        "long": "[a]\nneeded = " + "x" * 41 + "\n",
        "items": "[a]\nneeded = x\n[b]\nlist = 1, 2, 3, 4, 5, 6\n",
        "no_end": "[a]\nneeded = x",
        "spaces": "  [a]  \n\t needed\t=\t x \t\n",
    }
    daemon = {
        "daemon_least": "[server]\ndata = /d\n",
        "daemon_some": "[server]\ndata = /d\nlisten = 127.0.0.1:1, [::1]:2\nregistration = invite\nlog_level = debug\n"
                       "[store]\nquota = 3G\nlease = 9d\n[limits]\npage = 200\n[timeouts]\nstore = 100ms\n",
        "daemon_together": "[server]\ndata = d\n[tls]\nkey = k\n[limits]\nmin_lifetime = 2d\nmax_lifetime = 1d\n",
        "daemon_ranges": "[server]\ndata = /d\n[limits]\npage = 201\nwindow = 0\n[timeouts]\nidle = 1s\n",
    }
    return {**{name: b"\x00" + text.encode() for name, text in every.items()},
            **{name: b"\x01" + text.encode() for name, text in daemon.items()}}


def weights():
    """u8 how (1: as it is, 2: mend the hash, 4: cut), then u32 place and u8 value each."""
    def one(how, *changes):
        return bytes([how]) + b"".join(struct.pack(">IB", *change) for change in changes)
    layers = ((512, 256), (512, 512), (1024, 512))
    biases = [68 + sum(4 * n + n * k for n, k in layers[:layer]) for layer in range(3)]
    return {
        "good": one(0), "changed": one(0, (5000, 1)), "good_mended": one(2),
        "magic": one(2, (0, 0)), "kind": one(2, (9, 2)), "version": one(2, (11, 2)), "length": one(2, (15, 0)),
        "layers": one(2, (17, 4)), "inputs": one(2, (19, 1)), "outputs": one(2, (21, 1)), "maximum": one(2, (26, 1)),
        "shift_0": one(2, (29, 0)), "shift_21": one(2, (31, 21)), "entropy": one(2, (32, 255)), "known": one(2, (40, 9)),
        "bias": one(2, (biases[0], 1)), "bias_low": one(2, (biases[1], 0x80)), "bias_good": one(2, (biases[2] + 3, 1)),
        "weight": one(2, (biases[0] + 2048, 64)), "weight_low": one(2, (biases[2] + 4096, 0xc0)),
        "weight_good": one(2, (biases[2] + 4097, 63)), "cut": b"\x06\x01", "cut_hash": b"\x04\x20",
        "raw": b"\x01satchelw\x00\x01\x00\x01\x00\x0e\x20\x64", "raw_nothing": b"\x01",
    }


def vaults():
    """u8 how, then bytes or changes: see fuzz_vault.c."""
    def head(*factors, magic=b"SATVAULT", version=1, policy=1, n=None):
        out = magic + struct.pack(">I", version) + b"i" * 16 + struct.pack(">II", policy, len(factors) if n is None else n)
        for kind, parameters in factors:
            out += struct.pack(">II", kind, len(parameters)) + parameters
        return out
    device = (2, b"s" * 32)
    passphrase = (1, b"s" * 32 + struct.pack(">III", 17, 8, 1))
    wrap = b"w" * 48 + bytes(32)

    def summed(*factors, **fields):
        return b"\x01" + head(*factors, **fields) + wrap
    return {
        "raw": b"\x00" + head(device) + wrap,
        "raw_nothing": b"\x00",
        "device": summed(device), "both": summed(passphrase, device), "same_twice": summed(device, device),
        "keyring": summed((3, b"s" * 32)), "keyring_both": summed((3, b"s" * 32), device), "keyring_short": summed((3, b"s" * 31)),
        "no_factor": summed(), "many": summed(device, n=9), "missing": summed(device, n=2), "unknown": summed((4, b"x")),
        "version": summed(device, version=2), "policy": summed(device, policy=2), "magic": summed(device, magic=b"SATVAULU"),
        "cost": summed((1, b"s" * 32 + struct.pack(">III", 23, 8, 1)), device),
        "cost_zero": summed((1, b"s" * 32 + struct.pack(">III", 0, 0, 0))),
        "salt_short": summed((2, b"s" * 31)), "salt_long": summed((2, b"s" * 33)),
        "length": b"\x01" + head()[:-4] + struct.pack(">III", 1, 2, 2**32 - 1) + wrap,
        "short": b"\x01SATVAULT", "long": summed(device) + b"x" * 30,
        "same": b"\x02", "changed_id": b"\x02\x00\x0c\x01", "changed_salt": b"\x02\x00\x30\x80",
        "changed_wrap": b"\x02\x00\x60\x01", "changed_sum": b"\x02\x00\x9a\x01", "changed_back": b"\x02\x00\x0c\x01\x00\x0c\x01",
        "record": b"\x03SREC" + struct.pack(">IQ", 1, 7) + b"s" * 24 + b"c" * 20,
        "record_short": b"\x03SREC" + struct.pack(">IQ", 1, 7) + b"s" * 24 + b"c" * 15, "record_nothing": b"\x03",
        "record_same": b"\x04", "record_number": b"\x04\x00\x0f\x01", "record_salt": b"\x04\x00\x12\x01",
        "record_text": b"\x04\x00\x2a\x01", "record_version": b"\x04\x00\x07\x01",
        "moved_not": b"\x05\x00", "moved_table": b"\x05\x01", "moved_id": b"\x05\x02",
    }


def archives():
    """pax archives of a folder "top", as fuzz_unpack.c wants it."""
    def entry(name, data=b"", kind=tarfile.REGTYPE, mode=0o644, link="", size=None, **pax):
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.linkname, info.mtime = kind, mode, link, 1_000_000_000.5
        info.size = len(data) if size is None else size
        info.pax_headers = {key.replace("_", "."): value for key, value in pax.items()}
        return info.tobuf(tarfile.PAX_FORMAT) + data + bytes(-len(data) % 512)

    def link(name, target, kind=tarfile.SYMTYPE):
        return entry(name, kind=kind, link=target)

    def folder(name, mode=0o755):
        return entry(name, kind=tarfile.DIRTYPE, mode=mode)
    top, end, hard = folder("top"), bytes(1024), tarfile.LNKTYPE
    sparse = {"GNU_sparse_major": "1", "GNU_sparse_minor": "0", "GNU_sparse_name": "top/sparse",
              "GNU_sparse_realsize": "1000000"}
    return {
        "good": top + entry("top/f", b"abc", mode=0o6755) + folder("top/a", 0o500) + link("top/a/l", "../f")
        + link("top/a/n", "top/f", hard) + end,
        "up": top + entry("top/../x", b"x") + end, "absolute": top + entry("/tmp/x", b"x") + end,
        "link": top + link("top/l", "..") + entry("top/l/x", b"x") + end,
        "through": top + folder("top/a") + link("top/l", "a") + entry("top/l/x", b"x") + end,
        "name": top + link("top/n", "/etc/passwd", hard) + end,
        "device": top + entry("top/d", kind=tarfile.CHRTYPE) + end,
        "fifo": top + entry("top/d", kind=tarfile.FIFOTYPE) + end,
        "huge": top + entry("top/h", size=1 << 50) + b"abc",
        "truncated": (top + entry("top/f", b"a" * 2000))[:4000],
        "sparse": top + entry("top/s", b"1\n999997\n3\n".ljust(512, b"\0") + b"end", **sparse) + end,
        "binary": top + entry("top/x", b"x", path="top/new\nline", hdrcharset="BINARY") + end,
        "order": top + folder("top/a") + entry("top/b", b"x") + entry("top/a/c", b"x") + end,
        "nothing": end, "text": b"no archive",
    }


def fernets():
    """u8 even: a token, odd: a key file."""
    import hashlib
    import hmac
    from base64 import urlsafe_b64encode as text
    from cryptography.fernet import Fernet
    keys = [b"0123456789abcdef0123456789abcdef", bytes(32)]

    def signed(body):
        return text(body + hmac.new(keys[0][:16], body, hashlib.sha256).digest())
    good = [Fernet(text(key))._encrypt_from_parts(b"hello", 499162800, bytes(16)) for key in keys]
    salt = b"satchel fernet passphrase 1\npbkdf2-hmac-sha256 600000 AAAAAAAAAAAAAAAAAAAAAA\n"
    return {
        "first": b"\0" + good[0], "second": b"\0" + good[1], "foreign": b"\0" + good[0][:-4] + b"AAA=",
        "padding_missing": b"\0" + good[0].rstrip(b"="), "line_end": b"\0" + good[0] + b"\n", "nothing": b"\0",
        "version": b"\0" + signed(b"\x81" + bytes(40)), "bad_padding": b"\0" + signed(b"\x80" + bytes(40)),
        "no_text": b"\0" + signed(b"\x80" + bytes(24)), "half_block": b"\0" + signed(b"\x80" + bytes(32)),
        "key": b"\1" + text(keys[0]), "keys": b"\1" + b"\n".join(map(text, keys)) + b"\n", "no_key": b"\1\n",
        "salt": b"\1" + salt, "rounds": b"\1" + salt.replace(b"600000", b"1"), "newer": b"\1" + salt.replace(b"1\n", b"2\n"),
        "salt_cut": b"\1" + salt[:-1],
    }


def logs():
    """u8 what, then its bytes, made from proto/vectors: see fuzz_log.c."""
    def cases(name):
        return json.loads((PROTO / "vectors" / f"{name}.json").read_text())["cases"]
    receipt, addendum = (bytes.fromhex(case["signed"]) for case in cases("statement"))
    head = bytes.fromhex(next(case["body"] for case in cases("events") if case["case"] == "head"))
    return {
        "receipt": b"\0" + receipt, "addendum": b"\0" + addendum, "receipt_cut": b"\0" + receipt[:-70],
        "head": b"\1" + head, "head_cut": b"\1" + head[:-9], "reply_empty": b"\2", "reply_text": b"\2no protobuf",
        "good": b"\3", "kind": b"\3\x00\x05\x01", "data": b"\3\x00\x22\x80", "hash": b"\3\x00\x40\x01",
        "head_signature": b"\3\xff\xff\x01", "length": b"\3\x00\x01\x40",
    }


def joins():
    """What stands behind the seals of a new device's request (5), of an answer to it (6) and of an opening (7)."""
    proto = schema()

    def request(**changes):
        fields = {"version": 2, "device_key": b"d" * 32, "box": b"b" * 32, "key": b"k" * 32, "name": "laptop", **changes}
        return b"\x05" + proto.JoinRequest(**fields).SerializeToString()

    def answer(length=None, **changes):
        fields = {"version": 2, "identity_seed": b"i" * 32, "username": "alice", "email": "alice@example.org",
                  "recovery_box": b"r" * 32, "manifest": b"m" * 32, "account": b"account", "name": "desk", **changes}
        plain = proto.JoinAnswer(**fields).SerializeToString()
        return b"\x06" + struct.pack(">I", len(plain) if length is None else length) + plain + bytes(100)
    good = bytes(32) + b"\x01\x02\x03" + bytes(17)
    return {
        "says": request(), "says_pin": request(pin=b"p" * 32), "says_short_pin": request(pin=b"p"),
        "says_version": request(version=1), "says_no_name": request(name=""), "says_long_name": request(name="n" * 64),
        "says_odd_name": request(name="a\nb"), "says_key": request(key=b"k" * 31), "says_box": request(box=b""),
        "says_device": request(device_key=b"d" * 33), "says_nothing": b"\x05", "says_unknown": request() + b"\x7a\x01x",
        "gives": answer(), "gives_version": answer(version=1), "gives_no_box": answer(recovery_box=b""),
        "gives_short_box": answer(recovery_box=b"r"), "gives_seed": answer(identity_seed=b"i" * 31),
        "gives_no_account": answer(account=b""), "gives_name": answer(username="-"), "gives_email": answer(email="alice"),
        "gives_capitals": answer(email="Alice@Example.org"), "gives_manifest": answer(manifest=b"m"),
        "gives_cut": answer(length=50), "gives_more": answer(length=4096), "gives_less_than_length": b"\x06\0\0\0",
        "gives_nothing": b"\x06" + bytes(4), "gives_large": answer(account=b"a" * 5000),
        "opens": b"\x07" + good, "opens_nonce": b"\x07\x01" + good[1:], "opens_user": b"\x07" + good[:-1] + b"\x01",
        "opens_short": b"\x07" + good[:-1], "opens_long": b"\x07" + good + b"\0", "opening_flip": b"\x04\0\x05\x01",
        "opening": b"\x04",
    }


TARGETS = {"frame": frames, "addr": addresses, "text": texts, "chunked": chunked, "merkle": merkle, "tls": tls,
           "envelope": envelopes, "conn": conversations, "records": records, "config": configs,
           "weights": weights, "vault": vaults, "unpack": archives, "fernet": fernets, "log": logs,
           "join": joins}


def main():
    for target in sys.argv[1:] or TARGETS:
        folder = HERE / "corpus" / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in TARGETS[target]().items():
            (folder / name).write_bytes(data)


main()
