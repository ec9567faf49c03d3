# SPDX-License-Identifier: Apache-2.0
"""The device secret in the desktop's keyring: a real one on a session bus of its own."""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time

from harness import SLOW, WAIT, Case, Failed, User, run

BUS = """<busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
"""
# What a call may wait for an answer, and what may come around it.
ANSWER = 5
BOUND = 3 * ANSWER + 15 * SLOW


class Desktop:
    """A session bus and, on it, a keyring that is unlocked or not.  Nothing is started by the bus."""

    def __init__(self, folder):
        self.folder = folder
        self.address = f"unix:path={folder}/bus"
        self.env = {"DBUS_SESSION_BUS_ADDRESS": self.address, "SATCHEL_KEYRING": "on"}
        self.keyring = None
        for name in ("data", "run"):
            (folder / name).mkdir(mode=0o700)
        (folder / "bus.conf").write_text(BUS.format(folder / "bus"))
        self.bus = subprocess.Popen(["dbus-daemon", "--config-file", str(folder / "bus.conf"), "--nofork",
                                     "--print-address=1"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if not self.bus.stdout.readline():
            raise Failed("there is no bus")

    def _is_there(self):
        asked = run(["dbus-send", f"--bus={self.address}", "--print-reply=literal", "--dest=org.freedesktop.DBus", "/",
                     "org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets"])
        return "true" in asked.text

    def start(self, unlock=True):
        env = {**os.environ, "HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder / "data"),
               "XDG_RUNTIME_DIR": str(self.folder / "run"), "DBUS_SESSION_BUS_ADDRESS": self.address}
        for name in ("DISPLAY", "WAYLAND_DISPLAY"):
            env.pop(name, None)
        self.keyring = subprocess.Popen(
            ["gnome-keyring-daemon", "--foreground", "--components=secrets", *(["--unlock"] if unlock else [])],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
        with contextlib.suppress(BrokenPipeError):
            self.keyring.stdin.write(b"login password" if unlock else b"")
            self.keyring.stdin.close()
        end = time.monotonic() + WAIT
        while not self._is_there():
            if time.monotonic() > end or self.keyring.poll() is not None:
                raise Failed("there is no keyring")
            time.sleep(0.05)

    def stop(self):
        """The keyring; the bus stays."""
        if self.keyring is not None:
            self.keyring.kill()
            self.keyring.wait()
            self.keyring = None

    def end(self):
        self.stop()
        self.bus.kill()
        self.bus.wait()
        self.bus.stdout.close()


class Keyring(Case):
    users = ("alice",)

    def setUp(self):
        super().setUp()
        for name in ("dbus-daemon", "dbus-send", "gnome-keyring-daemon"):
            if shutil.which(name) is None:
                self.skipTest(f"{name} is not installed")
        self.desktop = Desktop(self.folder_of("desktop"))
        self.addCleanup(self.desktop.end)
        self.env = self.desktop.env
        self.bob = User(self.daemon, self.work, "bob")

    def device_file(self, user):
        return user.home / "profiles" / "default" / "device"

    def enter(self, name):
        """Somebody new whose device secret is in the keyring."""
        user = User(self.daemon, self.work, name)
        user.register(env=self.env)
        self.assertFalse(self.device_file(user).exists())
        self.assertEqual(user.json("whoami", env=self.env).result["device_secret"], "keyring")
        return user

    def refused(self, user, *args, env=None):
        """Exit 7 with a hint, in bounded time."""
        begun = time.monotonic()
        error = user.json(*args, expect=7, env=env or self.env).error
        self.assertLess(time.monotonic() - begun, BOUND)
        self.assertTrue(error["hint"], error)
        return error["message"]

    def test_life(self):
        self.desktop.start()
        user = self.enter("life")
        tid = self.alice.send(self.file(1000), to=[user]).result["id"]
        user.get(tid, "-o", self.work / "got.bin", env=self.env)
        self.assertEqual((self.work / "got.bin").read_bytes(), (self.work / "file.bin").read_bytes())
        user.send(self.file(1000), to=[self.alice], env=self.env)
        # A passphrase besides, new keys, and none again.
        read, write = os.pipe()
        os.write(write, b"secret\n")
        os.close(write)
        user.json("passphrase", "--renew", "--new-fd", read, pass_fds=(read,), env=self.env)
        os.close(read)
        self.assertFalse(self.device_file(user).exists())
        for args in (("passphrase", "--none"), ("passphrase", "--device-secret", "file")):
            asking = {**self.env, "SATCHEL_ASKPASS": self.ask("secret")}
            user.json(*args, env=asking)
        self.assertEqual(self.device_file(user).stat().st_size, 32)
        self.assertEqual(self.device_file(user).stat().st_mode & 0o777, 0o600)
        # The desktop is not needed any more.
        self.desktop.stop()
        self.assertEqual(user.json("whoami").result["device_secret"], "file")
        self.assertIn("session bus", self.refused(user, "passphrase", "--device-secret", "keyring",
                                                  env={"DBUS_SESSION_BUS_ADDRESS": ""}))
        self.assertEqual(user.json("whoami").result["device_secret"], "file")

    def ask(self, passphrase):
        path = self.work / "ask"
        path.write_text(f"#!/bin/sh\necho '{passphrase}'\n")
        path.chmod(0o700)
        return str(path)

    def test_move_with_passphrase(self):
        self.desktop.start()
        user = User(self.daemon, self.work, "mover")
        user.register()
        read, write = os.pipe()
        os.write(write, b"secret\n")
        os.close(write)
        user.json("passphrase", "--new-fd", read, pass_fds=(read,))
        os.close(read)
        old = self.device_file(user).read_bytes()
        wrong = {**self.env, "SATCHEL_ASKPASS": self.ask("wrong")}
        user.json("passphrase", "--device-secret", "keyring", env=wrong, expect=4)
        asking = {**self.env, "SATCHEL_ASKPASS": self.ask("secret")}
        moved = user.json("passphrase", "--device-secret", "keyring", env=asking).result
        self.assertEqual(moved, {"device_secret": "keyring"})
        self.assertFalse(self.device_file(user).exists())
        user.json("contacts", env=asking)
        # The file of before opens nothing, and is not read.
        self.device_file(user).write_bytes(old)
        self.refused(user, "contacts", env={**asking, "DBUS_SESSION_BUS_ADDRESS": ""})
        user.json("passphrase", "--device-secret", "keyring", env=asking)
        user.json("passphrase", "--device-secret", "file", env=asking)
        self.assertNotEqual(self.device_file(user).read_bytes(), old)
        user.json("contacts", env={"SATCHEL_ASKPASS": self.ask("secret")})
        for args in (("--device-secret", "pocket"), ("--device-secret", "file", "--none"),
                     ("--device-secret", "file", "--renew")):
            user.json("passphrase", *args, env=asking, expect=2)

    def test_out_of_reach(self):
        self.desktop.start()
        user = self.enter("reach")
        # Stopped, it keeps the bus waiting.
        self.desktop.keyring.send_signal(signal.SIGSTOP)
        self.assertIn("does not answer", self.refused(user, "contacts"))
        self.desktop.keyring.send_signal(signal.SIGCONT)
        user.json("contacts", env=self.env)
        self.desktop.stop()
        self.refused(user, "contacts")
        checked = user.json("doctor", env=self.env, expect=None)
        self.assertNotEqual(checked.code, 0)
        self.assertIn("desktop keyring", checked.text)
        self.desktop.start(unlock=False)
        self.assertIn("locked", self.refused(user, "contacts"))
        self.assertIn("locked", self.refused(self.bob, "register", "--server", self.daemon.server, "--name", "bob",
                                             "--email", "bob@example.org", "--pin", self.daemon.pin, "--no-passphrase"))
        self.desktop.stop()
        self.desktop.start()
        user.json("contacts", env=self.env)
        # Reset takes the item along: put back, the vault does not open.
        vault = user.home / "profiles" / "default"
        shutil.copytree(vault, self.work / "copy")
        user.json("profile", "reset", "default", "--yes", "default", env=self.env)
        shutil.copytree(self.work / "copy", vault)
        self.assertIn("does not have", self.refused(user, "contacts"))
        # Without a keyring it still can be reset.
        self.desktop.stop()
        user.json("profile", "reset", "default", "--yes", "default", env=self.env)

    def test_silent_bus(self):
        self.desktop.start()
        user = self.enter("silent")
        with socket.socket(socket.AF_UNIX) as silent:
            silent.bind(str(self.work / "socket"))
            silent.listen()
            env = {**self.env, "DBUS_SESSION_BUS_ADDRESS": f"unix:path={self.work}/socket"}
            self.assertIn("does not answer", self.refused(user, "contacts", env=env))
            # Unasked, at a display, a new profile does without it.
            env.update(SATCHEL_KEYRING="", DISPLAY=":9")
            self.bob.register(env=env)
        self.assertTrue(self.device_file(self.bob).exists())
        self.bob.json("contacts")

    def test_unasked(self):
        """With a display and a keyring it is used; without a display, or switched off, it is not."""
        self.desktop.start()
        for name, env, there in (("screen", {"SATCHEL_KEYRING": "", "DISPLAY": ":9"}, False),
                                 ("bare", {"SATCHEL_KEYRING": "", "DISPLAY": "", "WAYLAND_DISPLAY": ""}, True),
                                 ("off", {"SATCHEL_KEYRING": "off", "DISPLAY": ":9"}, True)):
            user = User(self.daemon, self.work, name)
            user.register(env={**self.env, **env})
            self.assertEqual(self.device_file(user).exists(), there)
        error = self.bob.register(env={**self.env, "SATCHEL_KEYRING": "perhaps"}, expect=2).error
        self.assertIn("SATCHEL_KEYRING", error["message"])
