#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Check the log of a transfer that `satchel status ID --export FILE` wrote, from FORMATS.md 14.7 alone.

    log.py FILE

Needs no daemon and no profile.  Exit 0 and a line for each event, or 1 and what does not fit.
"""
import json
import sys

import formats as f
from protocol import pb

STORED, RECEIVED = 1, 5


def signed(raw):
    message = pb.Signed.FromString(raw)
    return message.body, message.signature


def device_key(manifests, digest, device, at, user):
    """The public key of a device that the manifest with this hash lists."""
    f.require(digest in manifests, "a manifest is missing")
    manifest = manifests[digest]
    f.require(manifest.user_id == user, "another user's manifest")
    keys = [item for item in manifest.devices if f.device_id(item.key) == device]
    f.require(keys and (not keys[0].revoked or keys[0].revoked > at), "the device")
    return keys[0].key


def read_manifests(listed):
    found = {}
    for item in listed:
        manifest, digest = f.check_manifest(pb, pb.Signed.FromString(bytes.fromhex(item["manifest"])))
        f.require(manifest.user_id.hex() == item["user_id"], "a manifest's user")
        found[digest] = manifest
    return found


def check_chain(tid, events):
    before = bytes(32)
    for number, event in enumerate(events, 1):
        f.require(event["number"] == number, "the events' numbers")
        hashed = f.sha256(f.lp("satchel/1 event") + before + tid + f.u32(number) + f.u64(event["time"])
                          + event["kind"].to_bytes(2, "big") + bytes.fromhex(event["user_id"])
                          + f.lp(bytes.fromhex(event["data"])))
        f.require(hashed.hex() == event["hash"], f"the hash of event {number}")
        before = hashed
    return before


def check_head(log, tid, last):
    key = bytes.fromhex(log["server_key"])
    body = bytes.fromhex(log["head"]["body"])
    f.verify(key, bytes.fromhex(log["head"]["signature"]), "events", body)
    head = pb.EventHead.FromString(body)
    f.require((head.version, head.server_id, head.tid) == (1, f.server_id(key), tid), "the head")
    f.require((head.number, head.hash) == (len(log["events"]), last), "the head is of another log")


def check_receipt(manifests, tid, digest, event):
    raw = bytes.fromhex(event["data"])
    body, signature = signed(raw)
    receipt = pb.Statement.FromString(body)
    f.require((receipt.version, receipt.tid, receipt.header_hash) == (1, tid, digest), "a receipt's transfer")
    f.require(receipt.user_id.hex() == event["user_id"], "a receipt's user")
    key = device_key(manifests, receipt.manifest, receipt.device, receipt.time, receipt.user_id)
    f.verify(key, signature, "receipt", body)


def check(text):
    """Raises formats.Refused, or another error, if anything does not fit; gives the log."""
    log = json.loads(text)
    f.require(log["format"] == "satchel/1 log", "the format")
    tid, raw = bytes.fromhex(log["id"]), bytes.fromhex(log["header"])
    check_head(log, tid, check_chain(tid, log["events"]))
    header, manifests = pb.Header.FromString(raw), read_manifests(log["manifests"])
    f.require(header.tid == tid, "the header's transfer")
    key = device_key(manifests, header.manifest, header.device, header.created, header.sender)
    f.verify(key, bytes.fromhex(log["signature"]), "transfer", raw)
    first = log["events"][0]
    f.require((first["kind"], first["data"]) == (STORED, f.sha256(raw).hex()), "the first event")
    for event in log["events"]:
        if event["kind"] == RECEIVED:
            check_receipt(manifests, tid, f.sha256(raw), event)
    return log


def main():
    with open(sys.argv[1], encoding="ascii") as stream:
        try:
            log = check(stream.read())
        except Exception as error:  # pylint: disable=broad-except
            sys.exit(f"not a log: {type(error).__name__}: {error}")
    for event in log["events"]:
        print(event["number"], event["time"], event["kind"], event["user_id"])


if __name__ == "__main__":
    main()
