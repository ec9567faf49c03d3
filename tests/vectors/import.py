#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Make the files of this folder from the published ones (see README.md).

usage: import.py WYCHEPROOF HPKE.json MERKLE

WYCHEPROOF and MERKLE are clones of C2SP/wycheproof and transparency-dev/merkle,
HPKE.json is test-vectors.json of cfrg/draft-irtf-cfrg-hpke.  Values are copied
as they are; only what no test reads is left out.
"""
import base64
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
HASHES = ("sha1", "sha256", "sha384", "sha512")

# set: (published file, fields of a test, groups to take)
WYCHEPROOF = {
    "aes_gcm": ("aes_gcm_test", ("key", "iv", "aad", "msg", "ct", "tag"), lambda g: g["keySize"] == 256),
    "x25519": ("x25519_test", ("public", "private", "shared", "flags"), None),
    "ed25519": ("ed25519_test", ("msg", "sig"), None),
    "chunked": ("c2sp_chunked_encryption_aes_256_gcm_test",
                ("key", "ctx", "ct", "msgLength", "msgSha512"), None),
}
for _h in HASHES:
    WYCHEPROOF["hmac_" + _h] = (f"hmac_{_h}_test", ("key", "msg", "tag"), None)
    WYCHEPROOF["hkdf_" + _h] = (f"hkdf_{_h}_test", ("ikm", "salt", "info", "size", "okm"), None)


def write(name, tests):
    """One test a line, so that a difference shows where it is."""
    lines = ",\n".join(json.dumps(t, separators=(",", ":")) for t in tests)
    (HERE / name).write_text("[\n" + lines + "\n]\n")


def wycheproof(folder):
    for name, (source, fields, wanted) in WYCHEPROOF.items():
        tests = []
        published = json.loads((folder / "testvectors_v1" / (source + ".json")).read_text())
        for group in published["testGroups"]:
            if wanted and not wanted(group):
                continue
            for test in group["tests"]:
                kept = {k: test[k] for k in ("tcId", "comment", "result") if test[k] != ""}
                kept.update({k: test[k] for k in fields if k in test})
                if name == "ed25519":
                    kept["pk"] = group["publicKey"]["pk"]
                tests.append(kept)
        write(f"wycheproof_{name}.json", tests)


def hpke(path):
    keep = ("aead_id", "info", "ikmR", "ikmE", "skRm", "pkRm", "enc", "exports")
    tests = []
    for vector in json.loads(path.read_text()):
        if (vector["mode"], vector["kem_id"], vector["kdf_id"]) != (0, 0x0020, 0x0003):
            continue
        test = {k: vector[k] for k in keep}
        test["encryptions"] = {
            n: {k: vector["encryptions"][n][k] for k in ("aad", "pt", "ct")}
            for n in (0, 1, 2, 4, 10, 32, 255, 256) if n < len(vector["encryptions"])
        }
        tests.append(test)
    write("hpke_rfc9180.json", tests)


def merkle(folder):
    """Plain lines for the unit test: index n leaf root path expected."""
    lines = []
    for path in sorted((folder / "testdata" / "inclusion").rglob("*.json")):
        probe = json.loads(path.read_text())
        leaf, root = (base64.b64decode(probe[k] or "") for k in ("leafHash", "root"))
        nodes = [base64.b64decode(n or "") for n in probe["proof"] or []]
        if any(len(x) != 32 for x in [leaf, root, *nodes]):
            continue  # cannot even be passed to a function that takes 32 bytes
        lines.append("%d %d %s %s %s %s" % (probe["leafIdx"], probe["treeSize"], leaf.hex(), root.hex(),
                                            b"".join(nodes).hex() or "-",
                                            "bad" if probe["wantErr"] else "good"))
    (HERE / "merkle_inclusion.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    wycheproof(pathlib.Path(sys.argv[1]))
    hpke(pathlib.Path(sys.argv[2]))
    merkle(pathlib.Path(sys.argv[3]))
