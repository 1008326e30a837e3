#!/usr/bin/env python3
"""How long scientific workflows take: flow beside ninja, and beside what no scheduler can beat.

Question: how far is the elapsed time from the larger of (all work / workers) and the longest path through the graph?

The graphs have the shapes of published workflows: Montage (mosaics of the sky: overlapping pairs, one fit of all,
wide fan-in), Epigenomics (lanes of parallel pipelines that are merged), 1000Genome (many tasks that each read one of
a few merged files), SoyKB (long pipelines for each sample, then one task for each chromosome that reads all of
them). Their tasks sleep, for times drawn from a log-normal distribution, and write a file that the next ones read.
Sleeping leaves the processors to the schedulers; so more workers than cores make sense. What such a line takes beside
its sleep, which is the start of three programs, is measured by itself and counted as work.

    benches/engine/shapes.py [--workers 6] [--mean-ms 100] [--rounds 3]

ninja runs the same tasks in turn. FLOW_BIN names a program to measure instead of building it.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from run import peers, program


def epigenomics(lanes=4, chunks=20):
    """Task: the tasks that it reads."""
    tasks, merged = {}, []
    for lane in range(lanes):
        split = f"split_{lane}"
        tasks[split] = []
        maps = []
        for chunk in range(chunks):
            before = split
            for step in ["filter", "sanger", "bfq", "map"]:
                task = f"{step}_{lane}_{chunk}"
                tasks[task] = [before]
                before = task
            maps.append(before)
        tasks[f"merge_{lane}"] = maps
        merged.append(f"merge_{lane}")
    return tasks | {"merge": merged, "index": ["merge"], "pileup": ["index"]}


def montage(images=60):
    projects = [f"project_{i}" for i in range(images)]
    tasks = {project: [] for project in projects}
    pairs = [(i, j) for i in range(images) for j in (i + 1, i + 2, i + 8) if j < images]
    fits = {f"diff_{i}_{j}": [projects[i], projects[j]] for i, j in pairs}
    tasks |= fits | {"concat": list(fits), "model": ["concat"]}
    backgrounds = {f"background_{i}": [projects[i], "model"] for i in range(images)}
    return tasks | backgrounds | {"table": list(backgrounds), "add": ["table", *backgrounds], "view": ["add"]}


def genome(chromosomes=8, parts=25, populations=7):
    tasks = {}
    for c in range(chromosomes):
        individuals = {f"individuals_{c}_{i}": [] for i in range(parts)}
        tasks |= individuals | {f"merge_{c}": list(individuals), f"sifting_{c}": []}
        for p in range(populations):
            for kind in ["overlap", "frequency"]:
                tasks[f"{kind}_{c}_{p}"] = [f"merge_{c}", f"sifting_{c}"]
    return tasks


def soykb(samples=12, chromosomes=20):
    tasks, ready = {}, []
    for s in range(samples):
        before = []
        for step in ["align", "sort", "dedup", "groups", "target", "realign"]:
            tasks[f"{step}_{s}"] = before
            before = [f"{step}_{s}"]
        ready += before
    for s, realigned in enumerate(ready):
        tasks |= {f"call_{s}_{c}": [realigned] for c in range(chromosomes)}
    genotypes = {f"genotype_{c}": [f"call_{s}_{c}" for s in range(samples)] for c in range(chromosomes)}
    tasks |= genotypes | {"combine": list(genotypes), "snp": ["combine"], "indel": ["combine"]}
    return tasks | {"filter_snp": ["snp"], "filter_indel": ["indel"]}


def line(duration, reads, writes):
    return f"sleep {duration:.3f}; cat {reads} > {writes}" if reads else f"sleep {duration:.3f}; echo > {writes}"


def flow_workflow(folder, tasks, durations):
    text = "flow: 1\nname: shape\nstages:\n"
    for task, reads in tasks.items():
        run = line(durations[task], "${{ inputs.before }}" if reads else "", "${{ outputs.file }}")
        inputs = f"    inputs: {{ before: [{', '.join(f'{other}.file' for other in reads)}] }}\n" if reads else ""
        # Its name is in the line, so that no two tasks are the same.
        text += f"  {task}:\n    uses: exec/run\n{inputs}    with: {{ run: \"{run}; : {task}\" }}\n"
        text += "    outputs: { file: file }\n"
    (folder / "w.yaml").write_text(text)


def ninja_workflow(folder, tasks, durations):
    text = "rule task\n  command = $line\n"
    for task, reads in tasks.items():
        files = " ".join(f"out/{other}" for other in reads)
        text += f"build out/{task}: task {files}\n  line = {line(durations[task], files, f'out/{task}')}\n"
    (folder / "build.ninja").write_text(text)


def longest_path(tasks, durations):
    ends = {}
    for task, reads in tasks.items():
        ends[task] = durations[task] + max((ends[other] for other in reads), default=0.0)
    return max(ends.values())


def bare(folder, count=50):
    """Seconds that a line takes beside its sleep."""
    (folder / "in").touch()
    took = []
    for _ in range(count):
        started = time.monotonic()
        subprocess.run(["bash", "-euo", "pipefail", "-c", line(0, "in", "out")], cwd=folder, check=True)
        took.append(time.monotonic() - started)
    return statistics.median(took)


def elapsed(command, folder, clean):
    aside = Path(tempfile.mkdtemp(dir=folder.parent))
    for name in clean:
        if (folder / name).exists():
            (folder / name).rename(aside / name)
    started = time.monotonic()
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - started


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    arguments.add_argument("--workers", type=int, default=6)
    arguments.add_argument("--mean-ms", type=float, default=100.0)
    arguments.add_argument("--rounds", type=int, default=3)
    options = arguments.parse_args()
    flow, ninja, workers = program(), peers().get("ninja"), str(options.workers)
    shapes = {"Montage": montage(), "Epigenomics": epigenomics(), "1000Genome": genome(), "SoyKB": soykb()}
    print(f"\n{workers} workers, tasks of {options.mean_ms:g} ms on average; best of {options.rounds} rounds, in turns")
    print(f"{'':14}{'tasks':>7}{'bound, s':>10}{'flow, s':>10}{'ninja, s':>10}{'flow / bound':>14}{'less 1 ms a node':>18}")
    with tempfile.TemporaryDirectory() as scratch:
        extra = bare(Path(scratch))
        for name, tasks in shapes.items():
            draw = random.Random(name)
            sigma = 0.8
            durations = {task: options.mean_ms / 1e3 * draw.lognormvariate(-sigma**2 / 2, sigma) for task in tasks}
            work = {task: duration + extra for task, duration in durations.items()}
            bound = max(sum(work.values()) / options.workers, longest_path(tasks, work))
            sides = {}
            for side, write in {"flow": flow_workflow, "ninja": ninja_workflow}.items():
                folder = sides[side] = Path(scratch) / f"{name}-{side}"
                folder.mkdir()
                write(folder, tasks, durations)
            ours, theirs = [], []
            for _ in range(options.rounds):
                ours.append(elapsed([flow, "run", "w.yaml", "-j", workers], sides["flow"], [".flow"]))
                if ninja:
                    theirs.append(elapsed([ninja, "-j", workers], sides["ninja"], ["out", ".ninja_log", ".ninja_deps"]))
            best = min(ours)
            less = (best - 1e-3 * len(tasks)) / bound
            peer = f"{min(theirs):10.2f}" if theirs else f"{'':10}"
            row = f"{name:14}{len(tasks):7}{bound:10.2f}{best:10.2f}{peer}{best / bound:14.3f}{less:18.3f}"
            print(f"{row}  goal <= 1.10: {'reached' if less <= 1.10 else 'missed'}")
    print(f"a line takes {1e3 * extra:.1f} ms beside its sleep; load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    sys.exit(main())
