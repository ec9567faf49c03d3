# SPDX-License-Identifier: Apache-2.0
"""Fernet against python3-cryptography, both ways: tokens through the oracle, files through the command."""
import os
import random
import subprocess
import unittest

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from harness import LEVEL, Case, program, run

# Cases each way; the full count belongs to soak.
CASES = {"quick": 150, "all": 600, "soak": 6000}[LEVEL]


class Tokens(unittest.TestCase):
    def setUp(self):
        self.random = random.Random(2)
        self.oracle = subprocess.Popen([program("oracle")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.oracle.stdout.close)
        self.addCleanup(self.oracle.wait, 10)
        self.addCleanup(self.oracle.stdin.close)

    def ask(self, *fields):
        self.oracle.stdin.write(" ".join(map(str, fields)) + "\n")
        self.oracle.stdin.flush()
        return self.oracle.stdout.readline().rstrip("\n")

    def case(self):
        """A key, a time and a message; lengths gather around the blocks' ends."""
        length = self.random.choice((self.random.randrange(80), self.random.randrange(5000)))
        return Fernet.generate_key().decode(), self.random.randrange(1 << 33), self.random.randbytes(length)

    def test_our_tokens_open_there(self):
        for _ in range(CASES):
            key, now, message = self.case()
            answer = self.ask("fernet-enc", key, now, self.random.randbytes(16).hex(), message.hex() or "-")
            token = answer.removeprefix("ok ").encode()
            self.assertEqual(Fernet(key).extract_timestamp(token), now)
            self.assertEqual(Fernet(key).decrypt(token), message)

    def test_their_tokens_open_here(self):
        for _ in range(CASES):
            key, now, message = self.case()
            token = Fernet(key).encrypt_at_time(message, now).decode()
            others = [Fernet.generate_key().decode() for _ in range(self.random.randrange(3))]
            keys = [key, *others]
            self.random.shuffle(keys)
            self.assertEqual(self.ask("fernet-dec", ",".join(keys), "-", 0, token), "ok " + (message.hex() or "-"))
            if others:
                self.assertEqual(self.ask("fernet-dec", ",".join(others), "-", 0, token), "fail")

    def test_both_agree_on_age_and_damage(self):
        """The same verdict on tokens that are old, from the future, or altered in their bytes."""
        verdicts = {"ok": 0, "fail": 0}
        for _ in range(CASES):
            key, made, message = self.case()
            made += 1000
            now, ttl = made + self.random.randrange(-70, 70), self.random.randrange(70)
            token = bytearray(Fernet(key).encrypt_at_time(message, made))
            if self.random.randrange(4) == 0:
                place = self.random.randrange(len(token) - 4)
                token[place] = ord(self.random.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0189-_"))
            try:
                want = "ok " + (Fernet(key).decrypt_at_time(bytes(token), ttl, now).hex() or "-")
            except InvalidToken:
                want = "fail"
            self.assertEqual(self.ask("fernet-dec", key, ttl, now, token.decode()), want)
            verdicts[want.split()[0]] += 1
        self.assertTrue(all(n > CASES // 10 for n in verdicts.values()), verdicts)


class Command(Case):
    """satchel fernet needs no profile and no daemon."""

    def satchel(self, *args, stdin=b"", **more):
        env = {**os.environ, "SATCHEL_HOME": str(self.work / "nobody")}
        return run([program("satchel"), "fernet", *args], stdin=stdin, env=env, **more)

    def key(self, name):
        path = self.work / name
        self.satchel("keygen", "-o", path)
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        return path, Fernet(path.read_bytes().strip())

    def test_both_ways(self):
        path, fernet = self.key("both.key")
        token = self.satchel("encrypt", "--key", path, stdin=b"hello\0\n").out
        self.assertEqual(fernet.decrypt(token.strip()), b"hello\0\n")
        token = fernet.encrypt_at_time(b"from Python", 1000)
        self.assertEqual(self.satchel("decrypt", "--key", path, stdin=token).out, b"from Python")
        late = self.satchel("decrypt", "--key", path, "--ttl", "1m", stdin=token, expect=4)
        self.assertIn("older", late.errors)
        bad = self.satchel("decrypt", "--key", path, stdin=token[:-2] + b"A=", expect=6)
        self.assertEqual(bad.out, b"")

    def test_rotation(self):
        (old, old_fernet), (new, new_fernet) = self.key("old.key"), self.key("new.key")
        tokens = [old_fernet.encrypt_at_time(b"%d" % i, 1000 + i) for i in range(3)]
        tokens[1] = new_fernet.encrypt_at_time(b"1", 1001)
        lines = self.satchel("rotate", "--key", f"{new},{old}", stdin=b"\n".join(tokens) + b"\n").out.splitlines()
        for i, token in enumerate(lines):
            self.assertEqual(new_fernet.decrypt(token), b"%d" % i)
            self.assertEqual(new_fernet.extract_timestamp(token), 1000 + i)
        self.assertEqual(len(lines), 3)
        again = MultiFernet([old_fernet, new_fernet]).rotate(lines[0])
        self.assertEqual(self.satchel("decrypt", "--key", old, stdin=again).out, b"0")
        failed = self.satchel("rotate", "--key", new, stdin=b"\n".join(lines[:1] + tokens[:1]), expect=6)
        self.assertIn("line 2", failed.errors)
        self.assertEqual(failed.out, b"")

    def with_fd(self, data, option, *args, **more):
        read, write = os.pipe()
        os.write(write, data)
        os.close(write)
        try:
            return self.satchel(*args, option, read, pass_fds=(read,), **more)
        finally:
            os.close(read)

    def test_passphrase(self):
        salt = self.work / "salt"
        self.satchel("keygen", "--passphrase", "-o", salt)
        sealed, plain = self.work / "sealed", self.work / "plain"
        source = self.file(100000, "source")
        self.with_fd(b"correct horse\n", "--passphrase-fd", "encrypt", source, "--key", salt, "-o", sealed)
        self.with_fd(b"correct horse\n", "--passphrase-fd", "decrypt", sealed, "--key", salt, "-o", plain)
        self.assertEqual(plain.read_bytes(), source.read_bytes())
        self.assertEqual(plain.stat().st_mode & 0o777, 0o600)
        self.with_fd(b"wrong\n", "--passphrase-fd", "decrypt", sealed, "--key", salt, expect=6)

    def test_overwriting(self):
        (path, fernet), there = self.key("there.key"), self.file(5, "there")
        token = fernet.encrypt(b"new")
        self.satchel("decrypt", "--key", path, "-o", there, stdin=token, expect=4)
        self.assertEqual(there.stat().st_size, 5)
        self.satchel("decrypt", "--key", path, "-o", there, "--force", stdin=token)
        self.assertEqual(there.read_bytes(), b"new")

    def test_keys_by_descriptor_and_json(self):
        fernet_key = Fernet.generate_key()
        done = self.with_fd(fernet_key, "--key-fd", "encrypt", "--json", stdin=b"x").result
        self.assertEqual(Fernet(fernet_key).decrypt(done["token"]), b"x")
        self.assertEqual(done["size"], 1)
        opened = self.with_fd(fernet_key, "--key-fd", "decrypt", "--json", "-o", self.work / "x",
                              stdin=done["token"].encode()).result
        self.assertEqual((opened["size"], opened["key"], opened["time"]), (1, 1, done["time"]))

    def test_refusals(self):
        self.satchel("encrypt", stdin=b"x", expect=2)
        self.satchel("burn", expect=2)
        self.satchel("keygen", "file", expect=2)
        self.satchel("decrypt", self.work / "missing", "--key", self.work / "missing", expect=3)
        empty = self.file(0, "empty.key")
        self.satchel("encrypt", "--key", empty, stdin=b"x", expect=2)
        self.satchel("decrypt", "--json", "--key", empty, stdin=b"x", expect=2)


if __name__ == "__main__":
    unittest.main()
