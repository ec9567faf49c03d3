# SPDX-License-Identifier: Apache-2.0
"""Thousands of connections that do nothing: little memory each, and others are served as ever."""
import pathlib
import resource
import socket
import ssl
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))

from harness import LEVEL, WAIT, Case, sha256  # noqa: E402

MANY = {"quick": 200, "all": 2000, "soak": 8000}[LEVEL]
KIB_EACH = 40  # of the daemon; a sanitizer's build keeps far more, and is not measured


class Many(Case):
    users = ("alice", "bob")
    settings = {("limits", "connections"): "10000", ("limits", "connections_per_address"): "10000",
                ("limits", "handshakes"): "100000", ("limits", "handshakes_per_address"): "100000",
                ("timeouts", "login"): "10m"}

    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < MANY + 200:
            self.skipTest(f"only {hard} descriptors")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, MANY + 200), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    def private_kib(self):
        for line in pathlib.Path(f"/proc/{self.daemon.process.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1])
        self.fail("no RssAnon")

    def open_one(self, context):
        host, port = self.daemon.address, self.daemon.port
        raw = socket.create_connection((host, port), timeout=WAIT)
        return context.wrap_socket(raw)

    def test_idle_connections(self):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.set_alpn_protocols(["satchel/1"])
        before = self.private_kib()
        idle = [self.open_one(context) for _ in range(MANY)]
        try:
            each = (self.private_kib() - before) / MANY
            print(f"{MANY} connections, {each:.1f} KiB of the daemon's memory each")
            path = self.file(3_000_000)
            sent = self.alice.send(path, to=(self.bob,)).result["id"]
            self.bob.get(sent, "-o", self.work / "got")
            self.assertEqual(sha256(self.work / "got"), sha256(path))
            if b"libasan" not in pathlib.Path(f"/proc/{self.daemon.process.pid}/maps").read_bytes():
                self.assertLess(each, KIB_EACH)
            self.assertIn('"refused":0', self.daemon.ctl("--json", "status").text.replace(" ", ""))
        finally:
            for one in idle:
                one.close()
        self.alice.send(path, to=(self.bob,))
