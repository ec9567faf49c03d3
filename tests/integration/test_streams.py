# SPDX-License-Identifier: Apache-2.0
"""What has no length before its end: standard input and pipes, sent; standard output, received."""
import os
import subprocess
import threading

from harness import Case, make_file, program, sha256


class Streams(Case):
    def test_standard_input(self):
        for size in (0, 4097, 262144, 1_000_000):
            for more in ((), ("--no-padding",)):
                with self.subTest(size=size, more=more):
                    path = self.file(size)
                    sent = self.alice.send("-", "--name", "dump.tar", *more, to=(self.bob,),
                                           stdin=path.read_bytes()).result
                    self.assertEqual(sent["size"], size)
                    out = self.work / "out"
                    got = self.bob.get(sent["id"], "-o", out, "--force").result
                    self.assertEqual((got["size"], got["name"]), (size, "dump.tar"))
                    self.assertEqual(sha256(out), sha256(path))

    def test_without_a_name(self):
        self.alice.send("-", to=(self.bob,), stdin=b"some words")
        row = self.bob.inbox()[-1]
        self.assertEqual((row["name"], row["size"]), ("standard-input", 10))

    def test_a_pipe_in_drops(self):
        """A writer that comes late and writes in odd amounts."""
        pipe = self.work / "pipe"
        os.mkfifo(pipe)
        data = make_file(self.work / "data", 1_000_003).read_bytes()

        def write():
            with open(pipe, "wb", buffering=0) as to:
                for at in range(0, len(data), 37_777):
                    to.write(data[at:at + 37_777])

        writer = threading.Thread(target=write)
        sender = self.alice.start("send", pipe, "--to", "bob")
        writer.start()
        out, err = sender.communicate(timeout=120)
        writer.join()
        self.assertEqual(sender.returncode, 0, err)
        self.assertIn(b'"pipe"', out)
        tid = self.bob.inbox()[-1]["id"]
        self.assertEqual(self.bob.run("get", tid, "-o", "-").out, data)

    def test_stopped_in_the_middle(self):
        """Nothing is to be seen of a stream whose sender gives up."""
        before = len(self.bob.inbox())
        sender = subprocess.Popen([program("satchel"), "send", "-", "--to", "bob"], stdin=subprocess.PIPE,
                                  stderr=subprocess.PIPE, env={**os.environ, "SATCHEL_HOME": str(self.alice.home)})
        sender.stdin.write(bytes(2_000_000))
        sender.stdin.flush()
        sender.terminate()
        _, err = sender.communicate(timeout=60)
        self.assertEqual(sender.returncode, 130, err)
        self.assertEqual(len(self.bob.inbox()), before)

    def test_a_reader_that_goes(self):
        tid = self.alice.send(self.file(5_000_000), to=(self.bob,)).result["id"]
        getter = subprocess.Popen([program("satchel"), "get", tid, "-o", "-"], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, env={**os.environ, "SATCHEL_HOME": str(self.bob.home)})
        self.assertEqual(getter.stdout.read(1000), (self.work / "file.bin").read_bytes()[:1000])
        getter.stdout.close()
        err = getter.stderr.read()
        getter.stderr.close()
        self.assertEqual(getter.wait(60), 7, err)
        self.assertIn(b"cannot write", err)

    def test_not_to_be_read(self):
        writing = os.open(self.work / "w", os.O_WRONLY | os.O_CREAT)
        self.addCleanup(os.close, writing)
        result = subprocess.run([program("satchel"), "--json", "send", "-", "--to", "bob"], stdin=writing,
                                capture_output=True, env={**os.environ, "SATCHEL_HOME": str(self.alice.home)})
        self.assertEqual(result.returncode, 7)
        self.assertIn(b"not open for reading", result.stdout)


class Quota(Case):
    """A mailbox holds what has come of a stream, and a little more."""
    settings = {("store", "quota"): "4M"}

    def test_quota(self):
        with self.subTest("small ones fit"):
            for _ in range(3):
                self.alice.send("-", to=(self.bob,), stdin=bytes(1000))
        with self.subTest("as much as there is room for"):
            self.alice.send("-", to=(self.bob,), stdin=bytes(2_500_000))
        with self.subTest("and no more"):
            result = self.alice.send("-", to=(self.bob,), stdin=bytes(3_000_000), expect=4)
            self.assertEqual(result.error["code"], "quota")
            mine = self.alice.send("-", to=(self.carol,), stdin=bytes(3_000_000), expect=4).error
            self.assertIn("your own mailbox is full", mine["message"])
            self.assertIn("of 4.0 MiB were in use", mine["message"])
            self.assertIn("satchel delete", mine["hint"])
            his = self.carol.send("-", to=(self.bob,), stdin=bytes(3_000_000), expect=4).error
            self.assertIn("mailbox of 'bob' is full", his["message"])
            self.assertIn("send less", his["hint"])
        with self.subTest("it is said whose mailbox is full"):
            mine = self.alice.send(self.file(3_000_000), to=(self.bob,), expect=4).error
            self.assertIn("your own mailbox is full", mine["message"])
            self.assertIn("satchel delete", mine["hint"])
            his = self.carol.send(self.file(3_000_000), to=(self.bob,), expect=4).error
            self.assertEqual(his["message"], "the mailbox of 'bob' is full for this: it takes 2.9 MiB there")
            self.assertIn("make room", his["hint"])
            self.assertNotIn("try again", his["hint"])
        with self.subTest("what was given up is free again"):
            self.alice.send("-", to=(self.bob,), stdin=bytes(1_000_000))


class Name(Case):
    users = ("alice", "bob")

    def test_too_long(self):
        refused = self.alice.send("-", "--name", "n" * 256, to=(self.bob,), stdin=b"x", expect=2).error
        self.assertEqual(refused["message"], "the name has 256 bytes: a file's has at most 255")
        self.alice.send("-", "--name", "n" * 255, to=(self.bob,), stdin=b"x")


class Limit(Case):
    settings = {("limits", "max_transfer"): "1M"}
    users = ("alice", "bob")

    def test_limit(self):
        self.alice.send("-", "--no-padding", to=(self.bob,), stdin=bytes(1 << 20))
        result = self.alice.send("-", "--no-padding", to=(self.bob,), stdin=bytes((1 << 20) + 1), expect=4)
        self.assertEqual(result.error["code"], "toolarge")
        self.assertEqual(len(self.bob.inbox()), 1)
