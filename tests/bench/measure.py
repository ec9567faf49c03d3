# SPDX-License-Identifier: Apache-2.0
"""Measuring whole processes in turns, and saying what was measured as one line of JSON."""
import json
import os
import pathlib
import platform
import re
import resource
import statistics
import subprocess
import time

ROUNDS = int(os.environ.get("SATCHEL_BENCH_ROUNDS", "5"))


def machine():
    """What a figure is worth nothing without."""
    def first(path, pattern):
        found = re.search(pattern, pathlib.Path(path).read_text(), re.MULTILINE)
        return found.group(1).strip() if found else "unknown"

    return {
        "cpu": first("/proc/cpuinfo", r"^model name\s*:\s*(.*)$"),
        "cores": os.cpu_count(),
        "memory_mib": int(first("/proc/meminfo", r"^MemTotal:\s*(\d+)")) // 1024,
        "kernel": platform.release(),
        "system": first("/etc/os-release", r'^PRETTY_NAME="?([^"\n]*)'),
        "load": round(os.getloadavg()[0], 2),
    }


def say(name, figure, unit, peer=None, peer_figure=None, **more):
    """One result.  ratio is ours / peer's: below 1 is better for times and sizes."""
    line = {"name": name, "figure": round(figure, 4), "unit": unit}
    if peer is not None:
        line |= {"peer": peer, "peer_figure": round(peer_figure, 4), "ratio": round(figure / peer_figure, 3)}
    line |= more
    line["machine"] = machine()
    print(json.dumps(line), flush=True)


class Run:
    """One finished process: wall and CPU seconds, and peak RSS in KiB if it was asked for."""

    def __init__(self, seconds, cpu, rss, out, err):
        self.seconds, self.cpu, self.rss, self.out, self.err = seconds, cpu, rss, out, err


def children_cpu():
    """CPU seconds of all processes that we started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def server_cpu(process):
    """CPU seconds of a server so far, and of the children it had; waits for those to end."""
    end = time.monotonic() + 5
    while pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text() and time.monotonic() < end:
        time.sleep(0.005)
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def run(args, env=None, rss_file=None):
    """Run to the end; a failure ends the benchmark with what the program said."""
    if rss_file is not None:
        # Of a small parent: the peak of a process begins with that of the one that started it.
        args = ["/usr/bin/time", "-f", "%M", "-o", str(rss_file), *args]
    cpu = children_cpu()
    start = time.perf_counter()
    done = subprocess.run([str(arg) for arg in args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=env, check=False)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, args))}: exit {done.returncode}\n"
                         f"{done.stderr.decode(errors='replace')}")
    rss = int(rss_file.read_text().split()[-1]) if rss_file is not None else None
    return Run(seconds, children_cpu() - cpu, rss, done.stdout, done.stderr)


def in_turns(contenders, rounds=ROUNDS):
    """{name: function giving a figure, or a tuple of them} run as ABAB...; gives {name: median, or medians}."""
    figures = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            figures[name].append(contender())

    def median(values):
        if isinstance(values[0], tuple):
            return tuple(statistics.median(column) for column in zip(*values))
        return statistics.median(values)

    return {name: median(values) for name, values in figures.items()}
