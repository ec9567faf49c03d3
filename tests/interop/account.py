# SPDX-License-Identifier: Apache-2.0
"""Account records and what recovers an account, from FORMATS.md sections 2, 5 and 17 alone."""
import pathlib
import re

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import formats as f

STEP = 4096


def bip39():
    """The English list of BIP-39; the tree has it once, as C."""
    source = pathlib.Path(__file__).resolve().parent.parent.parent / "common/crypto/wordlist.c"
    words = re.findall(r"\b[a-z]{3,8}\b", re.sub(r"/\*.*?\*/", "", source.read_text(), flags=re.S))
    words = words[words.index("abandon"):]
    return words[:words.index("zoo") + 1]


def seed_of(text):
    """The 32 bytes that 24 words say."""
    words = bip39()
    f.require(len(words) == 2048, "list of words")
    number = 0
    for word in text.split():
        number = number << 11 | words.index(word)
    seed = (number >> 8).to_bytes(32, "big")
    f.require(f.sha256(seed)[0] == number & 255, "checksum of the words")
    return seed


def words_of(seed):
    words, number = bip39(), int.from_bytes(seed + f.sha256(seed)[:1], "big")
    return " ".join(words[number >> 11 * (23 - at) & 2047] for at in range(24))


def recovery_key(seed):
    return Ed25519PrivateKey.from_private_bytes(f.prf(seed, "recovery key"))


def box_key(seed):
    return X25519PrivateKey.from_private_bytes(f.prf(seed, "recovery box"))


def private_bytes(key):
    return key.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw,
                             serialization.NoEncryption())


def key_id(public):
    return f.sha256(f.lp("satchel/1 account key", public))[:16]


def aad(uid, number):
    return f.lp("satchel/1 account", uid, f.u64(number))


def content_wrapper(shared, uid, number, public):
    info = f.lp("satchel/1 account box", uid, f.u64(number), key_id(public))
    return AESGCM(f.hpke_export(shared, info, b"satchel/1 account kek", 32))


def seal(pb, record, publics, account):
    """Fill in boxes and content of ${record}, whose other fields are set; gives the body that is signed."""
    about, content_key = aad(record.user_id, record.number), f.random_bytes(32)
    for public in publics:
        shared, enc = f.encapsulate(public)
        wrap = content_wrapper(shared, record.user_id, record.number, public).encrypt(f.NONCE_0, content_key, about)
        record.boxes.append(pb.AccountBox(key_id=key_id(public), enc=enc, wrap=wrap))
    plain = account.SerializeToString()
    plain = f.u32(len(plain)) + plain
    record.sealed = AESGCM(content_key).encrypt(f.NONCE_0, plain + bytes(-len(plain) % STEP), about)
    return record.SerializeToString()


def open_record(pb, signed, manifest, private):
    """The Account in a record that a device of ${manifest} has signed, for the owner of one of its boxes."""
    record = pb.AccountRecord.FromString(signed.body)
    f.require(record.version == 1 and record.user_id == manifest.user_id, "account record")
    keys = [device.key for device in manifest.devices
            if f.device_id(device.key) == record.device and not device.revoked]
    f.require(keys, "device of the account record")
    f.verify(keys[0], signed.signature, "account", signed.body)
    public = f.public_bytes(private)
    boxes = [box for box in record.boxes if box.key_id == key_id(public)]
    f.require(boxes, "box")
    about = aad(record.user_id, record.number)
    shared = f.decapsulate(private, boxes[0].enc)
    content_key = content_wrapper(shared, record.user_id, record.number, public).decrypt(
        f.NONCE_0, boxes[0].wrap, about)
    plain = AESGCM(content_key).decrypt(f.NONCE_0, record.sealed, about)
    length = int.from_bytes(plain[:4], "big")
    f.require(len(plain) % STEP == 0 and length <= len(plain) - 4 and not any(plain[4 + length:]), "padding")
    return pb.Account.FromString(plain[4:4 + length])


def recover(pb, connection, server_id, seed, username):
    """What the daemon tells the owner of the words: RecoverReply, and the newest manifest."""
    signed = f.lp(server_id, connection.exporter, username, b"")
    reply = connection.call(recover=pb.Recover(username=username,
                                               signature=f.sign(recovery_key(seed), "recover", signed)))
    f.require(reply.last_sequence == len(reply.manifests), "more manifests than one page")
    return reply, f.check_chain(pb, reply.manifests)
