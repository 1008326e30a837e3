#!/usr/bin/env python3
"""What a call of an operation in Python costs on a living worker, and a 64 MB array there and back.

    benches/plugins/run.py [PYTHON]

PYTHON is an interpreter with numpy (the default is the one this runs in). Beside: the same functions called in a
process pool of `multiprocessing`, which pickles arrays through a pipe. The programs take turns; what counts is the ratio.
"""

import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "plugins/python/src"
OPERATIONS = """
from flowstages import Context, Dataset, File, Metrics, Variable, operation

@operation
def nothing(context: Context) -> File:
    out = context.path()
    out.touch()
    return File(out)

@operation
def double(data: Dataset) -> Dataset:
    return Dataset(x=Variable(data["x"] * 2.0, ("i",)))
"""
CALLS, ROUNDS = 300, 5


class Worker:
    def __init__(self, python, folder):
        plugin = folder / "bench_ops.py"
        plugin.write_text(textwrap.dedent(OPERATIONS))
        start = f"import sys; sys.path[0] = {str(PACKAGE)!r}; from flowstages._worker import main; main()"
        self.process = subprocess.Popen(
            [python, "-c", start, "bench", str(plugin)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ
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


def main():
    sys.path.insert(0, str(PACKAGE))
    try:
        import numpy
    except ImportError:
        print("not measured: this python3 has no numpy")
        return
    from flowstages import Dataset, Variable

    python = sys.argv[1] if len(sys.argv) > 1 else sys.executable
    values = numpy.arange(8 << 20, dtype="f8")
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/dev/shm")) as name, multiprocessing.Pool(1) as pool:
        folder = Path(name)
        worker = Worker(python, folder)
        Dataset(x=Variable(values, ("i",))).write(folder / "in")
        inputs = {"data": [{"path": str(folder / "in"), "kind": "dataset", "digest": ""}]}
        figures = {"call": ([], []), "64 MB": ([], [])}

        def array(number):
            worker.call("double", inputs, folder / f"out{number}")
            subprocess.run(["rm", "-r", folder / f"out{number}"], check=True)

        for _ in range(ROUNDS):
            ours, theirs = figures["call"]
            ours.append(per_call(lambda n: worker.call("nothing", {}, folder / f"f{n}"), CALLS))
            theirs.append(per_call(lambda n: pool.apply(touch, (folder / f"g{n}",)), CALLS))
            ours, theirs = figures["64 MB"]
            ours.append(per_call(array, 3))
            theirs.append(per_call(lambda _: pool.apply(double, (values,)), 3))
        for what, (ours, theirs) in figures.items():
            ours, theirs = (statistics.median(times) * 1000 for times in (ours, theirs))
            print(f"{what:8} worker {ours:8.3f} ms   multiprocessing {theirs:8.3f} ms   ratio {ours / theirs:.2f}")
        worker.process.stdin.close()
        worker.process.wait()


if __name__ == "__main__":
    main()
