# SPDX-License-Identifier: Apache-2.0
"""Small sends beside a bulk transfer: how much longer they take."""
import json
import os

from harness import BUILD, Daemon
from measure import run, say

COUNT = int(os.environ.get("SATCHEL_BENCH_FAIR", "1000"))


def fair(folder):
    """p99 of a small durable send while somebody sends, or gets, in bulk, against that of an idle daemon."""
    daemon = Daemon(folder / "daemon", settings={("store", "quota"): "0", ("server", "registration"): "open"}).start()
    try:
        done = run([str(BUILD / "bin" / "bench_fair"), str(daemon.port), str(COUNT)])
    finally:
        daemon.stop()
    times = json.loads(done.out)
    for load in ("sending", "getting"):
        say(f"fair {load}", times[f"{load}_p99"], "ms", "idle", times["idle_p99"], limit_ratio=3.0,
            p50=times[f"{load}_p50"], idle_p50=times["idle_p50"])


CASES = {"fair": fair}
