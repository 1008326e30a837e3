#!/usr/bin/env python3
"""What a node costs: flow beside ninja and Snakemake, on the same graph, in one run.

Question: how much CPU time (user and system, the whole process tree) goes into running 1,000 trivial nodes
and a join of them, into a second run that finds everything done, and into a cached run of ten nodes?

The same graph for each: N nodes that write one line, and one that joins them. flow's nodes are its built-in
`demo/text` and `demo/join`; ninja and Snakemake run `echo` for each, since they have no built-in work. Two more
graphs have the same shell lines for flow and for ninja: "echo", which a shell does itself, and "cp", which starts a
program, as most lines do. flow names its results by content and keeps where they came from; ninja compares time
stamps.

    benches/engine/run.py [--nodes 1000] [--rounds 5] [--snakemake-rounds 1]

The programs take turns. ninja and Snakemake are installed by pip into a virtual environment outside the tree;
where that does not work, they are skipped with a message. FLOW_BIN names a program to measure instead of
building it. Compare ratios, not seconds: machines differ, and load counts.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))
from measure import cpu

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "flow-bench-peers"


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


LINES = {"echo": "echo line {n} > {out}", "cp": "cp {source} {out}"}


def sources(folder, n):
    (folder / "s").mkdir()
    for i in range(n):
        (folder / "s" / str(i)).write_text(f"line {i}\n")


def program_workflow(line):
    def write(folder, n):
        sources(folder, n)
        numbers = ", ".join(str(i) for i in range(n))
        run = LINES[line].format(n="${{ matrix.n }}", source="${{ inputs.source }}", out="${{ outputs.text }}")
        inputs = '{ source: { path: "s/${{ matrix.n }}" } }' if line == "cp" else "{}"
        (folder / "w.yaml").write_text(
            f"""flow: 1
name: fan
stages:
  part:
    uses: exec/run
    matrix: {{ n: [{numbers}] }}
    inputs: {inputs}
    with: {{ run: "{run}" }}
    outputs: {{ text: file }}
  all:
    uses: exec/run
    inputs: {{ parts: [part.text] }}
    with: {{ run: "xargs cat < ${{{{ inputs.parts.list }}}} > ${{{{ outputs.text }}}}" }}
    outputs: {{ text: file }}
"""
        )

    return write


def ninja_workflow(line):
    def write(folder, n):
        sources(folder, n)
        parts = " ".join(f"p/{i}" for i in range(n))
        run = LINES[line].format(n="$n", source="s/$n", out="$out")
        lines = [f"rule text\n  command = {run}", "rule join\n  command = cat p/* > $out"]
        lines += [f"build p/{i}: text\n  n = {i}" for i in range(n)]
        (folder / "build.ninja").write_text("\n".join([*lines, f"build all: join {parts}", "default all", ""]))

    return write


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


class Side:
    """A program, its workflow, and what it took."""

    def __init__(self, name, command, clean, folder, rounds):
        self.name, self.command, self.clean, self.folder, self.rounds = name, command, clean, folder, rounds
        self.cold, self.idle = [], []

    def turn(self):
        """One run from nothing, and one with nothing to do."""
        # Moved, not deleted: a file system may look long for places of files that were deleted just now.
        aside = Path(tempfile.mkdtemp(dir=self.folder.parent))
        for name in self.clean:
            if (self.folder / name).exists():
                (self.folder / name).rename(aside / name)
        self.cold.append(1e3 * cpu(self.command, self.folder))
        self.idle.append(1e3 * cpu(self.command, self.folder))

    def medians(self):
        return statistics.median(self.cold), statistics.median(self.idle)


def take_turns(sides):
    for turn in range(max(side.rounds for side in sides)):
        for side in sides:
            if turn < side.rounds:
                side.turn()


def syncs(command, folder):
    """How often the program asks for a sync to disk in a cold run; None where strace is missing."""
    if not shutil.which("strace"):
        return None
    log = folder / "strace.log"
    calls = "trace=fsync,fdatasync,sync,syncfs"
    subprocess.run(["strace", "-f", "-e", calls, "-o", str(log), *command], cwd=folder, capture_output=True, check=False)
    return len(re.findall(r"(?:fsync|fdatasync|sync|syncfs)\(", log.read_text()))


def program():
    """The program to measure."""
    if named := os.environ.get("FLOW_BIN"):
        return str(Path(named).resolve())
    subprocess.run(["cargo", "build", "--release", "--workspace"], cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return str(target / "release" / "flow")


def verdict(what, value, goal, unit):
    print(f"  {what:26}{value:8.3g} {unit:8} goal <= {goal}: {'reached' if value <= goal else 'missed'}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    arguments.add_argument("--nodes", type=int, default=1000)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--snakemake-rounds", type=int, default=1, help="it takes half a minute a round; 0: leave it out")
    options = arguments.parse_args()

    flow = program()
    found = peers()
    jobs = str(os.cpu_count())
    n, rounds = options.nodes, options.rounds
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as scratch:

        def folder(name, write, n):
            path = Path(scratch) / name
            path.mkdir()
            write(path, n)
            return path

        run = [flow, "run", "w.yaml", "-j", jobs]
        fan = folder("flow", flow_workflow, n)
        sides = [Side("flow", run, [".flow"], fan, rounds)]
        pairs = {}
        for line in LINES:
            programs = Side(f"{line} lines", run, [".flow"], folder(f"flow-{line}", program_workflow(line), n), rounds)
            sides.append(programs)
            if "ninja" in found:
                command, clean = [found["ninja"], "-j", jobs], ["p", "all", ".ninja_log", ".ninja_deps"]
                path = folder(f"ninja-{line}", ninja_workflow(line), n)
                pairs[line] = (programs, Side(f"ninja {line}", command, clean, path, rounds))
                sides.append(pairs[line][1])
        if "snakemake" in found and options.snakemake_rounds:
            command, clean = [found["snakemake"], "--cores", jobs, "--quiet"], ["p", "all", ".snakemake"]
            path = folder("snakemake", snakemake_workflow, n)
            sides.append(Side("snakemake", command, clean, path, options.snakemake_rounds))
        take_turns(sides)
        ten = Side("ten", run, [".flow"], folder("ten", flow_workflow, 9), max(rounds, 9))
        take_turns([ten])
        (fan / ".flow").rename(Path(scratch) / "of-rounds")
        count = syncs(run, fan)

    flow_cold, flow_idle = sides[0].medians()
    print(f"\nfan of {n} and a join, {jobs} cores, CPU time (user + system, all processes), medians")
    print(f"{'':12}{'rounds':>8}{'cold, ms/node':>15}{'no-op, ms':>12}{'cold / flow':>13}{'no-op / flow':>14}")
    for side in sides:
        cold, idle = side.medians()
        row = f"{side.name:12}{side.rounds:8}{cold / (n + 1):15.3f}{idle:12.1f}"
        print(f"{row}{cold / flow_cold:13.2f}{idle / flow_idle:14.2f}")
    print("\nflow (goals are for 1000 nodes)")
    verdict("cold run", flow_cold / (n + 1), 0.5, "ms/node")
    verdict("run with nothing to do", flow_idle, 40, "ms")
    verdict("cached run of 10 nodes", ten.medians()[1], 20, "ms")
    for line, (programs, ninja) in pairs.items():
        verdict(f"{line} lines beside ninja", programs.medians()[0] / ninja.medians()[0], 1.2, "times")
    if count is None:
        print("  syncs to disk: not counted, strace is missing")
    else:
        verdict("syncs to disk, cold", count / (n + 1), 0.05, "per node")
    print(f"load average {load:.1f} at the start, {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    sys.exit(main())
