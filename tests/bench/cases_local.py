# SPDX-License-Identifier: Apache-2.0
"""Benchmarks without a network: sealing, the key network, and the bare pipeline."""
import importlib.util
import json
import os

from cases import MIB, SIZES, Place, report
from harness import TREE, Daemon, make_file, program
from measure import in_turns, run, say
from peers import Age

PICTURE = TREE / "tests" / "data" / "picture.jpg"

TORCH = """
import sys, time, torch
torch.set_num_threads(1)
sizes, batch = (256, 512, 512, 1024), int(sys.argv[1])
layers = []
for a, b in zip(sizes, sizes[1:]):
    layers += [torch.nn.Linear(a, b), torch.nn.ReLU()]
net = torch.nn.Sequential(*layers[:-1]).eval()
with torch.no_grad():
    x = torch.rand(batch, 256)
    net(x)
    count, start = 0, time.process_time()
    while time.process_time() < start + 3:
        net(x)
        count += batch
    print(count / (time.process_time() - start))
"""


def seal(folder):
    """A file encrypted into another one, without a server; synced by nobody."""
    size = max(SIZES)
    path = make_file(folder / "file", size)
    age = Age(folder)
    out = folder / "out"
    openssl = ["openssl", "enc", "-aes-256-ctr", "-pbkdf2", "-pass", "pass:bench", "-in", path, "-out", out]
    medians = in_turns({
        "satchel": lambda: run([program("bench_seal"), path, out]).seconds,
        "age": lambda: run(["age", "-r", age.recipient, "-o", out, path]).seconds,
        "openssl enc, aes-256-ctr": lambda: run(openssl).seconds,
        "copy": lambda: run([program("bench_seal"), "--copy", path, out]).seconds,
    })
    ours = medians.pop("satchel")
    # Reading and writing is in all of them: no ratio of ours can be below this one.
    say("seal.bound", medians.pop("copy"), "s", "age", medians["age"], size=size, what="read and written, not sealed")
    for peer, seconds in medians.items():
        more = {"limit_ratio": 0.63} if peer == "age" else {}
        say("seal", ours, "s", peer, seconds, size=size, **more)


def share(folder):
    """From fresh seeds to body shares on one core, and the network alone, against the same in torch where it is."""
    daemon = Daemon(folder / "daemon")
    weights, count = daemon.data / "keynet.weights", 262144

    def ours(*args):
        return float(run([program("bench_share"), weights, *map(str, args)]).out)

    rate = in_turns({"satchel": lambda: ours("shares", 3)})["satchel"]
    say("share", rate, "shares/CPU s", what="seed to body share, one thread, batches", least=80000)
    half = int(rate / 2)
    waits = in_turns({"satchel": lambda: ours("wait", half, 3)})["satchel"]
    say("share.p99", waits, "ms", what="at half that rate", rate=half, limit=5)
    raw = run([program("satcheld"), "shares", "--data", daemon.data, "--raw", "--count", str(count)])
    say("share.raw", raw.seconds, "s", count=count, cpu_seconds=round(raw.cpu, 2), limit=10)
    for batch, target in ((8, 8), (256, 3.5)):
        contenders = {"satchel": lambda b=batch: ours("net", b, 3)}
        if importlib.util.find_spec("torch"):
            contenders["torch"] = lambda b=batch: float(run(["/usr/bin/python3", "-c", TORCH, str(b)]).out)
        medians = in_turns(contenders)
        say("share.network", medians["satchel"], "inputs/CPU s", *(["torch, float, one thread", medians["torch"]]
                                                               if "torch" in medians else []),
            batch=batch, least_ratio=target)


def preview(folder):
    """Learned previews: making and showing one, and training the layers that repair, beside torch where it is."""
    weights = TREE / "models" / "weights" / "general.weights"
    for what in ("encode", "decode"):
        took = in_turns({"satchel": lambda w=what: float(run([program("bench-preview"), w, weights, PICTURE]).out)})
        say(f"preview.{what}", took["satchel"], "CPU ms", what="256 bytes, one thread", limit=20)
    contenders = {"satchel": lambda: float(run([program("bench-preview"), "train", "3"]).out)}
    if importlib.util.find_spec("torch"):
        contenders["torch"] = lambda: float(run([TREE / "tests" / "bench" / "torch_repair.py", "3"]).out)
    rate = in_turns(contenders)
    say("preview.train", rate["satchel"], "pictures/CPU s",
        *(["torch, one thread", rate["torch"]] if "torch" in rate else []), what="layers that repair", least_ratio=2.5)


def pipeline(folder):
    """Our send and get against a bare program of the same steps, on a store whose pages exist."""
    for size in (size for size in SIZES if size >= MIB):
        path = make_file(folder / "file", size)
        bare = [program("bench_pipeline")]

        def steps(*args):
            done = json.loads(run([*bare, *args]).err)
            return done["seconds"], done["cpu_client"] + done["cpu_server"]

        with Place(folder / f"place-{size}", peers=False) as place:
            def ours():
                done, tid = place.send(path)
                place.drop(tid)
                return done.seconds

            ours()
            steps("send", path, folder / "store")
            report("pipeline", size, in_turns({
                "satchel": ours,
                "the steps of a send": lambda: steps("send", path, folder / "store")[0],
            }), limit_ratio=1.3)
            _, tid = place.send(path)
            report("pipeline", size, in_turns({
                "satchel": lambda: run(place.command(place.bob, "get", tid, "-o", folder / "got", "--force")).seconds,
                "the steps of a get": lambda: steps("get", folder / "bare", folder / "store")[0],
            }))
        for name in ("got", "bare"):
            os.unlink(folder / name)


CASES = {"pipeline": pipeline, "preview": preview, "seal": seal, "share": share}
