#!/usr/bin/env python3
"""What a node costs: flow beside ninja and Snakemake, on the same graph, in one run.

Question: how much CPU time (user and system, the whole process tree) goes into running 1,000 trivial nodes
and a join of them, into a second run that finds everything done, and into a cached run of ten nodes?

The same graph for each: N nodes that write one line, and one that joins them. flow's nodes are its built-in
`demo/text` and `demo/join`; ninja and Snakemake start `sh` or `cat` for each, since they have no built-in
work. flow names its results by content and keeps where they came from; ninja compares time stamps.

    benches/engine/run.py [--nodes 1000] [--repeat 5] [--snakemake-repeat 1] [--skip-build]

ninja and Snakemake are installed by pip into a virtual environment outside the tree; where that does not
work, they are skipped with a message. Compare ratios, not seconds: machines differ, and load counts.
"""

import argparse
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "flow-bench-peers"


def cpu(command, cwd):
    """CPU milliseconds of a command and all its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout[-2000:]}")
    return 1e3 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def flow_workflow(folder, n):
    numbers = ", ".join(str(i) for i in range(n))
    (folder / "w.yaml").write_text(
        f"""flow: 1
name: fan
stages:
  part:
    uses: demo/text
    matrix: {{ n: [{numbers}] }}
    with: {{ text: "line ${{{{ matrix.n }}}}" }}
  all: {{ uses: demo/join, inputs: {{ parts: [part.text] }} }}
"""
    )


def ninja_workflow(folder, n):
    parts = " ".join(f"p/{i}" for i in range(n))
    lines = ["rule text\n  command = echo line $n > $out", "rule join\n  command = cat p/* > $out"]
    lines += [f"build p/{i}: text\n  n = {i}" for i in range(n)]
    (folder / "build.ninja").write_text("\n".join([*lines, f"build all: join {parts}", "default all", ""]))


def snakemake_workflow(folder, n):
    (folder / "Snakefile").write_text(
        f"""rule all:
    input: expand("p/{{n}}", n=range({n}))
    output: "all"
    shell: "cat p/* > {{output}}"
rule text:
    output: "p/{{n}}"
    shell: "echo line {{wildcards.n}} > {{output}}"
"""
    )


def peers():
    """The commands of the peers that can be had."""
    try:
        if not (PEERS / "bin" / "python").exists():
            venv.create(PEERS, with_pip=True)
        pip = [PEERS / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"skipped ninja and Snakemake: no virtual environment ({error})")
        return {}
    found = {}
    for name in ["ninja", "snakemake"]:
        path = PEERS / "bin" / name
        if not path.exists():
            subprocess.run([*pip, name], check=False)
        system = shutil.which(name)
        if path.exists() or system:
            found[name] = str(path if path.exists() else system)
        else:
            print(f"skipped {name}: pip could not install it")
    return found


def measure(command, clean, folder, repeat):
    """Medians of cold runs and of runs with nothing to do."""
    cold, idle = [], []
    for _ in range(repeat):
        for name in clean:
            shutil.rmtree(folder / name, ignore_errors=True)
            (folder / name).unlink(missing_ok=True)
        cold.append(cpu(command, folder))
        idle.append(cpu(command, folder))
    return statistics.median(cold), statistics.median(idle)


def syncs(command, folder):
    """How often the program asks for a sync to disk in a cold run; None where strace is missing."""
    if not shutil.which("strace"):
        return None
    log = folder / "strace.log"
    calls = "trace=fsync,fdatasync,sync,syncfs"
    subprocess.run(["strace", "-f", "-e", calls, "-o", str(log), *command], cwd=folder, capture_output=True, check=False)
    return len(re.findall(r"(?:fsync|fdatasync|sync|syncfs)\(", log.read_text()))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    arguments.add_argument("--nodes", type=int, default=1000)
    arguments.add_argument("--repeat", type=int, default=5)
    arguments.add_argument("--snakemake-repeat", type=int, default=1, help="it takes half a minute a run")
    arguments.add_argument("--skip-build", action="store_true")
    options = arguments.parse_args()

    build = ["cargo", "build", "--release", "-p", "flow-cli", "--no-default-features", "--features", "demo"]
    if not options.skip_build:
        subprocess.run(build, cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    flow = str(target / "release" / "flow")
    found = peers()
    jobs = str(os.cpu_count())

    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        def folder(name, write, n):
            path = Path(scratch) / name
            path.mkdir()
            write(path, n)
            return path

        n = options.nodes
        run = [flow, "run", "w.yaml", "-j", jobs]
        fan = folder("flow", flow_workflow, n)
        rows.append(("flow", *measure(run, [".flow"], fan, options.repeat)))
        if "ninja" in found:
            command = [found["ninja"], "-j", jobs]
            path = folder("ninja", ninja_workflow, n)
            rows.append(("ninja", *measure(command, ["p", "all", ".ninja_log", ".ninja_deps"], path, options.repeat)))
        if "snakemake" in found:
            command = [found["snakemake"], "--cores", jobs, "--quiet"]
            path = folder("snakemake", snakemake_workflow, n)
            repeat = options.snakemake_repeat
            rows.append(("snakemake", *measure(command, ["p", "all", ".snakemake"], path, repeat)))
        _, ten = measure(run, [".flow"], folder("ten", flow_workflow, 9), max(options.repeat, 9))
        shutil.rmtree(fan / ".flow")
        count = syncs(run, fan)

    _, flow_cold, flow_idle = rows[0]
    print(f"\nfan of {n} and a join, {jobs} cores, CPU time (user + system), medians")
    print(f"{'':12}{'cold, ms/node':>15}{'no-op, ms':>12}{'cold / flow':>13}{'no-op / flow':>14}")
    for name, cold, idle in rows:
        print(f"{name:12}{cold / (n + 1):15.3f}{idle:12.1f}{cold / flow_cold:13.1f}{idle / flow_idle:14.1f}")
    print(f"\nflow, cached run of 10 nodes: {ten:.1f} ms")
    if count is not None:
        print(f"flow, syncs per node, cold: {count / (n + 1):.4f}")
    print("goals: cold <= 0.5 ms/node, no-op <= 40 ms, cached run of 10 nodes <= 20 ms, syncs <= 0.05 per node")


if __name__ == "__main__":
    sys.exit(main())
