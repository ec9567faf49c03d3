# SPDX-License-Identifier: Apache-2.0
"""One-time passwords, as oathtool and the user's paper give them."""
import json
import os
import re
import subprocess
import time

from harness import SLOW, WAIT, Case, User, program, with_fd

STEP = 30


class Authenticator:
    """What a user's telephone knows; its clock is that of the first code."""

    def __init__(self, key):
        self.key = key
        self.step = int(time.time()) // STEP
        self.recovery = []

    def code(self, n=0):
        """Of the step ${n} behind the first: 0 and 1 count until the clock has moved on by a step."""
        moment = f"@{(self.step + n) * STEP}"
        return subprocess.run(["oathtool", "--totp", "--base32", "--now", moment, self.key], check=True,
                              stdout=subprocess.PIPE, text=True, timeout=WAIT).stdout.strip()

    def wrong(self):
        """Six digits that do not count while code(0) or code(1) may."""
        right = {self.code(n) for n in range(-2, 4)}
        return next(digits for digits in ("000000", "111111", "222222", "333333", "444444", "555555", "666666")
                    if digits not in right)


class Factor(Case):
    users = ("alice",)

    def person(self, name, *args):
        user = User(self.daemon, self.work, name)
        user.register(*args)
        return user

    def enrol(self, user):
        """What a program does: reads the key, computes a code of it, hands it in."""
        read, write = os.pipe()
        process = subprocess.Popen([program("satchel"), "--json", "factor", "totp", "enrol", "--otp-fd", str(read)],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=(read,), text=True,
                                   env={**os.environ, "SATCHEL_HOME": str(user.home)})
        os.close(read)
        key = self.event(process)
        phone = Authenticator(key["secret"])
        os.write(write, (phone.code() + "\n").encode())
        os.close(write)
        codes = self.event(process)
        phone.recovery = codes["codes"]
        self.assertEqual(self.event(process), {"result": {"kind": "totp", "active": True}})
        _, errors = process.communicate(timeout=WAIT)
        self.assertEqual(process.returncode, 0, errors)
        label = f"Satchel:{user.name}@127.0.0.1%3A{self.daemon.port}"
        self.assertEqual(key["uri"], f"otpauth://totp/{label}?secret={phone.key}&issuer=Satchel&algorithm=SHA1"
                                     "&digits=6&period=30")
        return phone

    @staticmethod
    def event(process):
        return json.loads(process.stdout.readline())

    def get(self, user, tid, code, **options):
        return with_fd(code, "--otp-fd", user.get, tid, "-o", f"{self.folder_of(os.urandom(4).hex())}/", **options)

    def test_transfer_that_asks_for_a_code(self):
        bob, source = self.person("bob"), self.file(300000)
        tid = self.alice.send(source, "--require-otp", to=[bob]).result["id"]
        self.assertEqual(bob.inbox()[0]["name"], source.name)
        refused = self.get(bob, tid, "123456", expect=4)
        self.assertIn("enrolled none", refused.error["message"])
        self.assertIn("satchel factor totp enrol", refused.error["hint"])
        refused = bob.get(tid, "-o", f"{self.folder_of('before')}/", expect=4)
        self.assertIn("satchel factor totp enrol", refused.error["hint"])
        phone = self.enrol(bob)
        self.assertEqual(len(phone.recovery), 10)
        refused = bob.get(tid, "-o", f"{self.folder_of('none')}/", expect=4)
        self.assertEqual(refused.error["code"], "factor")
        self.assertIn("one-time password", refused.error["message"])
        self.assertIn("--otp-fd", refused.error["hint"])
        self.get(bob, tid, phone.code(0), expect=4)  # used to enrol
        self.assertEqual(self.get(bob, tid, phone.code(1)).result["size"], 300000)
        self.get(bob, tid, phone.code(1), expect=4)  # works once
        self.assertEqual(self.get(bob, tid, phone.recovery[0]).result["size"], 300000)
        listed = bob.json("factor", "list").result["factors"]
        self.assertEqual([(f["kind"], f["active"], f["recovery_codes"]) for f in listed], [("totp", True, 9)])
        self.assertEqual(bob.run("factor").text.count("active"), 1)

    def test_a_one_time_password_does_not_wait(self):
        """It would be stale by then: the command ends, and says when another counts, and what does not wait."""
        ivo, source = self.person("ivo"), self.file(10)
        tid = self.alice.send(source, "--require-otp", to=[ivo]).result["id"]
        phone = self.enrol(ivo)
        for n in range(12):  # behind five wrong ones two minutes pass, however slow this is
            refused = self.get(ivo, tid, f"0000{n:02}", expect=4)
            if refused.error["code"] == "rate":
                break
            self.assertEqual(refused.error["code"], "factor")
        self.assertEqual(refused.error["code"], "rate")
        self.assertRegex(refused.error["hint"], r"^try again in \d+ (second|minute)s? with a new one-time password; "
                                                "a recovery code does not wait")
        self.assertEqual(self.get(ivo, tid, phone.recovery[0]).result["size"], 10)

    def test_what_is_no_code(self):
        """Neither form of a code: told here, and no try of it at the server."""
        jon, source = self.person("jon"), self.file(10)
        tid = self.alice.send(source, "--require-otp", to=[jon]).result["id"]
        phone = self.enrol(jon)
        for typed in ("abc", "12345", "1234567", "12345a", "ABCD-EFGH-IJKL-MNO", "ABCD-EFGH-IJKL-MN01"):
            refused = self.get(jon, tid, typed, expect=4).error
            self.assertEqual(refused["code"], "factor")
            self.assertIn("neither a one-time password", refused["message"])
        refused = with_fd("abc", "--otp-fd", jon.json, "factor", "totp", "remove", expect=4).error
        self.assertIn("neither a one-time password", refused["message"])
        first, second = phone.code(1)[:3], phone.code(1)[3:]
        self.assertEqual(self.get(jon, tid, f"{first} {second}").result["size"], 10)

    def test_a_code_waits_behind_wrong_ones(self):
        """After five tries a minute the command waits its turn, with the recovery code that it was given."""
        ina, source = self.person("ina"), self.file(10)
        tid = self.alice.send(source, "--require-otp", to=[ina]).result["id"]
        phone = self.enrol(ina)  # the first try
        for n in range(4):
            self.get(ina, tid, f"00000{n}", expect=4)
        self.assertEqual(self.get(ina, tid, phone.recovery[0]).result["size"], 10)

    def test_deleting_the_account(self):
        """Whoever has the device could have enrolled it: a fresh factor proves nothing, the words do."""
        hilde = self.person("hilde")
        phone = self.enrol(hilde)
        refused = hilde.json("account", "delete", "--yes", "hilde", expect=4).error
        self.assertEqual(refused["code"], "factor")
        self.assertIn("--words-fd", refused["hint"])
        for code in ("123456", phone.code(1), phone.recovery[0]):
            refused = with_fd(code, "--otp-fd", hilde.json, "account", "delete", "--yes", "hilde", expect=4).error
            self.assertIn("7 days", refused["message"])
        self.assertEqual(hilde.json("factor").result["factors"][0]["recovery_codes"], 10)
        hilde.leave()
        hilde.json("whoami", expect=3)

    def test_removing(self):
        dave = self.person("dave")
        dave.json("factor", "totp", "remove", expect=3)
        phone = self.enrol(dave)
        dave.json("factor", "totp", "enrol", expect=4)
        dave.json("factor", "totp", "remove", expect=4)
        with_fd("abandon " * 23 + "art", "--recovery-fd", dave.json, "factor", "totp", "remove", expect=4)
        with_fd("no words at all", "--recovery-fd", dave.json, "factor", "totp", "remove", expect=2)
        with_fd(dave.words, "--recovery-fd", dave.json, "factor", "totp", "remove")
        self.assertEqual(dave.json("factor").result["factors"], [])
        phone = self.enrol(dave)
        with_fd(phone.recovery[9].lower(), "--otp-fd", dave.json, "factor", "totp", "remove")

    def test_what_is_shown_on_paper(self):
        """Without --json: the key and the codes as text; a pipe gets no QR code."""
        emil = self.person("emil")
        read, write = os.pipe()
        process = subprocess.Popen([program("satchel"), "factor", "totp", "enrol", "--otp-fd", str(read)],
                                   stdout=subprocess.PIPE, pass_fds=(read,), text=True,
                                   env={**os.environ, "SATCHEL_HOME": str(emil.home)})
        os.close(read)
        process.stdout.readline()
        phone = Authenticator(process.stdout.readline().strip())
        self.assertRegex(phone.key, r"^[A-Z2-7]{32}$")
        os.write(write, phone.code().encode())
        os.close(write)
        out, _ = process.communicate(timeout=WAIT * SLOW)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(len(re.findall(r"^  [A-Z2-7]{4}(?:-[A-Z2-7]{4}){3}$", out, re.MULTILINE)), 10)
