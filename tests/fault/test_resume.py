# SPDX-License-Identifier: Apache-2.0
"""Interrupted sends and gets: killed clients, killed daemons, cut connections, full disks.  The same command, or the
command itself, goes on; files arrive identical; a piece that was acknowledged is not sent again."""
import contextlib
import json
import os
import pathlib
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))

from harness import LEVEL, SLOW, WAIT, Case, User, make_file, sha256  # noqa: E402

ROUNDS = {"quick": 3, "all": 10, "soak": 200}[LEVEL]
PIECE = 262144
MIB = 1 << 20
SIZES = (0, 1, PIECE, 5 * PIECE - 1, 3_000_000, 20_000_000)
SOAK_SIZES = (*SIZES, 100 * MIB, 300 * MIB)
ATTEMPTS = 12
RECORDED = 5 * PIECE  # from here on a send is recorded and a partial file kept, padding left aside


def events(out):
    return [json.loads(line) for line in out.splitlines() if line.startswith(b"{") and line.endswith(b"}")]


def pour(source, fd):
    """A file into a pipe, as long as somebody reads."""
    with contextlib.suppress(BrokenPipeError), open(fd, "wb") as pipe, open(source, "rb") as file:
        shutil.copyfileobj(file, pipe)


class Cutter:
    """A relay in front of a daemon, whose connections can be cut; it may cut by itself after so many bytes."""

    def __init__(self, port):
        self.port = port
        self.after = None  # bytes either way until the next cut
        self.cuts = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.relay, args=(near,), daemon=True).start()

    def relay(self, near):
        moved = 0
        with contextlib.suppress(OSError), near, socket.create_connection(("127.0.0.1", self.port)) as far:
            while True:
                for ready in select.select([near, far], [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    moved += len(data)
                    if self.after is not None and moved > self.after:
                        self.cuts += 1
                        return
                    (far if ready is near else near).sendall(data)

    def close(self):
        self.listener.close()


class Resume(Case):
    users = ("alice", "bob")

    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("SATCHEL_TEST_SEED", random.SystemRandom().randrange(1 << 32)))
        self.random = random.Random(seed)
        print(f"seed {seed}: repeat with SATCHEL_TEST_SEED")

    def interrupt(self, process, victim, moment):
        """At a moment that nothing names: the client, or the daemon, which comes back."""
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            if victim == "client":
                process.kill()
            else:
                self.daemon.kill()
                self.daemon.start()
        out, err = process.communicate(timeout=WAIT * 4)
        self.assertNotIn(b"Sanitizer", err, err.decode("utf-8", "replace"))
        self.assertIn(process.returncode, (0, 4, 5, -signal.SIGKILL), (victim, out[-2000:], err))
        return process.returncode, events(out)

    def until_done(self, start, victim, moments, recorded):
        """The same command until it succeeds; what was acknowledged in one attempt is kept in the next."""
        acknowledged, begun = 0, None
        for attempt in range(ATTEMPTS):
            moment = self.random.uniform(0, moments) if attempt < 3 else WAIT * 4
            code, said = self.interrupt(start(), victim, moment)
            progress = [item for item in said if item.get("event") == "progress"]
            done = max((item["done"] // PIECE for item in progress), default=0)
            ids = {item["id"] for item in progress if item["id"]}
            if code == 0:
                (result,) = [item["result"] for item in said if "result" in item]
                if recorded and begun == result["id"]:
                    self.assertGreaterEqual(result["kept_pieces"], acknowledged)
                return result
            if code == 4:  # killed between the file's coming into its place and the receipt's leaving
                self.assertEqual((said[-1]["error"]["code"], victim, attempt > 0), ("exists", "client", True),
                                 (moment, said))
                return None
            if ids:
                (now,) = ids
                acknowledged = max(acknowledged, done) if now == begun else done
                begun = now
        raise AssertionError("it never ended")

    def sends_file(self, source, *limit):
        return self.alice.start("send", source, "--to", "bob", *limit)

    def sends_pipe(self, source, *limit):
        reading, writing = os.pipe()
        threading.Thread(target=pour, args=(source, writing), daemon=True).start()
        try:
            return self.alice.start("send", "-", "--name", source.name, "--to", "bob", *limit, stdin=reading)
        finally:
            os.close(reading)

    def one_round(self, number):
        size = self.random.choice(SOAK_SIZES if LEVEL == "soak" else SIZES)
        source = make_file(self.work / f"round{number}", size, number)
        victim = self.random.choice(("client", "daemon"))
        moments = self.random.choice((0.1, 0.4, 1.0)) * SLOW
        limit = ("--limit-rate", str(max(size, 1000))) if self.random.random() < 0.5 else ()
        piped = victim == "daemon" and self.random.random() < 0.4  # a pipe outlives only what its reader does
        recorded = size >= RECORDED and not piped
        send = self.sends_pipe if piped else self.sends_file
        sent = self.until_done(lambda: send(source, *limit), victim, moments, recorded)
        self.assertIsNotNone(sent)
        self.assertEqual(sent["size"], size)
        if recorded:
            self.assertGreaterEqual(sent["sent_pieces"] + sent["kept_pieces"], size // PIECE + 1)
        out = self.work / f"got{number}"
        got = self.until_done(lambda: self.bob.start("get", sent["id"], "-o", out, *limit), victim, moments, False)
        if got is not None:
            self.assertTrue(got["verified"])
        self.assertEqual(sha256(out), sha256(source))
        self.assertEqual(list(self.work.glob(".*satchel-part")), [])
        source.unlink()
        out.unlink()

    def test_rounds(self):
        for number in range(ROUNDS):
            with self.subTest(round=number):
                self.one_round(number)
        for user in (self.alice, self.bob):
            self.assertEqual(list(user.home.rglob("upload-*")), [], "a record of an upload is left")

    def behind_relay(self, name):
        relay = Cutter(self.daemon.port)
        self.addCleanup(relay.close)
        user = User(self.daemon, self.work, name)
        user.json("register", "--server", relay.address, "--name", name, "--email", user.email, "--pin",
                  self.daemon.pin, "--no-passphrase")
        return relay, user

    def test_cut_streams(self):
        """Also of what cannot be read again."""
        relay, dave = self.behind_relay("dave")
        path = self.file(8_000_000)
        folder = self.folder_of("folder")
        for number in range(40):
            shutil.copy(path, folder / str(number)) if number < 2 else (folder / str(number)).write_text(str(number))
        relay.after = 3_000_000
        for source, options in (("-", {"stdin": path.read_bytes()}), (folder, {})):
            cuts = relay.cuts
            sent = dave.send(source, *(("--name", "pipe") if options else ()), to=("bob",), **options)
            self.assertGreaterEqual(relay.cuts, cuts + 2)
            self.assertIn("retry", [item.get("event") for item in sent.objects])
            self.bob.get(sent.result["id"], "-o", self.work / "got")
            got = self.work / "got"
            for pair in ((got, path),) if options else [(got / item.name, item) for item in folder.iterdir()]:
                self.assertEqual(*map(sha256, pair))
            shutil.rmtree(got) if got.is_dir() else got.unlink()

    def test_cut_connections(self):
        """The command itself goes on, as often as the line breaks."""
        relay, carol = self.behind_relay("carol")
        path = self.file(8_000_000)
        relay.after = 3_000_000
        sent = carol.send(path, to=(carol,)).result
        cuts = relay.cuts
        self.assertGreaterEqual(cuts, 2)
        got = carol.get(sent["id"], "-o", self.work / "got")
        self.assertGreater(relay.cuts, cuts)
        self.assertIn("retry", [item.get("event") for item in got.objects])
        self.assertEqual(sha256(self.work / "got"), sha256(path))

    def test_full_disk(self):
        """A disk that is too small is noticed before an open is spent; a get goes on when there is room."""
        small = self.folder_of("small")
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(small)], check=False,
                          capture_output=True).returncode != 0:
            self.skipTest("cannot mount a file system")
        self.addCleanup(subprocess.run, ["umount", str(small)], check=False)
        path = self.file(6_000_000)
        tid = self.alice.send(path, "--opens", "1", to=(self.bob,)).result["id"]
        refused = self.bob.get(tid, "-o", f"{small}/", expect=7)
        self.assertIn("no room", refused.error["message"])
        self.assertEqual(os.listdir(small), [])
        (row,) = [row for row in self.bob.inbox() if row["id"] == tid]
        self.assertEqual(row["state"], "stored")
        subprocess.run(["mount", "-o", "remount,size=16m", str(small)], check=True)
        self.bob.get(tid, "-o", f"{small}/")
        self.assertEqual(sha256(small / path.name), sha256(path))

    def test_several_ids(self):
        """A result line for each, in order; the exit code is that of the first failure."""
        ids = [self.alice.send(self.file(1000 + n, f"several{n}"), to=(self.bob,)).result["id"] for n in range(2)]
        out = self.folder_of("several")
        result = self.bob.json("get", ids[0], "ffffffff", ids[1], "-o", out, expect=3)
        self.assertEqual([item["id"] for item in result.results], ids)
        self.assertEqual(len(os.listdir(out)), 2)
        shutil.rmtree(out)
