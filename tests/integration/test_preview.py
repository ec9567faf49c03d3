# SPDX-License-Identifier: Apache-2.0
"""satchel preview: pictures to bytes and back, figures of a folder, and pictures that must be refused."""
import os
import pathlib
import struct
import tempfile
import unittest
import zlib

from harness import program, run


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, pixel, claimed=None):
    """A PNG picture; ``claimed`` are other sizes for its header."""
    rows = b"".join(b"\0" + bytes(v for x in range(width) for v in pixel(x, y)) for y in range(height))
    head = struct.pack(">IIBBBBB", *(claimed or (width, height)), 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) +
            chunk(b"IEND", b""))


def soft(x, y):
    return min(255, 40 + x), min(255, 60 + y), 120 if x + y > 100 else 90


def size_of(path):
    return struct.unpack(">II", path.read_bytes()[16:24])


class Preview(unittest.TestCase):
    def setUp(self):
        work = tempfile.TemporaryDirectory()
        self.addCleanup(work.cleanup)
        self.work = pathlib.Path(work.name)
        self.picture = self.work / "picture.png"
        self.picture.write_bytes(png(120, 80, soft))

    def preview(self, *args, **options):
        return run([program("satchel"), "--json", "preview", *args], **options)

    def test_there_and_back(self):
        for size in (128, 256, 512):
            coded, shown = self.work / f"{size}", self.work / f"{size}.png"
            result = self.preview("encode", self.picture, "--class", size, "--output", coded).result
            self.assertEqual((result["bytes"], result["width"], result["height"]), (size, 120, 80))
            self.assertEqual(coded.stat().st_size, size)
            self.preview("decode", coded, "--output", shown)
            width, height = size_of(shown)
            self.assertEqual(width, 64)
            self.assertTrue(39 <= height <= 47, height)

    def test_figures(self):
        folder = self.work / "folder"
        (folder / "below").mkdir(parents=True)
        (folder / "a.png").write_bytes(png(64, 64, soft))
        (folder / "below" / "b.png").write_bytes(png(90, 70, soft))
        (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n no more")
        sheet, plot = self.work / "sheet.png", self.work / "plot.png"
        # fontconfig, under cairo, keeps a few hundred bytes
        quiet = dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")
        result = self.preview("eval", folder, "--sheet", sheet, "--plot", plot, env=quiet).result
        self.assertEqual(result["images"], 2)
        self.assertEqual(sorted(result), ["classes", "images", "latent"])
        for size in ("128", "256", "512"):
            self.assertEqual(sorted(result["classes"][size]), ["mae", "mse", "psnr", "ssim"])
        self.assertLess(result["classes"]["512"]["mse"], 0.003)
        self.assertEqual(result["latent"]["numbers"], 512)
        self.assertEqual(size_of(sheet), (7 * 64, 2 * 64))
        self.assertGreater(plot.stat().st_size, 1000)
        text = run([program("satchel"), "preview", "eval", folder, "--limit", 1], env=quiet).text
        for step in ("first encryption (Fernet)", "second encryption (AES-256-GCM)", "decryption of the first"):
            self.assertIn(step, text)
        self.assertEqual(self.preview("eval", folder, "--crops", 3).result["images"], 6)
        only = self.work / "only"
        only.write_text("below/b.png\n")
        self.assertEqual(self.preview("eval", folder, "--only", only).result["images"], 1)

    def test_refused(self):
        bomb, out = self.work / "bomb.png", self.work / "out"
        bomb.write_bytes(png(4, 4, soft, claimed=(30000, 30000)))
        self.assertEqual(self.preview("encode", bomb, "--output", out, expect=4).error["code"], "toolarge")
        self.picture.write_bytes(self.picture.read_bytes()[:200])
        self.assertEqual(self.preview("encode", self.picture, "--output", out, expect=7).error["code"], "corrupt")
        (self.work / "text").write_bytes(b"no picture")
        self.preview("encode", self.work / "text", "--output", out, expect=1)
        self.preview("encode", self.work / "missing", "--output", out, expect=3)
        (self.work / "short").write_bytes(bytes(100))
        (self.work / "long").write_bytes(bytes(5000))
        for name in ("short", "long"):
            error = self.preview("decode", self.work / name, "--output", out, expect=7).error
            self.assertEqual(error["code"], "corrupt")
            self.assertIn(f"{name}' is no preview", error["message"])
        self.preview("eval", self.work / "missing", expect=None)
        self.assertFalse(out.exists())

    def test_arguments(self):
        self.preview("encode", self.picture, expect=2)
        self.preview("show", self.picture, expect=2)
        self.preview("encode", self.picture, "--class", 100, "--output", self.work / "out", expect=2)
        self.preview("encode", self.picture, "--output", self.work / "out", "--weights", "nobodys", expect=3)

    def test_the_command_starts_without_the_module(self):
        linked = run(["ldd", program("satchel")], expect=None).text
        self.assertNotIn("dnnl", linked)
        self.assertNotIn("libpng", linked)
