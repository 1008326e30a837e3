#!/usr/bin/env python3
"""What operations in Python cost.

    benches/plugins/run.py [--nodes 1000]

1. A call on a living worker, beside a call in a process pool of `multiprocessing`.
2. A node of a workflow, with all that is recorded of it, beside tasks of redun and luigi: what each further one costs.
3. An array of 64 MB there and back, beside pickle (`multiprocessing`) and msgpack on a pipe.

Peers are installed by pip into a virtual environment outside the tree; without that, what needs them is left out, and so
is what needs `flow` where it is neither built nor named by FLOW_BIN. The sides take turns; what counts is the ratio.
"""

import argparse
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "plugins/python/src"
PEERS = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "flow-bench" / "plugins"
NEEDED = ["numpy", "redun", "luigi", "msgpack"]
OPERATIONS = """
from flowstages import Context, Dataset, File, Metrics, Variable, operation

@operation
def nothing(context: Context, number: int = 0) -> File:
    out = context.path()
    out.touch()
    return File(out)

@operation
def double(data: Dataset) -> Dataset:
    return Dataset(x=Variable(data["x"] * 2.0, ("i",)))
"""
REDUN = """
import sys
from pathlib import Path
from redun import Scheduler, task
from redun.config import Config

redun_namespace = "bench"

@task()
def nothing(number, folder):
    Path(folder, str(number)).touch()
    return number

@task()
def main(count, folder):
    return [nothing(number, folder) for number in range(count)]

scheduler = Scheduler(config=Config({"backend": {"db_uri": "sqlite:///redun.db"}, "scheduler": {"progress_interval": "0"}}))
scheduler.load()
scheduler.run(main(int(sys.argv[1]), "."))
"""
LUIGI = """
import sys
import luigi

class Nothing(luigi.Task):
    number = luigi.IntParameter()
    def output(self):
        return luigi.LocalTarget(f"out/{self.number}")
    def run(self):
        with self.output().open("w"):
            pass

done = luigi.build([Nothing(n) for n in range(int(sys.argv[1]))], local_scheduler=True, workers=1, log_level="ERROR")
assert done
"""
MSGPACK = """
import os, struct, sys
import msgpack, numpy

stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
while head := stdin.read(8):
    values = numpy.frombuffer(msgpack.unpackb(stdin.read(*struct.unpack("<Q", head)))["x"], "f8")
    reply = msgpack.packb({"x": (values * 2.0).data.cast("B")})
    stdout.write(struct.pack("<Q", len(reply)))
    stdout.write(reply)
    stdout.flush()
"""
CALLS, ROUNDS = 300, 5


def peers():
    """A Python with the peers, or this one."""
    python = PEERS / "bin/python"
    try:
        if not python.exists():
            venv.create(PEERS, with_pip=True)
        done = subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *NEEDED], check=False
        )
        if done.returncode == 0:
            return str(python)
        print("pip could not install the peers: what needs them is left out")
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"no virtual environment ({error}): what needs peers is left out")
    return sys.executable


def program():
    """The `flow` to measure; none where there is none."""
    if named := os.environ.get("FLOW_BIN"):
        return str(Path(named).resolve())
    if shutil.which("cargo") is None:
        return None
    subprocess.run(["cargo", "build", "--release", "--workspace"], cwd=ROOT, check=True)
    return str(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "flow")


def has(*modules):
    import importlib.util

    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        print(f"left out: this Python has no {', '.join(missing)}")
    return not missing


class Worker:
    def __init__(self, folder):
        plugin = folder / "bench_ops.py"
        plugin.write_text(textwrap.dedent(OPERATIONS))
        start = f"import sys; sys.path[0] = {str(PACKAGE)!r}; from flowstages._worker import main; main()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", start, "bench", str(plugin)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.say({"type": "hello", "protocol": 1, "engine": "bench"})

    def say(self, request):
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        reply = json.loads(self.process.stdout.readline())
        assert reply["type"] in ("hello", "done"), reply

    def call(self, operation, inputs, output):
        job = {"type": "run", "id": 1, "node": "n", "operation": f"bench/{operation}", "params": {}, "seed": 0}
        self.say({**job, "threads": 1, "inputs": inputs, "outputs": {"result": str(output)}})


def touch(path):
    Path(path).touch()


def double(values):
    return values * 2.0


def per_call(function, count):
    begin = time.perf_counter()
    for number in range(count):
        function(number)
    return (time.perf_counter() - begin) / count


def told(what, sides):
    """Prints the medians of sides, ours first, and the ratios."""
    (_, ours), *theirs = [(name, statistics.median(times)) for name, times in sides.items()]
    unit, scale = ("s", 1.0) if ours > 1 else ("ms", 1e3)
    print(f"{what}\n  flow {ours * scale:11.3f} {unit}")
    for name, value in theirs:
        print(f"  {name:16}{value * scale:11.3f} {unit}   ratio {ours / value:.3f}")


def calls(folder, pool):
    worker = Worker(folder)
    sides = {"flow": [], "multiprocessing": []}
    for _ in range(ROUNDS):
        sides["flow"].append(per_call(lambda n: worker.call("nothing", {}, folder / f"f{n}"), CALLS))
        sides["multiprocessing"].append(per_call(lambda n: pool.apply(touch, (folder / f"g{n}",)), CALLS))
    told("a call on a living worker", sides)
    return worker


def arrays(folder, pool, worker):
    import numpy

    sys.path.insert(0, str(PACKAGE))
    from flowstages import Dataset, Variable

    values = numpy.arange(8 << 20, dtype="f8")
    Dataset(x=Variable(values, ("i",))).write(folder / "in")
    inputs = {"data": [{"path": str(folder / "in"), "kind": "dataset", "digest": ""}]}
    sides = {"flow": [], "pickle on a pipe": []}

    def array(number):
        out = folder / f"out{number}"
        worker.call("double", inputs, out)
        assert Dataset.open(out)["x"][-1] == values[-1] * 2
        shutil.rmtree(out)

    other = None
    if has("msgpack"):
        import struct

        import msgpack

        sides["msgpack on a pipe"] = []
        other = subprocess.Popen([sys.executable, "-c", MSGPACK], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

        def packed(_):
            request = msgpack.packb({"x": values.data.cast("B")})
            other.stdin.write(struct.pack("<Q", len(request)))
            other.stdin.write(request)
            other.stdin.flush()
            reply = msgpack.unpackb(other.stdout.read(*struct.unpack("<Q", other.stdout.read(8))))
            assert numpy.frombuffer(reply["x"], "f8")[-1] == values[-1] * 2

    for _ in range(ROUNDS):
        sides["flow"].append(per_call(array, 1))
        sides["pickle on a pipe"].append(per_call(lambda _: pool.apply(double, (values,)), 1))
        if other:
            sides["msgpack on a pipe"].append(per_call(packed, 1))
    told("64 MB there and back", sides)
    if other:
        other.stdin.close()
        other.wait()


def seconds(command, cwd):
    begin = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout[-2000:]}")
    return time.perf_counter() - begin


def nodes(flow, folder, count):
    if flow is None or not has("redun", "luigi"):
        return
    (folder / "ops.py").write_text(OPERATIONS)
    (folder / "redun_tasks.py").write_text(REDUN)
    (folder / "luigi_tasks.py").write_text(LUIGI)
    # The interpreter that this runs in, as `python3`.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    os.environ["PATH"] = path

    def of_flow(n):
        (folder / "w.yaml").write_text(
            f"flow: 1\nname: w\nplugins: {{ ops: {{ python: ops.py }} }}\nstages:\n  n:\n    uses: ops/nothing\n"
            f"    matrix: {{ i: {list(range(n))} }}\n    with: {{ number: '${{{{ matrix.i }}}}' }}\n"
        )
        shutil.rmtree(folder / ".flow", ignore_errors=True)
        return seconds([flow, "run", "w.yaml", "-j", "1"], folder)

    def of_redun(n):
        (folder / "redun.db").unlink(missing_ok=True)
        return seconds([sys.executable, "redun_tasks.py", str(n)], folder)

    def of_luigi(n):
        shutil.rmtree(folder / "out", ignore_errors=True)
        (folder / "out").mkdir()
        return seconds([sys.executable, "luigi_tasks.py", str(n)], folder)

    sides = {"flow": [], "redun": [], "luigi": []}
    for _ in range(3):
        for name, one in zip(sides, [of_flow, of_redun, of_luigi]):
            sides[name].append((one(count) - one(1)) / (count - 1))
    told(f"each further node of {count}, recorded", sides)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    arguments.add_argument("--nodes", type=int, default=1000)
    arguments.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if not options.inside:
        os.execv(python := peers(), [python, __file__, *sys.argv[1:], "--inside"])
    if not has("numpy"):
        return
    flow = program()
    print(f"load at the start {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/dev/shm")) as name, multiprocessing.Pool(1) as pool:
        folder = Path(name)
        worker = calls(folder, pool)
        arrays(folder, pool, worker)
        worker.process.stdin.close()
        worker.process.wait()
        nodes(flow, folder, options.nodes)
    print(f"load at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
