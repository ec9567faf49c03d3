# SPDX-License-Identifier: Apache-2.0
"""Benchmarks of the daemon under many small requests, and of the store's lists."""
import json
import os
import re
import shutil
import subprocess

from cases import KIB, Place
from harness import Daemon, User, make_file, program
from measure import in_turns, run, say, server_cpu
from peers import Flask

CLIENTS = 64
SENDS = int(os.environ.get("SATCHEL_BENCH_SENDS", "20000"))
CONNECTIONS = int(os.environ.get("SATCHEL_BENCH_CONNECTIONS", "2000"))
TRANSFERS = int(os.environ.get("SATCHEL_BENCH_TRANSFERS", "1000000"))
FLASK = "Flask under gunicorn, fsync, no TLS"
ALONE = "a program of the steps alone"
OPEN_LIMITS = {("limits", name): "100000" for name in
               ("registrations", "connections_per_address", "requests", "lookups", "uploads", "handshakes",
                "handshakes_per_address", "connections")}


def whole(folder, path):
    """A process that sends 1 KiB, against a process of scp that does."""
    with Place(folder) as place:
        scp = place.ssh.scp(path, f"peer:{place.ssh.store}/small")
        medians = in_turns({"satchel": lambda: place.send(path)[0].seconds, "scp": lambda: run(scp).seconds}, 25)
    say("small.process", 1000 * medians["satchel"], "ms", "scp", 1000 * medians["scp"], limit_ratio=0.25)


def small(folder):
    """Durable sends of 1 KiB on open connections, 64 clients and one, against an upload form in Flask; a process."""
    path = make_file(folder / "file", KIB)
    whole(folder / "process", path)
    daemon = Daemon(folder / "daemon", settings=OPEN_LIMITS).start()
    flask = Flask(folder / "flask", path)
    try:
        users = [User(daemon, folder, f"u{i}") for i in range(CLIENTS + 1)]
        for user in users:
            user.register()

        def ours(clients, count):
            before = server_cpu(daemon.process)
            done = json.loads(run([program("bench_small"), str(count), path, users[-1].name,
                                   *[user.home for user in users[:clients]]]).out)
            cpu = (server_cpu(daemon.process) - before) / count * 1e6
            return done["per_s"], done["p99_ms"], done["cpu_us"], cpu

        def line(clients, peer, figures, theirs, **more):
            rate, p99, client_us, daemon_us = figures
            say("small", rate, "sends/s", peer, theirs, clients=clients, p99_ms=round(p99, 2),
                client_cpu_us=round(client_us), daemon_cpu_us=round(daemon_us), **more)

        def bare(count, *how, file=()):
            store = folder / "bare"
            shutil.rmtree(store, ignore_errors=True)  # a store that grows, as the daemon's does
            return json.loads(run([program("bench_small_bare"), *how, daemon.data / "keynet.weights", str(count),
                                   store, *file]).out)

        def real(count):
            done = bare(count, "--run", file=[path])
            return done["per_s"], done["client_cpu_us"], done["server_cpu_us"], done["sends_per_record"]

        def one(count):
            return (bare(count, "--one")["per_s"],)

        def syncs():
            return json.loads(run([program("bench_small"), "--syncs", "200", folder / "synced"]).out)["per_s"]

        for clients, count, alone in ((CLIENTS, SENDS, real), (1, SENDS // 10, one)):
            medians = in_turns({"satchel": lambda c=clients, n=count: ours(c, n),
                                "flask": lambda c=clients, n=count: flask.load(c, n),
                                "bound": lambda n=count, f=alone: f(n),
                                "syncs": syncs})
            line(clients, FLASK, medians["satchel"], medians["flask"],
                 **({"least": 3000, "least_ratio": 1.4} if clients == CLIENTS else {"least": 500}))
            # A record waits for the disk once: one client alone cannot pass this.
            line(clients, "4 KiB written and synced, again and again", medians["satchel"], medians["syncs"])
            line(clients, ALONE, medians["satchel"], medians["bound"][0])
            more = dict(zip(("client_cpu_us", "server_cpu_us", "sends_per_record"), medians["bound"][1:]))
            say("small.bound", medians["bound"][0], "sends/s", FLASK, medians["flask"], clients=clients, what=ALONE, **more)
        # The same steps and rows with no protocol and no event loop: on two cores that never rest.
        least = bare(SENDS)
        say("small.bound", least.pop("per_s"), "sends/s", clients=CLIENTS, what="CPU of the steps, two cores", **least)
    finally:
        flask.close()
        daemon.stop()


def rss_anon(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        return int(re.search(r"RssAnon:\s+(\d+)", status.read()).group(1))


class Connections:
    """So many connections to a daemon, held by a process of their own."""

    def __init__(self, daemon, count):
        self.process = subprocess.Popen([program("bench_conns"), str(daemon.port), str(count)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.per_s = float(self.process.stdout.readline())

    def close(self):
        self.process.communicate()


def idle(folder):
    """KiB of the daemon for each connection that stands and is silent."""
    daemon = Daemon(folder / "daemon", settings=OPEN_LIMITS).start()
    first = Connections(daemon, 100)  # what the daemon takes once for all is there now
    before = rss_anon(daemon.process.pid)
    held = Connections(daemon, CONNECTIONS)
    kib = (rss_anon(daemon.process.pid) - before) / CONNECTIONS
    first.close()
    held.close()
    daemon.stop()
    say("idle", kib, "KiB/connection", connections=CONNECTIONS, limit=20)


def handshake(folder):
    """TLS handshakes, one after the other on one core of each side, and what they cost the daemon."""
    daemon = Daemon(folder / "daemon", settings=OPEN_LIMITS).start()

    def once():
        before = server_cpu(daemon.process)
        held = Connections(daemon, CONNECTIONS)
        held.close()
        return held.per_s, (server_cpu(daemon.process) - before) / CONNECTIONS * 1e6

    rate, cpu = in_turns({"satchel": once})["satchel"]
    daemon.stop()
    say("handshake", rate, "handshakes/s", daemon_cpu_us=round(cpu), connections=CONNECTIONS)


def list_(folder):
    """A page of 50 from a mailbox of a thousand transfers and of a million, through the store's contract."""
    def page(name, count):
        out = run([program("bench_store"), folder / name, "list", str(count)]).out
        return json.loads(out.splitlines()[-1])["page_p50_us"]

    page("many", TRANSFERS)  # fills it
    medians = in_turns({"few": lambda: page("few", 1000), "many": lambda: page("many", TRANSFERS)})
    say("list", medians["many"], "us/page", "the same with 1,000 transfers", medians["few"], transfers=TRANSFERS,
        limit_ratio=1.3)


CASES = {"small": small, "list": list_, "idle": idle, "handshake": handshake}
