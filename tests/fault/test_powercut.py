# SPDX-License-Identifier: Apache-2.0
"""Power cuts: a daemon's writes are recorded, and played again up to many moments, with what was not synced lost or
out of order.  What was acknowledged before the moment must be whole in each of these states."""
import os
import pathlib
import random
import shutil
import struct
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))

from harness import LEVEL, WAIT, Case, Daemon, User, make_file, program, run  # noqa: E402

STATES = {"quick": 60, "all": 600, "soak": 5000}[LEVEL]
ROUNDS = {"quick": 3, "all": 6, "soak": 12}[LEVEL]
SIZES = (0, 1000, 30_000, 300_000, 600_000)
MAGIC = 0x52435244


class PowerCut(Case):
    users = ()

    def mark(self, kind, tid):
        """Into the log, behind what has happened: tests/fault/record.h."""
        head = struct.pack("<IHHQQQQ", MAGIC, ord(kind), 0, 0, 0, len(tid), 0)
        with open(self.log, "ab", buffering=0) as log:
            log.write(head + tid.encode())

    def work_of(self, user, sources, rng):
        """One user's share of the load: sends, each marked when it was acknowledged."""
        for _ in range(ROUNDS):
            sent = user.send(rng.choice(sources), to=(self.reader,)).result["id"]
            self.mark("A", sent)

    def deletes(self, rng):
        for _ in range(ROUNDS):
            rows = self.reader.inbox()
            if not rows:
                continue
            tid = rng.choice(rows)["id"]
            self.mark("b", tid)
            self.reader.json("delete", tid)
            self.mark("x", tid)

    def test_replay(self):
        if "LD_PRELOAD" in os.environ or b"libasan" in pathlib.Path(program("satcheld")).read_bytes():
            self.skipTest("nothing can be preloaded into this build")
        seed = int(os.environ.get("SATCHEL_TEST_SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"seed {seed}: repeat with SATCHEL_TEST_SEED")
        self.log = self.work / "writes"
        self.log.touch()
        daemon = Daemon(self.work / "daemon").start()
        self.addCleanup(daemon.kill)
        senders = [User(daemon, self.work, name) for name in ("alice", "bob", "carol")]
        self.reader = User(daemon, self.work, "reader")
        for user in (*senders, self.reader):
            user.register()
        daemon.stop()
        base = self.work / "base"
        run(["cp", "-a", "--sparse=always", daemon.data, base])

        daemon.env = {"LD_PRELOAD": program("record.so"), "SATCHEL_RECORD": str(self.log),
                      "SATCHEL_RECORD_DATA": str(daemon.data.resolve())}
        daemon.start()
        sources = [make_file(self.work / f"source{size}", size) for size in SIZES]
        failures = []

        def guarded(work, *args):
            try:
                work(*args)
            except BaseException as error:  # noqa: B036 # it must reach the test's own thread
                failures.append(error)

        threads = [threading.Thread(target=guarded, args=(self.work_of, user, sources, random.Random(seed + n)))
                   for n, user in enumerate(senders)]
        threads.append(threading.Thread(target=guarded, args=(self.deletes, random.Random(seed))))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for source in sources[:2] * 4:  # what the redo log alone holds, whatever sizes chance chose
            self.mark("A", senders[0].send(source, to=(self.reader,)).result["id"])
        daemon.kill()
        self.assertEqual(failures, [])

        shm = pathlib.Path("/dev/shm")
        folder = shm if shm.is_dir() and os.access(shm, os.W_OK) else self.work
        work = folder / f"satchel-replay-{os.getpid()}"
        shutil.copytree(base, work, ignore=shutil.ignore_patterns("data.mdb", "lock.mdb", "*.sock"))
        self.addCleanup(shutil.rmtree, work)
        replay = [program("replay"), base, self.log, work, self.reader.uid]
        result = run([*replay, STATES, seed], timeout=WAIT * 20)
        print(result.text.strip())
        self.assertIn(f"{STATES} states", result.text)
        for liar in range(4):  # a disk that lies is noticed, whichever file it is
            run([*replay, 200, seed, liar], expect=1, timeout=WAIT * 20)
