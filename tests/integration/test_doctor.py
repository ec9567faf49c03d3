# SPDX-License-Identifier: Apache-2.0
"""satchel doctor: what it says of what is wrong, and what to do."""
import socket
import threading

from harness import Case, User, run, program


class Doctor(Case):
    users = ("alice", "bob")
    settings = {("store", "quota"): "1M", ("limits", "max_lifetime"): "10d"}

    def checks(self, user, expect=0):
        said = user.json("doctor", expect=expect)
        checks = next(item for item in said.objects if "checks" in item.get("result", item))
        return {check["name"]: check for check in checks.get("result", checks)["checks"]}

    def test_all_is_well(self):
        self.assertEqual({check["verdict"] for check in self.checks(self.alice).values()}, {"ok"})

    def test_nothing_there(self):
        nobody = User(self.daemon, self.work, "nobody")
        checks = self.checks(nobody, expect=3)
        self.assertEqual(checks["profile"]["verdict"], "failed")
        self.assertIn(f"there is no folder '{nobody.home}", checks["profile"]["detail"])
        self.assertIn("satchel register", checks["profile"]["hint"])
        self.assertEqual(checks["permissions"]["verdict"], "skipped")
        self.assertFalse(nobody.home.exists())

    def test_a_home_that_cannot_be_read(self):
        nobody = User(self.daemon, self.work, "nobody")
        nobody.home.write_text("a file in its place")
        error = nobody.json("doctor", expect=7).error
        self.assertIn(str(nobody.home), error["message"])
        self.assertIn("--home", error["hint"])

    def test_a_profile_that_cannot_be_read(self):
        nobody = User(self.daemon, self.work, "nobody")
        (nobody.home / "profiles").mkdir(parents=True)
        (nobody.home / "profiles" / "default").write_text("a file in its place")
        checks = self.checks(nobody, expect=7)
        self.assertEqual(checks["profile"]["verdict"], "failed")
        self.assertIn("must be yours to read", checks["profile"]["hint"])

    def test_quota(self):
        """How full the mailbox is, in words, and when it is nearly full."""
        sent = [self.bob.send(self.file(400_000, seed=1), to=(self.alice,)).result["id"]]
        quota = self.checks(self.alice)["quota"]
        self.assertEqual(quota["verdict"], "ok")
        self.assertRegex(quota["detail"], r"^\d{3}\.\d KiB of 1\.0 MiB in the mailbox$")
        sent.append(self.bob.send(self.file(550_000, seed=2), to=(self.alice,)).result["id"])
        quota = self.checks(self.alice)["quota"]
        self.assertEqual(quota["verdict"], "warning")
        self.assertIn("nearly full", quota["detail"])
        self.assertIn("delete", quota["hint"])
        for tid in sent:
            self.alice.json("delete", tid)
        self.assertEqual(self.checks(self.alice)["quota"]["verdict"], "ok")

    def test_lifetime(self):
        """A server that keeps transfers longer than old keys are kept here."""
        limits = self.checks(self.alice)["limits"]
        self.assertEqual(limits["verdict"], "ok")
        self.assertIn("kept for up to 10 days", limits["detail"])
        self.daemon.stop()
        self.daemon.configure({("limits", "max_lifetime"): "90d"})
        self.daemon.start()
        try:
            checks = self.checks(self.alice)
            self.assertEqual(checks["limits"]["verdict"], "warning")
            self.assertIn("kept for up to 90 days: longer than old keys are kept here, 60 days",
                          checks["limits"]["detail"])
            self.assertIn("raise 'lifetime'", checks["limits"]["hint"])
            self.assertEqual(checks["uploads"]["verdict"], "ok")  # and the row behind it is told
        finally:
            self.daemon.stop()
            self.daemon.configure({("limits", "max_lifetime"): "10d"})
            self.daemon.start()

    def test_another_port(self):
        """Whatever answers there does not speak TLS."""
        listener = socket.create_server(("127.0.0.1", 0))

        def answer():
            with listener, listener.accept()[0] as peer:
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        refused = run([program("satchel"), "--json", "--home", self.work / "x", "register", "--server",
                       f"127.0.0.1:{listener.getsockname()[1]}", "--name", "x", "--email", "x@example.org",
                       "--no-passphrase"], expect=5).error
        thread.join()
        self.assertIn("does not speak TLS", refused["message"])
        self.assertIn("satcheld", refused["hint"])
