# SPDX-License-Identifier: Apache-2.0
"""satchel-train preview: small trainings, interrupted ones, and ones that go on from weights."""
import csv
import os
import pathlib
import random
import tempfile
import unittest

from harness import program, run
from test_preview import png

# fontconfig, under cairo, keeps a few hundred bytes
QUIET = dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")
SHORT = ("--copies", 2, "--round-pictures", 16, "--table-pictures", 4)


def blobs(seed):
    """A pixel function: a few soft spots on a slope."""
    draw = random.Random(seed)
    spots = [(draw.randrange(64), draw.randrange(64), draw.randrange(80)) for _ in range(5)]

    def pixel(x, y):
        light = sum(h for (a, b, h) in spots if (a - x) ** 2 + (b - y) ** 2 < 200)
        return min(255, 30 + x + light), min(255, 50 + y + light // 2), min(255, 90 + light // 3)
    return pixel


class Trainer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        work = tempfile.TemporaryDirectory()
        cls.addClassCleanup(work.cleanup)
        cls.folder = pathlib.Path(work.name) / "pictures"
        cls.folder.mkdir()
        for i in range(120):
            (cls.folder / f"{i}.png").write_bytes(png(64, 64, blobs(i)))
        cls.first = pathlib.Path(work.name) / "first.weights"
        cls.train_to(cls.first, "--estimate-rounds", 1, "--repair-rounds", 1, "--detail-rounds", 1)

    @classmethod
    def train_to(cls, out, *args, expect=0):
        args = ("preview", "--out", out, *SHORT, *args, cls.folder)
        return run([program("satchel-train"), *args], expect=expect, env=QUIET, timeout=300)

    def setUp(self):
        work = tempfile.TemporaryDirectory()
        self.addCleanup(work.cleanup)
        self.work = pathlib.Path(work.name)
        self.out = self.work / "new.weights"

    def curve(self, out):
        with open(f"{out}.csv", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def refused(self, *args, says, expect=2):
        self.assertIn(says, self.train_to(self.out, *args, expect=expect).errors)
        self.assertFalse(self.out.exists(), "a refused training wrote weights")

    def test_usable(self):
        picture = self.folder / "3.png"
        self.assertEqual([row["part"] for row in self.curve(self.first)], ["estimator", "repair", "details"])
        for what, args in (("encode", (picture, "--class", 256)), ("decode", (self.work / "encode",))):
            run([program("satchel"), "preview", what, *args, "--weights", self.first,
                 "--output", self.work / what])
        self.assertEqual((self.work / "encode").stat().st_size, 256)

    def test_goes_on(self):
        """Cut off and resumed, the weights are those of a training without a break."""
        args = ("--from", self.first, "--repair-rounds", 3, "--detail-rounds", 1)
        whole, parts = self.work / "whole", self.work / "parts"
        self.train_to(whole, *args)
        self.train_to(parts, *args, "--resume")  # nothing to resume yet
        self.assertEqual(whole.read_bytes(), parts.read_bytes())
        self.train_to(parts, *args, "--resume")  # nothing left to train
        self.assertEqual(whole.read_bytes(), parts.read_bytes())
        damaged = bytearray((self.work / "parts.checkpoint").read_bytes())
        damaged[100] ^= 1
        (self.work / "parts.checkpoint").write_bytes(damaged)
        self.assertIn("the hash does not match", self.train_to(parts, *args, "--resume", expect=7).errors)

    def test_wider(self):
        wide, same = self.work / "wide.weights", self.work / "same.weights"
        self.train_to(wide, "--from", self.first, "--widths", "40,56", "--repair-rounds", 1, "--detail-rounds", 0)
        self.assertEqual(wide.read_bytes()[11], 3)
        self.assertGreater(wide.stat().st_size, self.first.stat().st_size)
        self.train_to(same, "--from", wide, "--repair-rounds", 1, "--detail-rounds", 0)
        self.assertEqual(same.stat().st_size, wide.stat().st_size)
        narrow = self.train_to(self.work / "no", "--from", wide, "--widths", "32,48", expect=2).errors
        self.assertIn("40 and 56 wide", narrow)
        self.refused("--widths", "40,56", says="--widths needs --from")
        for wrong in ("40", "40,", ",40", "0,40", "40,129", "40,50,60", "-1,40", "123456789,40"):
            self.refused("--from", self.first, "--widths", wrong, says="not understood")

    def test_as_used(self):
        used = self.work / "used.weights"
        self.train_to(used, "--from", self.first, "--uses", 3, "--finer", 4, "--rate", "0.0005",
                      "--repair-rounds", 1, "--detail-rounds", 0)
        self.assertEqual(used.stat().st_size, self.first.stat().st_size)
        for wrong in (("--uses", 3), ("--finer", 4)):
            self.refused(*wrong, says="need --from")
        self.refused("--from", self.first, "--estimate-rounds", 1, says="keeps the estimator")
        for option, wrong in (("--finer", "25"), ("--uses", "x"), ("--rate", "0"), ("--rate", "1x"), ("--lambda", "-1")):
            self.refused("--from", self.first, option, wrong, says="not understood")

    def test_pictures(self):
        held_out = self.work / "held-out"
        held_out.write_text("0.png\n5.png\n")
        told = self.train_to(self.out, "--from", self.first, "--held-out", held_out, "--repair-rounds", 1,
                             "--detail-rounds", 0).text
        self.assertIn("118 files, 2 held out", told)
        self.out.unlink()
        self.refused("--from", self.work / "missing", says="missing", expect=3)
        self.refused("--from", self.folder / "1.png", says="not a weight file", expect=7)


if __name__ == "__main__":
    unittest.main()
