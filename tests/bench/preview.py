#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Training of the layers that repair previews: oneDNN through models/conv.h against python3-torch.

    tests/bench/preview.py [BUILD_DIR]      default: build/release

Pictures a second of processor time, on one thread, taken in turns; the last line is the quotient.
"""
import os
import subprocess
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"
import torch  # noqa: E402
from torch import nn  # noqa: E402

SECONDS, BATCH, TURNS = 3, 16, 3


class Repair(nn.Module):
    """As preview_repair_spec() has it."""

    def __init__(self):
        super().__init__()
        self.down1, self.down2 = nn.Conv2d(4, 32, 4, 2, 1), nn.Conv2d(32, 48, 4, 2, 1)
        self.low1, self.low2 = nn.Conv2d(48, 48, 3, 1, 1), nn.Conv2d(48, 48, 3, 1, 1)
        self.up1, self.flat = nn.ConvTranspose2d(48, 32, 4, 2, 1), nn.Conv2d(32, 32, 3, 1, 1)
        self.up2 = nn.ConvTranspose2d(32, 3, 4, 2, 1)

    def forward(self, x):
        half = torch.relu(self.down1(x))
        low = torch.relu(self.down2(half))
        low = torch.relu(self.low2(torch.relu(self.low1(low))) + low)
        return self.up2(torch.relu(self.flat(torch.relu(self.up1(low) + half))))


def with_torch(layout):
    torch.set_num_threads(1)
    net = Repair().to(memory_format=layout)
    adam = torch.optim.Adam(net.parameters(), 0.001)
    x = torch.rand(BATCH, 4, 64, 64).to(memory_format=layout)
    start, steps = None, 0
    while start is None or time.process_time() - start < SECONDS:
        adam.zero_grad()
        (net(x) ** 2).mean().backward()
        adam.step()
        start, steps = (time.process_time(), 0) if start is None else (start, steps + 1)
    return steps * BATCH / (time.process_time() - start)


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else "build/release"
    ours, theirs = [], []
    for _ in range(TURNS):
        done = subprocess.run([f"{build}/bin/bench-preview", str(SECONDS)], check=True, stdout=subprocess.PIPE)
        ours.append(float(done.stdout))
        theirs.append(max(with_torch(torch.contiguous_format), with_torch(torch.channels_last)))
        print(f"oneDNN {ours[-1]:.0f}, torch {torch.__version__} {theirs[-1]:.0f} pictures/s")
    print(f"{sorted(ours)[TURNS // 2] / sorted(theirs)[TURNS // 2]:.2f}")


main()
