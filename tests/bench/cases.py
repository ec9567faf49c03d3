# SPDX-License-Identifier: Apache-2.0
"""The benchmarks of tests/bench/run.  Each takes a folder of its own on a real disk."""
import json
import os
import re
import shlex
import shutil
import subprocess
import threading

from harness import Daemon, User, make_file, program
from measure import ROUNDS, in_turns, run, say, server_cpu
from peers import Age, Ssh

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
SIZES = [int(size) for size in os.environ.get("SATCHEL_BENCH_SIZES", f"{KIB} {100 * MIB} {GIB}").split()]
FILES = int(os.environ.get("SATCHEL_BENCH_FILES", "20000"))
NAMES = {KIB: "1 KiB", 100 * MIB: "100 MiB", GIB: "1 GiB"}


class Place:
    """A daemon, alice and bob, and the peers."""

    def __init__(self, folder, peers=True):
        self.folder = folder
        self.daemon = Daemon(folder / "daemon").start()
        self.alice, self.bob = (User(self.daemon, folder, name) for name in ("alice", "bob"))
        for user in (self.alice, self.bob):
            user.register()
        self.ssh = Ssh(folder / "ssh") if peers else None
        self.age = Age(folder) if peers else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.daemon.stop()
        if self.ssh is not None:
            self.ssh.close()

    @staticmethod
    def command(user, *args):
        return [program("satchel"), "--home", user.home, "--json", *args]

    def send(self, path, rss_file=None):
        """Send as alice; gives the run and the transfer's ID."""
        done = run(self.command(self.alice, "send", path, "--to", "bob"), rss_file=rss_file)
        return done, json.loads(done.out.splitlines()[-1])["result"]["id"]

    def drop(self, tid):
        for user in (self.alice, self.bob):
            user.json("delete", tid, "--force")


def start(_folder):
    """Start-up of the client against that of age."""
    medians = in_turns({name: lambda name=name, args=args: run(args).seconds * 1000 for name, args in {
        "satchel": [program("satchel"), "--version"], "age": ["age", "--version"]}.items()}, 20 * ROUNDS)
    say("start", medians["satchel"], "ms", "age --version", medians["age"], limit_ratio=1.5)


class DaemonMemory(threading.Thread):
    """The largest Pss of a process without the store's maps, looked at again and again."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.path = f"/proc/{pid}/smaps"
        self.peak_kib = 0
        self.enough = threading.Event()

    def look(self):
        kib, counted = 0, True
        with open(self.path, encoding="utf-8", errors="replace") as maps:
            for line in maps:
                if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                    counted = not line.rstrip().endswith(".mdb")
                elif counted and line.startswith("Pss:"):
                    kib += int(line.split()[1])
        return kib

    def run(self):
        while not self.enough.wait(0.05):
            self.peak_kib = max(self.peak_kib, self.look())

    def stop(self):
        self.enough.set()
        self.join()
        return self.peak_kib


def memory(folder):
    """Peak memory of client and daemon while 1 GiB passes, both ways."""
    size = max(SIZES)
    path = make_file(folder / "file", size)
    with Place(folder, peers=False) as place:
        watch = DaemonMemory(place.daemon.process.pid)
        watch.start()
        sent, tid = place.send(path, rss_file=folder / "rss")
        say("memory.send", sent.rss / 1024, "MiB", what="peak RSS of the client", size=size, limit=48)
        got = run(place.command(place.bob, "get", tid, "-o", folder / "got"), rss_file=folder / "rss")
        say("memory.get", got.rss / 1024, "MiB", what="peak RSS of the client", size=size, limit=48)
        say("memory.daemon", watch.stop() / 1024, "MiB", what="peak Pss less the mapped store", size=size, limit=96)


def shell(command):
    return run(["bash", "-o", "pipefail", "-c", command]).seconds


def quoted(args):
    return " ".join(shlex.quote(str(arg)) for arg in args)


def both_ends(server, call):
    """A contender that gives wall seconds, and CPU seconds of client and server together."""
    def contender():
        before = server_cpu(server)
        done = call()
        return done.seconds, done.cpu + server_cpu(server) - before
    return contender


BARE = "the bare pipeline"
# What is asked of a send and of a get, against whom.
LIMITS = {("send", "scp"): 0.67, ("send", "scp, sync"): 0.56, ("send", "age | ssh cat, sync"): 0.5,
          ("send", BARE): 1.3, ("get", "scp"): 0.67, ("get", "ssh cat | age -d"): 0.45}


def report(name, size, medians, **more):
    more["size"] = NAMES.get(size, size)
    medians = {who: figure if isinstance(figure, tuple) else (figure,) for who, figure in medians.items()}
    ours = medians.pop("satchel")
    for peer, figure in medians.items():
        asked = {"limit_ratio": LIMITS[name, peer]} if size >= 100 * MIB and (name, peer) in LIMITS else {}
        say(name, ours[0], "s", peer, figure[0], mib_per_s=round(size / MIB / ours[0], 1), **asked, **more)
        if len(figure) > 1 and len(ours) > 1 and size >= MIB:
            say(f"{name}.cpu", ours[1] * GIB / size, "CPU s/GiB, both ends", peer, figure[1] * GIB / size,
                **({"limit_ratio": 0.9} if peer == "scp" and size == GIB else {}), **more)


def bare(what, path, store):
    """The steps of a send or get and nothing else: seconds, and CPU seconds of both ends."""
    steps = [program("bench_pipeline"), what, path, store]
    done = run(["bash", "-o", "pipefail", "-c", f"{quoted(steps)} | cat > /dev/null"] if path == "-" else steps)
    figures = json.loads(done.err)
    return figures["seconds"], figures["cpu_client"] + figures["cpu_server"]


def bound(name, medians, **more):
    """The bare pipeline against the peers: a ratio of ours below this one is not to be had here."""
    if BARE in medians:
        least = medians[BARE][0]
        for peer, figure in medians.items():
            if peer not in ("satchel", BARE):
                say(f"{name}.bound", least, "s", peer, figure[0] if isinstance(figure, tuple) else figure,
                    what=BARE, **more)


def send(folder):
    """Time of a durable send, into a store whose pages exist already and into a fresh one."""
    for size in SIZES:
        path = make_file(folder / "file", size)
        with Place(folder / f"warm-{size}") as place:
            store = place.ssh.store
            remote = place.ssh.command(f"cat > {shlex.quote(str(store / 'age'))} && sync {shlex.quote(str(store / 'age'))}")
            scp = place.ssh.scp(path, f"peer:{store}/scp")

            def ours():
                before = server_cpu(place.daemon.process)
                done, tid = place.send(path)
                cpu = done.cpu + server_cpu(place.daemon.process) - before
                place.drop(tid)
                return done.seconds, cpu

            ours()  # makes the pages
            contenders = {"satchel": ours}
            if size >= MIB:
                bare("send", path, folder / "bare")
                contenders[BARE] = lambda: bare("send", path, folder / "bare")
            contenders |= {
                "age | ssh cat, sync": lambda: shell(f"age -r {place.age.recipient} {quoted([path])} | {quoted(remote)}"),
                "scp": both_ends(place.ssh.process, lambda: run(scp)),
                "scp, sync": lambda: shell(f"{quoted(scp)} && {quoted(place.ssh.command(f'sync {store}/scp'))}"),
            }
            medians = in_turns(contenders)
            bound("send", medians, size=NAMES.get(size, size), store="warm")
            report("send", size, medians, store="warm")
        shutil.rmtree(folder / f"warm-{size}")
        fresh(folder, path, size)


def fresh(folder, path, size):
    """As send, but each time into a new store and a new file."""
    with Place(folder / "peers") as peers:
        def ours():
            with Place(folder / "fresh", peers=False) as place:
                seconds = place.send(path)[0].seconds
            shutil.rmtree(folder / "fresh")
            return seconds

        def theirs():
            target = shlex.quote(str(peers.ssh.store / "fresh"))
            remote = peers.ssh.command(f"cat > {target} && sync {target}")
            seconds = shell(f"age -r {peers.age.recipient} {quoted([path])} | {quoted(remote)}")
            os.unlink(peers.ssh.store / "fresh")
            return seconds

        report("send", size, in_turns({"satchel": ours, "age | ssh cat, sync": theirs}), store="fresh")
    shutil.rmtree(folder / "peers")


def get(folder):
    """Time of a verified, durable get."""
    for size in SIZES:
        path = make_file(folder / "file", size)
        with Place(folder / f"get-{size}") as place:
            _, tid = place.send(path)
            store = place.ssh.store
            shutil.copy(path, store / "plain")
            subprocess.run(["age", "-r", place.age.recipient, "-o", str(store / "age"), str(path)], check=True)
            remote = quoted(place.ssh.command(f"cat {store}/age"))
            out = folder / "got"
            decrypt = f"age -d -i {quoted([place.age.identity])} -o {quoted([out])}"
            file = place.command(place.bob, "get", tid, "-o", out, "--force")
            contenders = {
                "satchel": both_ends(place.daemon.process, lambda: run(file)),
                "ssh cat | age -d, sync": lambda: shell(f"{remote} | {decrypt} && sync {quoted([out])}"),
                "scp": both_ends(place.ssh.process, lambda: run(place.ssh.scp(f"peer:{store}/plain", out))),
            }
            if size >= MIB:
                bare("send", path, folder / "bare")
                contenders[BARE] = lambda: bare("get", folder / "bare-got", folder / "bare")
            medians = in_turns(contenders)
            bound("get", medians, size=NAMES.get(size, size), to="file")
            report("get", size, medians, to="file")
            out.unlink()
            pipe = [arg for arg in place.command(place.bob, "get", tid, "-o", "-") if arg != "--json"]
            contenders = {
                "satchel": lambda: shell(f"{quoted(pipe)} | cat > /dev/null"),
                "ssh cat | age -d": lambda: shell(f"{remote} | age -d -i {quoted([place.age.identity])} | cat > /dev/null"),
            }
            if size >= MIB:
                contenders[BARE] = lambda: bare("get", "-", folder / "bare")
            medians = in_turns(contenders)
            bound("get", medians, size=NAMES.get(size, size), to="pipe")
            report("get", size, medians, to="pipe")
        shutil.rmtree(folder / f"get-{size}")


def folder_(folder):
    """A folder of small files sent and received, against tar through ssh into tar; neither is synced by the peer."""
    source = folder / "files"
    for i in range(FILES):
        path = source / f"{i // 250:03}" / f"file-{i:05}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"{i} ".encode() * (i % 400 + 1))
    with Place(folder / "place") as place:
        rounds = iter(range(1 << 30))
        tar = f"tar -C {quoted([folder])} -c files"

        def ours():
            target = folder / f"got-{next(rounds)}"
            sent, tid = place.send(source)
            got = run(place.command(place.bob, "get", tid, "-o", f"{target}/"))
            place.drop(tid)
            shutil.rmtree(target)
            return sent.seconds + got.seconds

        def theirs():
            target = folder / f"tar-{next(rounds)}"
            target.mkdir()
            seconds = shell(f"{tar} | {quoted(place.ssh.command(f'tar -x -C {shlex.quote(str(target))}'))}")
            shutil.rmtree(target)
            return seconds

        medians = in_turns({"satchel": ours, "tar": theirs})
    say("folder", medians["satchel"], "s", "tar | ssh tar", medians["tar"], files=FILES, what="send and get",
        limit_ratio=1.0)


CASES = {"start": start, "memory": memory, "send": send, "get": get, "folder": folder_}
