# SPDX-License-Identifier: Apache-2.0
"""Folders travel whole: names, contents, modes, times and links, and nothing that leads outside."""
import os
import shutil
import socket
import stat
import subprocess

from harness import LEVEL, SLOW, Case, make_file

NAMES = ("plain.txt", "two  spaces", "new\nline", "\u00e4\u5b57.txt", "-rf", "back\\slash", "\x1b[31mred",
         "x" * 200, "." * 3, ".hidden")


def tree(top):
    """Everything below a folder: kind, mode, time and content of each path."""
    found = {}
    for folder, folders, files in os.walk(os.fsencode(top)):
        for name in [b"", *folders, *files]:
            path = os.path.join(folder, name) if name else folder
            at = os.lstat(path)
            what = os.readlink(path) if stat.S_ISLNK(at.st_mode) else \
                open(path, "rb").read() if stat.S_ISREG(at.st_mode) else b""
            found[os.path.relpath(path, os.fsencode(top))] = (at.st_mode, at.st_mtime_ns, what)
    return found


class Folders(Case):
    def sample(self):
        top = self.folder_of("top")
        for n, name in enumerate(NAMES):
            make_file(top / name, n * 1000, n)
        for n, size in enumerate((0, 1, 511, 512, 513, 262144, 1_000_001)):
            make_file(top / f"size{size}", size, n)
        deep = top / "a" / "b" / ("c" * 120) / ("d" * 120)
        deep.mkdir(parents=True)
        make_file(deep / "deep", 70_000)
        make_file(os.path.join(os.fsencode(deep), b"latin-\xe4"), 10)
        (top / "empty").mkdir()
        (top / "link").symlink_to("plain.txt")
        (top / "a" / "up").symlink_to("../plain.txt")
        (top / "a" / "dangling").symlink_to("not there")
        (top / "a" / "folder").symlink_to("b")
        os.link(top / "size513", top / "a" / "same")
        os.chmod(top / "plain.txt", 0o640)
        os.chmod(top / "-rf", 0o4755)
        os.chmod(top / "empty", 0o1777)
        os.chmod(top / "size1", 0o400)
        os.utime(top / "two  spaces", ns=(1, 1_234_567_890_123_456_789))
        os.utime(top / "a" / "up", ns=(1, 987_654_321_000_000_001), follow_symlinks=False)
        os.utime(top / "a", ns=(1, 1_500_000_000_000_000_001))
        os.chmod(top / "a" / "b", 0o555)
        self.addCleanup(os.chmod, top / "a" / "b", 0o755)
        return top

    def expected(self, top):
        """Set-user-ID and sticky bits do not travel, and the receiver's umask holds."""
        mask = os.umask(0)
        os.umask(mask)
        return {path: (mode & ~0o7000 if stat.S_ISLNK(mode) else stat.S_IFMT(mode) | (mode & 0o777 & ~mask),
                       when, what)
                for path, (mode, when, what) in tree(top).items()}

    def compare(self, top, got):
        want, have = self.expected(top), tree(got)
        self.assertEqual(set(want), set(have))
        for path, row in want.items():
            self.assertEqual(row[2], have[path][2], path)
            self.assertEqual(oct(row[0]), oct(have[path][0]), path)
            self.assertEqual(row[1], have[path][1], path)

    def clean(self, path):
        subprocess.run(["chmod", "-R", "u+rwx", path], check=True)
        shutil.rmtree(path)

    def test_identical(self):
        top = self.sample()
        sent = self.alice.send(f"{top}/", to=(self.bob,)).result
        row = self.bob.inbox()[-1]
        self.assertEqual((row["name"], row["kind"]), ("top", "folder"))
        for locale in ("C", "C.UTF-8"):
            out = self.folder_of(locale)
            got = self.bob.get(sent["id"], "-o", out, env={"LC_ALL": locale}).result
            self.assertEqual((got["path"], got["kind"]), (str(out / "top"), "folder"))
            self.assertEqual(os.listdir(out), ["top"])
            self.compare(top, out / "top")
            self.assertEqual(os.stat(out / "top" / "a" / "same").st_ino,
                             os.stat(out / "top" / "size513").st_ino)
            self.clean(out)

    def test_other_names(self):
        top = self.folder_of("top")
        make_file(top / "file", 10)
        tid = self.alice.send(top, "--name", "other", to=(self.bob,)).result["id"]
        with self.subTest("the sender's"):
            self.bob.get(tid, "-o", f"{self.work}/in/")
            self.compare(top, self.work / "in" / "other")
        with self.subTest("one's own"):
            self.bob.get(tid, "-o", self.work / "own")
            self.compare(top, self.work / "own")
        with self.subTest("the folder one is in"):
            tid = self.alice.json("send", ".", "--to", "bob", cwd=top).result["id"]
            self.bob.json("get", tid, cwd=self.folder_of("here"))
            self.compare(top, self.work / "here" / "top")

    def test_paths_that_no_receiver_takes(self):
        """Refused before anything is sent: a path is 4,095 bytes at most, the name that travels with it."""
        top = self.folder_of("t")
        deep = str(top)
        while len(deep) < 3900:
            deep += "/" + "x" * min(250, 4000 - len(deep))
        os.makedirs(deep)
        fits, too_long = (4095 - 1 - (len(deep) - len(str(top))) + more for more in (0, 1))
        self.assertLess(too_long, 256)
        tid = self.alice.send(top, "--name", "n" * fits, to=(self.bob,)).result["id"]
        self.bob.get(tid, "-o", self.work / "got")
        error = self.alice.send(top, "--name", "n" * too_long, to=(self.bob,), expect=1).error
        self.assertEqual(error["code"], "unsupported")
        self.assertIn("4095", error["message"])

    def test_archive(self):
        """What comes packed, tar reads."""
        top = self.sample()
        tid = self.alice.send(top, to=(self.bob,)).result["id"]
        for args, path in ((("-o", self.work / "x.tar"), "x.tar"),
                           (("--no-unpack", "-o", self.folder_of("packed")), "packed/top.tar")):
            got = self.bob.get(tid, *args).result
            self.assertEqual((got["path"], got["kind"]), (str(self.work / path), "file"))
            self.assertEqual(os.stat(got["path"]).st_size, got["size"])
        (self.work / "pipe.tar").write_bytes(self.bob.run("get", tid, "-o", "-").out)
        for n, name in enumerate(("x.tar", "pipe.tar")):
            out = self.folder_of(f"tar{n}")
            subprocess.run(["tar", "--no-same-permissions", "-xf", self.work / name, "-C", out], check=True)
            self.compare(top, out / "top")
            self.clean(out)

    def test_nothing_is_overwritten(self):
        top = self.folder_of("top")
        make_file(top / "file", 10)
        tid = self.alice.send(top, to=(self.bob,)).result["id"]
        out = self.folder_of("out")
        (out / "top").mkdir()
        (out / "top" / "mine").write_text("mine")
        for force in ((), ("--force",)):
            self.assertEqual(self.bob.get(tid, "-o", out, *force, expect=None).error["code"], "exists")
            self.assertEqual(os.listdir(out), ["top"])
            self.assertEqual(os.listdir(out / "top"), ["mine"])
        (out / "top" / "mine").unlink()
        self.bob.get(tid, "-o", out, "--force")
        self.compare(top, out / "top")

    def test_left_out(self):
        top = self.folder_of("top")
        make_file(top / "file", 10)
        (top / "outside").symlink_to("../secret")
        (top / "absolute").symlink_to("/etc/passwd")
        os.mkfifo(top / "fifo")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(top / "socket"))
            result = self.alice.send(top, to=(self.bob,))
        left = [row["message"] for row in result.objects if row.get("event") == "left_out"]
        for name in ("outside", "absolute", "fifo", "socket"):
            self.assertTrue([line for line in left if str(top / name) in line], (name, left))
        out = self.folder_of("out")
        self.bob.get(result.result["id"], "-o", out)
        self.assertEqual(os.listdir(out / "top"), ["file"])

    def test_sparse(self):
        top = self.folder_of("top")
        with open(top / "sparse", "wb") as file:
            file.seek(1 << 30)
            file.write(b"in the middle")
            file.truncate(3 << 30)
        with open(top / "hole", "wb") as file:
            file.truncate(1 << 20)
        result = self.alice.send(top, to=(self.bob,)).result
        if os.stat(top / "sparse").st_blocks > 1000:
            self.skipTest("this file system has no holes")
        self.assertLess(result["size"], 1 << 20)
        out = self.folder_of("out")
        self.bob.get(result["id"], "-o", out)
        for name in ("sparse", "hole"):
            at = os.stat(out / "top" / name)
            self.assertEqual(at.st_size, os.stat(top / name).st_size)
            self.assertLess(at.st_blocks, 1000)
        with open(out / "top" / "sparse", "rb") as file:
            file.seek((1 << 30) - 10)
            self.assertEqual(file.read(30), bytes(10) + b"in the middle" + bytes(7))

    def test_what_cannot_be_read(self):
        if os.geteuid() == 0:
            self.skipTest("root reads everything")
        top = self.folder_of("top")
        make_file(top / "file", 10)
        os.chmod(top / "file", 0)
        before = len(self.bob.inbox())
        result = self.alice.send(top, to=(self.bob,), expect=7)
        self.assertIn(str(top / "file"), result.error["message"])
        self.assertEqual(len(self.bob.inbox()), before)

    def test_interrupted(self):
        """What a killed command leaves is cleared by the next one."""
        top = self.folder_of("top")
        make_file(top / "file", 10)
        tid = self.alice.send(top, to=(self.bob,)).result["id"]
        out = self.folder_of("out")
        left = out / ".top.satchel-part"
        (left / "sub").mkdir(parents=True)
        (left / "sub" / "file").write_text("old")
        os.symlink("/etc", left / "link")
        os.chmod(left / "sub", 0)
        self.bob.get(tid, "-o", out)
        self.assertEqual(os.listdir(out), ["top"])
        self.compare(top, out / "top")
        self.assertTrue(os.path.exists("/etc/passwd"))

    def test_many_small_files(self):
        """Tens of thousands are no burden."""
        count = 20_000 if LEVEL == "soak" else 1000
        top = self.folder_of("top")
        for n in range(count):
            if n % 200 == 0:
                folder = top / f"{n:05}"
                folder.mkdir()
            with open(folder / f"{n:05}", "wb") as file:
                file.write(b"%d" % n * (n % 300))
        tid = self.alice.send(top, to=(self.bob,), timeout=120 * SLOW).result["id"]
        self.bob.get(tid, "-o", self.folder_of("out"), timeout=120 * SLOW)
        self.compare(top, self.work / "out" / "top")
