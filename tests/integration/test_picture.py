# SPDX-License-Identifier: Apache-2.0
"""Previews of pictures that are sent: who sees them and when, and pictures that are none."""
import base64
import os
import pty
import re
import subprocess

from harness import TREE, Case, program
from test_preview import png, soft

PICTURE = TREE / "tests" / "data" / "picture.jpg"
WEBP = base64.b64decode(  # 96 x 64
    "UklGRpgAAABXRUJQVlA4IIwAAACwBQCdASpgAEAAPtFoqlGoJaOioWpxABoJZQZ6nD1HWj8AJI3vRtcv/54S2z2q91uTbKe/agAA/u2jc487"
    "mStAVvjN70fDs+zY4mzzcZb3/n5LjCQEeyX1zHa+EwRGJln6D5PFLmlrDIb2LKoMrSP7GCl6IOB0AVbSQjeLyfih/9SeCymcx3jZ+oAAAA==")
PIXEL = re.compile(r"38;2;(\d+);(\d+);(\d+)")


class Picture(Case):
    def write(self, name, data):
        path = self.work / name
        path.write_bytes(data)
        return path

    def send(self, path, *args):
        return self.alice.send(path, *args, to=[self.bob]).result["id"]

    def row(self, tid, *args, user=None):
        (row,) = [row for row in (user or self.bob).inbox(*args) if row["id"] == tid]
        return row

    def preview(self, tid):
        return self.row(tid, "--previews").get("preview")

    def test_seen_before_release(self):
        jpeg = self.send(PICTURE)
        high = self.send(self.write("high.png", png(80, 160, soft)))
        wide = self.preview(jpeg)
        self.assertEqual((wide["width"], wide["bytes"]), (64, 256))
        self.assertTrue(44 <= wide["height"] <= 52, wide)  # the ratio is kept to 9 %
        shown = self.preview(high)
        self.assertEqual(shown["height"], 64)
        self.assertTrue(29 <= shown["width"] <= 35, shown)
        self.assertNotIn("preview", self.row(jpeg))
        for tid in (jpeg, high):
            row = self.row(tid)
            self.assertEqual((row["state"], row["opens_used"]), ("stored", 0))

    def test_drawn(self):
        tid = self.send(self.write("soft.png", png(128, 64, lambda x, y: (230, 20, 20) if x < 64 else (20, 20, 230))))
        for args in (("inbox",), ("inbox", "--previews")):  # into a pipe
            self.assertNotIn("\x1b", self.bob.run(*args).text)
        drawn = self.on_terminal("inbox", "--previews").split(tid[:8])[1]
        colours = [tuple(map(int, at)) for at in PIXEL.findall(drawn)]
        self.assertGreater(len([at for at in colours if at[0] > at[2] + 100]), 10)
        self.assertGreater(len([at for at in colours if at[2] > at[0] + 100]), 10)

    def test_not_wanted(self):
        self.assertIsNone(self.preview(self.send(PICTURE, "--no-preview")))

    def test_by_content_not_by_name(self):
        self.assertIsNotNone(self.preview(self.send(self.write("notes.txt", PICTURE.read_bytes()))))
        self.assertIsNone(self.preview(self.send(self.write("text.jpg", b"no picture " * 100))))
        self.assertIsNone(self.preview(self.send(self.write("empty.png", b""))))

    def test_broken_pictures_are_sent(self):
        jpeg = PICTURE.read_bytes()
        broken = {
            "cut.jpg": jpeg[:len(jpeg) // 3],
            "head.jpg": jpeg[:8],
            "noise.jpg": jpeg[:4] + os.urandom(4000),
            "cut.png": png(120, 80, soft)[:200],
            "cut.webp": WEBP[:100],
            "head.webp": WEBP[:12],
            "bomb.png": png(4, 4, soft, claimed=(30000, 30000)),
        }
        for name, data in broken.items():
            with self.subTest(name):
                path = self.write(name, data)
                tid = self.alice.send(path, to=[self.bob]).result["id"]
                self.assertIsNone(self.preview(tid))
                out = self.work / f"got-{name}"
                self.bob.get(tid, "-o", out)
                self.assertEqual(out.read_bytes(), data)

    def test_all_seen_before_any_is_released(self):
        pictures = [self.write(f"{n}.png", png(70 + 9 * n, 60, lambda x, y, n=n: (40 * n, min(255, x + y), 99)))
                    for n in range(5)]
        sent = {self.send(path) for path in [*pictures, self.write("a.webp", WEBP), PICTURE]}
        rows = [row for row in self.bob.inbox("--previews") if row["id"] in sent]
        self.assertEqual(len(rows), 7)
        for row in rows:
            self.assertEqual((row["preview"]["bytes"], row["state"], row["opens_used"]), (256, "stored", 0))

    def on_terminal(self, *args):
        """What bob's command shows on a terminal without libchafa's help for it."""
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        environment = dict(os.environ, SATCHEL_HOME=str(self.bob.home), TERM="xterm-256color",
                           ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")  # of GLib, if it is there
        process = subprocess.Popen([program("satchel"), *map(str, args)], env=environment, stdin=subprocess.DEVNULL,
                                   stdout=theirs, stderr=theirs)
        os.close(theirs)
        shown = b""
        try:
            while more := os.read(ours, 65536):
                shown += more
        except OSError:  # EIO: the other end is closed
            pass
        self.assertEqual(process.wait(), 0, shown)
        return shown.decode("utf-8", "replace")

    def test_shown_while_received(self):
        tid, out = self.send(PICTURE), self.work / "got.jpg"
        shown = self.on_terminal("get", tid, "-o", out)
        self.assertEqual(out.read_bytes(), PICTURE.read_bytes())
        self.assertGreater(len(re.findall(r"\x1b\[[0-9;]*38;2;", shown)), 100)

    def test_everybody_sees_it(self):
        tid = self.alice.send(PICTURE, to=[self.bob, self.carol]).result["id"]
        self.assertEqual(self.row(tid, "--previews", user=self.carol)["preview"]["bytes"], 256)
        self.deliver(self.alice, PICTURE, [self.bob])
