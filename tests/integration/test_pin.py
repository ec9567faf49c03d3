# SPDX-License-Identifier: Apache-2.0
"""Another certificate for a daemon, announced before it comes."""
import shutil

from harness import Case, Daemon, User, program, run


class NextPin(Case):
    users = ("alice", "bob")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.number = 0

    def certificate(self):
        """A fresh certificate and key, as init makes them; and the pin."""
        NextPin.number += 1
        folder = self.folder / f"other-{self.number}"
        folder.mkdir()
        run(["/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-keyout", folder / "key", "-out", folder / "crt", "-days", "30", "-subj", "/CN=satcheld"])
        return folder

    def settings_of(self, user):
        text = (user.home / "profiles" / "default" / "settings").read_text()
        return dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line)

    def pins(self, user):
        found = self.settings_of(user)
        return found["pin"], found.get("next-pin")

    def announce(self, certificate):
        self.daemon.configure({("tls", "next_certificate"): certificate})
        self.daemon.reload()

    def change(self, folder):
        self.daemon.configure({("tls", "certificate"): folder / "crt", ("tls", "key"): folder / "key",
                               ("tls", "next_certificate"): None})
        self.daemon.reload()

    def next_pin(self):
        return run([program("satcheld"), "pin", "--next", "--config", self.daemon.config]).text.strip()

    def notices(self, result):
        return [item["message"] for item in result.objects if item.get("event") == "pin"]

    def test_announced(self):
        other, old = self.certificate(), self.daemon.pin
        self.announce(other / "crt")
        new = self.next_pin()
        self.assertNotEqual(new, old)
        self.alice.json("inbox")
        self.assertEqual(self.pins(self.alice), (old, new))
        late = User(self.daemon, self.work, "late")  # registers after the announcement
        late.register()
        self.assertEqual(self.pins(late), (old, new))
        self.change(other)
        self.assertEqual(self.daemon.pin, new)
        (said,) = self.notices(self.alice.json("inbox"))
        self.assertIn(new, said)
        self.assertEqual(self.pins(self.alice), (new, None))
        self.assertEqual(self.notices(self.alice.json("inbox")), [])  # once
        self.assertEqual(len(self.notices(late.json("inbox"))), 1)
        # bob has not been there in between.
        refused = self.bob.json("inbox", expect=4).error
        self.assertEqual(refused["code"], "pin")
        self.assertIn(old, refused["message"])
        self.assertIn(new, refused["message"])
        self.assertEqual(self.pins(self.bob), (old, None))
        self.change_back(other, old)

    def change_back(self, other, old):
        """By the same way, for the tests that come after; bob still has the first pin."""
        own = self.daemon.data / "tls.crt"
        self.daemon.configure({("tls", "next_certificate"): own})
        self.daemon.reload()
        self.alice.json("inbox")
        self.daemon.configure({("tls", "certificate"): None, ("tls", "key"): None, ("tls", "next_certificate"): None})
        self.daemon.reload()
        self.assertEqual(len(self.notices(self.alice.json("inbox"))), 1)
        self.assertEqual(self.pins(self.alice), (old, None))
        self.bob.json("inbox")

    def test_taken_back(self):
        other, old = self.certificate(), self.daemon.pin
        self.announce(other / "crt")
        self.bob.json("inbox")
        self.assertEqual(self.pins(self.bob)[1], self.next_pin())
        self.announce(None)
        self.bob.json("inbox")
        self.assertEqual(self.pins(self.bob), (old, None))
        run([program("satcheld"), "pin", "--next", "--config", self.daemon.config], expect=1)

    def test_neither(self):
        """A third key is nobody's."""
        other, third = self.certificate(), self.certificate()
        self.announce(other / "crt")
        self.bob.json("inbox")
        before = self.pins(self.bob)
        self.assertIsNotNone(before[1])
        fake = Daemon(self.work / "fake")
        shutil.copy(third / "crt", fake.data / "tls.crt")
        shutil.copy(third / "key", fake.data / "tls.key")
        fake.start()
        self.addCleanup(fake.kill)
        settings = self.bob.home / "profiles" / "default" / "settings"
        text = settings.read_text()
        try:
            settings.write_text(text.replace(self.daemon.server, fake.server))
            refused = self.bob.json("inbox", expect=4).error
        finally:
            settings.write_text(text)
        self.assertEqual(refused["code"], "pin")
        self.assertIn(before[0], refused["message"])
        self.assertEqual(self.pins(self.bob), before)
        self.announce(None)
        self.bob.json("inbox")

    def test_the_present_one_is_no_news(self):
        old = self.daemon.pin
        self.announce(self.daemon.data / "tls.crt")
        self.assertEqual(self.notices(self.bob.json("inbox")), [])
        self.assertEqual(self.pins(self.bob), (old, None))
        self.announce(None)

    def test_not_a_certificate(self):
        broken = self.work / "broken"
        broken.write_text("no certificate\n")
        good = self.daemon.config.read_text()
        try:
            for path, word in ((broken, "broken"), (self.work / "none", "none")):
                self.daemon.configure({("tls", "next_certificate"): path})
                self.assertIn("old settings", self.daemon.ctl("reload", expect=None).errors)
                said = run([program("satcheld"), "check-config", self.daemon.config], expect=1)
                self.assertIn(word, said.text + said.errors)
                run([program("satcheld"), "pin", "--next", "--config", self.daemon.config], expect=1)
        finally:
            self.daemon.config.write_text(good)
        self.alice.json("inbox")
        run([program("satcheld"), "pin", "--later", "--config", self.daemon.config], expect=2)
