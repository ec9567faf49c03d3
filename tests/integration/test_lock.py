# SPDX-License-Identifier: Apache-2.0
"""Passphrases: changing them, also when the power goes, and doing without for a time."""
import os
import pathlib
import shutil
import signal
import socket
import time

from harness import LEVEL, TREE, WAIT, Case, Failed, Terminal, User, program, run, with_fd


class Locked(Case):
    users = ("alice",)

    def setUp(self):
        super().setUp()
        self.runtime = self.folder_of("run")
        self.runtime.chmod(0o700)
        self.env = {"XDG_RUNTIME_DIR": str(self.runtime)}

    def call(self, user, *args, passphrases=(), env=None, **options):
        """With a descriptor for each of the passphrases: --passphrase-fd, then --new-fd."""
        fds, extra = [], []
        for option, text in zip(("--passphrase-fd", "--new-fd"), passphrases):
            read, write = os.pipe()
            os.write(write, text.encode() + b"\n")
            os.close(write)
            fds.append(read)
            extra += [option, str(read)]
        try:
            return user.json(*args, *extra, pass_fds=fds, env={**self.env, **(env or {})}, **options)
        finally:
            for fd in fds:
                os.close(fd)

    def set_first(self, user, passphrase):
        read, write = os.pipe()
        os.write(write, passphrase.encode() + b"\n")
        os.close(write)
        try:
            changed = user.json("passphrase", "--new-fd", str(read), pass_fds=(read,), env=self.env).result
        finally:
            os.close(read)
        self.assertEqual(changed, {"passphrase": True, "renewed": False})

    def person(self, name, passphrase="first"):
        """Registered without a passphrase, which is set afterwards: scrypt may take its time on a busy machine."""
        user = User(self.daemon, self.work, name)
        user.register()
        self.set_first(user, passphrase)
        return user

    def opens_with(self, user, passphrase, **options):
        return self.call(user, "contacts", passphrases=(passphrase,), **options)

    def test_change(self):
        bob = self.person("bob")
        self.call(bob, "contacts", "add", "alice", passphrases=("first",))
        self.call(bob, "passphrase", passphrases=("wrong", "second"), expect=4)
        changed = self.call(bob, "passphrase", passphrases=("first", "second")).result
        self.assertEqual(changed, {"passphrase": True, "renewed": False})
        self.opens_with(bob, "first", expect=4)
        self.call(bob, "passphrase", "--none", passphrases=("second",))
        self.assertEqual(self.call(bob, "contacts").result["contacts"][0]["name"], "alice")

    def test_a_lost_one(self):
        """What is said then is what helps."""
        lena = self.person("lena")
        refused = self.opens_with(lena, "wrong", expect=4).error
        self.assertEqual(refused["code"], "passphrase")
        self.assertIn("'satchel recover --profile NEW'", refused["hint"])
        with_fd(lena.words, "--words-fd", lena.json, "recover", "--profile", "new", "--server", self.daemon.server,
                "--name", "lena", "--pin", self.daemon.pin, "--no-passphrase")
        self.assertEqual(lena.json("whoami", "--profile", "new").result["user_id"], lena.uid)

    def test_completion_asks_nothing(self):
        """A TAB is no command: where it takes a passphrase to know names, none are offered."""
        nora = self.person("nora")
        self.call(nora, "contacts", "add", "alice", passphrases=("first",))
        asked = self.work / "asked"
        asking = self.work / "ask"
        asking.write_text(f"#!/bin/sh\n: >{asked}\necho first\n")
        asking.chmod(0o700)
        script = TREE / "deploy" / "completions" / "satchel.bash"
        line = (f"source {script}; COMP_WORDS=(satchel send --to ''); COMP_CWORD=3; _satchel; "
                'echo "<${COMPREPLY[*]}>"')
        path = f"{pathlib.Path(program('satchel')).parent}:{os.environ['PATH']}"

        def complete(**env):
            terminal = Terminal(nora, "-c", line, command="bash", env={**self.env, "PATH": path, **env})
            self.assertNotEqual(terminal.until("<[a-z]*>|Passphrase").group(), "Passphrase")
            return terminal.end().strip()

        self.assertEqual(complete(), "<>")
        self.assertEqual(complete(SATCHEL_ASKPASS=str(asking)), "<>")
        self.assertFalse(asked.exists())
        self.call(nora, "unlock", passphrases=("first",))
        self.assertEqual(complete(), "<alice>")
        self.call(nora, "lock")
        for name in ("_satchel", "satchel.fish"):
            self.assertIn(" --passphrase-fd 0 ", (script.parent / name).read_text())

    def test_renew_makes_old_copies_worthless(self):
        carl = self.person("carl")
        self.call(carl, "contacts", "add", "alice", passphrases=("first",))
        profile = carl.home / "profiles" / "default"
        stolen = self.work / "stolen"
        shutil.copytree(carl.home, stolen)
        before = {p.name for p in (profile / "records").iterdir()}
        self.call(carl, "passphrase", "--renew", passphrases=("first", "second"))
        # The thief knows the old keys and copies what is written from now on.
        old = stolen / "profiles" / "default" / "records"
        shutil.rmtree(old)
        shutil.copytree(profile / "records", old)
        thief = User(self.daemon, self.work, "stolen")
        self.opens_with(thief, "first", expect=7)
        self.assertEqual([c["name"] for c in self.opens_with(carl, "second").result["contacts"]], ["alice"])
        after = {p.name for p in (profile / "records").iterdir()}
        self.assertEqual(len(after - before), 1)  # what says how the others are called
        self.assertFalse((profile / "renew").exists())
        # It is still good for writing and for sending; and once more.
        self.call(carl, "send", self.file(10), "--to", "alice", passphrases=("second",))
        self.call(carl, "passphrase", "--renew", passphrases=("second", "third"))
        self.opens_with(carl, "third")

    def killed_at(self, user, n):
        """Renew, and die at the n-th rename; False: it came to its end before."""
        read = [os.pipe() for _ in range(2)]
        for (_, write), text in zip(read, (b"first\n", b"second\n")):
            os.write(write, text)
            os.close(write)
        fds = [fd for fd, _ in read]
        trace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=rename",
                 "-e", f"inject=rename:signal=KILL:when={n}"]
        try:
            done = run([*trace, program("satchel"), "passphrase", "--renew", "--passphrase-fd", fds[0], "--new-fd",
                        fds[1]], expect=0, pass_fds=fds,
                       env={**os.environ, "SATCHEL_HOME": str(user.home), "ASAN_OPTIONS": "detect_leaks=0"})
        except Failed:
            return True
        finally:
            for fd in fds:
                os.close(fd)
        return done.code != 0

    def test_killed_while_renewing(self):
        dora = self.person("dora")
        self.call(dora, "contacts", "add", "alice", passphrases=("first",))
        safe = self.work / "safe"
        shutil.copytree(dora.home, safe)
        moments = {"quick": (3, 8), "all": range(1, 40), "soak": range(1, 40)}[LEVEL]
        outcomes = set()
        for n in moments:
            shutil.rmtree(dora.home)
            shutil.copytree(safe, dora.home)
            if not self.killed_at(dora, n):
                self.assertGreater(n, 8)
                break
            good = [text for text in ("second", "first") if self.opens_with(dora, text, expect=None).code == 0]
            self.assertEqual(len(good), 1, f"killed at rename {n}")
            outcomes.add(good[0])
            self.assertFalse((dora.home / "profiles" / "default" / "renew" / "ready").exists())
        if LEVEL != "quick":  # every moment, so both ends are seen
            self.assertEqual(outcomes, {"first", "second"})

    # ---- the agent ----

    def agents(self):
        folder = self.runtime / "satchel"
        return sorted(folder.iterdir()) if folder.exists() else []

    def wait_for_end(self):
        deadline = time.monotonic() + WAIT
        while self.agents():
            self.assertLess(time.monotonic(), deadline, "the agent does not end")
            time.sleep(0.05)

    def test_unlock_and_lock(self):
        emil = self.person("emil")
        self.call(emil, "whoami", expect=4)
        self.call(emil, "unlock", passphrases=("wrong",), expect=4)
        self.assertEqual(self.agents(), [])
        self.assertEqual(self.call(emil, "unlock", "--for", "10m", passphrases=("first",)).result, {"seconds": 600})
        (path,) = self.agents()
        self.assertEqual((path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777), (0o600, 0o700))
        self.assertEqual(self.call(emil, "whoami").result["name"], "emil")
        # Unlocking again replaces it; changing the passphrase asks all the same.
        self.call(emil, "unlock", "--for", "10m", passphrases=("first",))
        self.assertEqual(len(self.agents()), 1)
        self.call(emil, "passphrase", passphrases=("wrong", "second"), expect=4)
        self.assertEqual(self.call(emil, "lock").result, {"was_unlocked": True})
        self.assertEqual(self.agents(), [])
        self.call(emil, "whoami", expect=4)
        self.assertEqual(self.call(emil, "lock").result, {"was_unlocked": False})

    def test_it_ends_by_itself(self):
        fred = self.person("fred")
        self.call(fred, "unlock", "--for", "1s", passphrases=("first",))
        self.wait_for_end()
        self.call(fred, "whoami", expect=4)

    def test_keys_of_before_a_renewal_do_not_count(self):
        gina = self.person("gina")
        self.call(gina, "unlock", passphrases=("first",))
        self.call(gina, "passphrase", "--renew", passphrases=("first", "second"))
        self.call(gina, "whoami", expect=4)
        self.assertEqual(self.opens_with(gina, "second").code, 0)
        self.call(gina, "lock")

    def test_silent_and_rude_visitors(self):
        hugo = self.person("hugo")
        self.call(hugo, "unlock", passphrases=("first",))
        (path,) = self.agents()
        with socket.socket(socket.AF_UNIX) as rude, socket.socket(socket.AF_UNIX) as gone:
            gone.connect(str(path))
            gone.close()
            rude.settimeout(WAIT)
            rude.connect(str(path))
            rude.sendall(b"X")
            self.assertEqual(rude.recv(100), b"")
        self.assertEqual(self.call(hugo, "whoami").result["name"], "hugo")
        (pid,) = [int(p.name) for p in pathlib.Path("/proc").iterdir() if p.name.isdigit()
                  and self.is_agent(p, path)]
        # What it holds is in no core dump.
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
        self.assertRegex(limits, r"Max core file size +0 +0 ")
        os.kill(pid, signal.SIGTERM)
        self.wait_for_end()

    def is_agent(self, process, path):
        """Started by this test: its environment has our runtime folder."""
        try:
            return (process / "cmdline").read_bytes() == b"satchel\0agent\0" and \
                str(self.runtime).encode() in (process / "environ").read_bytes()
        except OSError:
            return False

    def test_agent_by_hand(self):
        self.assertIn("use: satchel unlock", self.alice.run("agent", expect=2).errors)
