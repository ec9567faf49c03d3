#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Pictures a second of processor time on one thread that python3-torch trains the network on which repairs previews.

    tests/bench/torch_repair.py SECONDS
"""
import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"
import torch  # noqa: E402
from torch import nn  # noqa: E402

BATCH = 16


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


def rate(layout, seconds):
    torch.set_num_threads(1)
    net = Repair().to(memory_format=layout)
    adam = torch.optim.Adam(net.parameters(), 0.001)
    x = torch.rand(BATCH, 4, 64, 64).to(memory_format=layout)
    start, steps = None, 0
    while start is None or time.process_time() - start < seconds:
        adam.zero_grad()
        (net(x) ** 2).mean().backward()
        adam.step()
        start, steps = (time.process_time(), 0) if start is None else (start, steps + 1)
    return steps * BATCH / (time.process_time() - start)


print(max(rate(layout, float(sys.argv[1])) for layout in (torch.contiguous_format, torch.channels_last)))
