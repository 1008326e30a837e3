"""Runs our simulator and OPM Flow in turns on the same problems; see `run`."""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import cases
import deck

sys.path.append(str(Path(__file__).resolve().parents[1]))
from measure import cpu

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[1] / "plugins" / "ccs" / "tests" / "data"
# Both sides on one thread.
ONE = {**os.environ, "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
# What the stored reference solutions were made with: errors well below those of the default tolerances.
TIGHT = ["--tolerance-mb=1e-9", "--tolerance-cnv=1e-3", "--solver-max-time-step-in-days=60"]
# A case that takes OPM Flow longer than this is not waited for, s.
PATIENCE = 300
HOMO_GOAL, DRAWS_GOAL = 0.5, 0.25
# Saturations below this in both solutions are no plume; report times before this are not counted, days.
PLUME, FROM = 1e-3, 17.0


class Failed(Exception):
    """OPM Flow did not finish."""


class Flow:
    """Our side: one workflow in a store of its own, so that everything is computed."""

    def __init__(self, binary, folder, stages):
        self.binary, self.folder = binary, folder
        folder.mkdir()
        (folder / "bench.yaml").write_text(f"flow: 1\nname: bench\nstages:\n{stages}")

    def run(self, force=()):
        """CPU seconds of the program and its worker processes."""
        options = [word for stage in force for word in ("--force", stage)]
        command = [self.binary, "run", "bench.yaml", "--store", "store", "-j", "1", *options]
        return cpu(command, self.folder, ONE)

    def get(self, output):
        """A data set as arrays."""
        with np.load(self.export(output, "npz")) as file:
            return {name: file[name] for name in file.files}

    def table(self, output):
        """The rows of a table."""
        with open(self.export(output, "csv"), newline="") as file:
            return list(csv.DictReader(file))

    def export(self, output, form):
        path = self.folder / f"{output}.{form}"
        command = [self.binary, "get", "bench", output, str(path), "--overwrite", "--store", "store"]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
        return path


class Opm:
    """OPM Flow on one problem."""

    def __init__(self, folder, case, name):
        self.folder, self.active = folder, case["pv"] > 0.0
        self.times = len(case["times_days"])
        folder.mkdir()
        self.deck = folder / f"{name}.DATA"
        self.deck.write_text(deck.write(case, name))
        self.result = folder / "result.npz"

    def run(self, options=()):
        """CPU seconds of the simulation."""
        self.result.unlink(missing_ok=True)
        script = [sys.executable, HERE / "peer.py", self.deck, self.folder, self.result, str(self.times)]
        try:
            done = subprocess.run([*script, *options], env=ONE, capture_output=True, text=True, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failed(f"took longer than {PATIENCE} s") from None
        if done.returncode != 0:
            raise Failed(f"ended with status {done.returncode}: {done.stderr.strip()[-300:]}")
        answer = json.loads(done.stdout)
        if not answer["finished"]:
            raise Failed("did not reach the end")
        return answer["cpu_s"]

    def solution(self):
        """Saturation and pressure build-up, (time, active cells)."""
        with np.load(self.result) as file:
            return file["sg"], file["dp_bar"]


def differences(a, b, days):
    """Means over the report times from day 17 on: of mean |dS| in the plume, and of the relative L2 of dP."""
    plume, pressure = [], []
    for n in np.flatnonzero(days >= FROM):
        (sa, pa), (sb, pb) = ((s[n].ravel().astype(float), p[n].ravel().astype(float)) for s, p in (a, b))
        inside = np.maximum(sa, sb) > PLUME
        plume.append(np.abs(sa - sb)[inside].mean() if inside.any() else 0.0)
        pressure.append(np.linalg.norm(pa - pb) / np.linalg.norm(pb))
    return np.array([plume, pressure])


def say(label, errors):
    """One line: the errors' mean over time and their largest at any time, in percent."""
    (plume, pressure), (plume_max, pressure_max) = errors.mean(axis=1), errors.max(axis=1)
    print(
        f"  {label:34}{100 * plume:10.2f}{100 * plume_max:10.2f}{100 * pressure:12.2f}{100 * pressure_max:10.2f}"
    )


def heading():
    print(f"\n  {'percent':34}{'mean |dS|':>10}{'largest':>10}{'rel. L2 dP':>12}{'largest':>10}")


def verdict(what, value, goal, unit=""):
    print(f"  goal: {what} <= {goal}{unit}; here {value:.2f}: {'reached' if value <= goal else 'missed'}")


def homo(binary, scratch, rounds):
    """The homogeneous reservoir of 200 x 96 cells."""
    path = DATA / "homo_case.npz"
    case = cases.stored(path)
    days = case["times_days"]
    stages = f"  case: {{ uses: ccs/case, with: {{ file: {path} }}, resources: {{ cpus: 1 }} }}\n"
    ours = Flow(binary, scratch / "homo-flow", stages)
    theirs = Opm(scratch / "homo-opm", case, "HOMO")
    seconds = []
    for n in range(rounds):
        seconds.append((ours.run(force=["case"]), theirs.run()))
        print(f"HOMO, round {n + 1} of {rounds}: flow {seconds[-1][0]:.2f}, OPM Flow {seconds[-1][1]:.2f} s", flush=True)

    a, b = (statistics.median(side) for side in zip(*seconds, strict=True))
    ratio = statistics.median(x / y for x, y in seconds)
    print(f"\nHOMO, 200 x 96 cells, {len(days)} report times; CPU seconds on one thread, medians of {rounds}")
    print(f"  flow {a:.2f}, OPM Flow at its default tolerances {b:.2f}; median ratio {ratio:.2f}")
    with np.load(DATA / "homo_reference.npz") as file:
        reference = file["sg"], file["dp_bar"]
    solutions = ours.get("case.solutions")
    mine = solutions["saturation"][0], solutions["pressure_buildup"][0]
    heading()
    say("flow, against tight tolerances", differences(mine, reference, days))
    say("OPM Flow, against tight tolerances", differences(theirs.solution(), reference, days))
    say("flow, against OPM Flow", differences(mine, theirs.solution(), days))
    verdict("ratio", ratio, HOMO_GOAL)


def draws(binary, scratch, rounds, count):
    """Reservoirs of the default profile of workflows/ccs.yaml, 64 x 32 cells."""
    stages = (
        f"  geology: {{ uses: ccs/geology, with: {{ samples: {count}, seed: 7 }} }}\n"
        "  simulate:\n"
        "    uses: ccs/simulate\n"
        "    inputs: { reservoirs: geology.reservoirs }\n"
        "    resources: { cpus: 1 }\n"
    )
    ours = Flow(binary, scratch / "draws-flow", stages)
    ours.run()
    reservoirs, solutions = ours.get("geology.reservoirs"), ours.get("simulate.solutions")
    # What our side leaves out is listed, and no one's time is counted on it: OPM Flow turns the injector down
    # where its pressure limit is reached, which is another problem.
    left_out = ours.table("simulate.failures")
    solved = [int(sample) for sample in solutions["sample"]]
    if not solved:
        print("flow solved none of the draws")
        return
    peers = {}
    for sample in solved:
        problem = cases.drawn(reservoirs, list(reservoirs["sample"]).index(sample))
        peers[sample] = Opm(scratch / f"draw-{sample}", problem, f"DRAW{sample}")

    mine, theirs, lost = [], {sample: [] for sample in solved}, {}
    for turn in range(rounds):
        # The time spent on those left out stays in: it cannot be told apart, and is little.
        mine.append(ours.run(force=["simulate"]) / len(solved))
        for sample in [sample for sample in solved if sample not in lost]:
            try:
                theirs[sample].append(peers[sample].run())
            except Failed as error:
                lost[sample] = str(error)
        if len(lost) == len(solved):
            print(f"OPM Flow finished none of the draws; the last one: {lost[solved[-1]]}")
            return
        spent = statistics.mean(theirs[sample][turn] for sample in solved if sample not in lost)
        print(f"draws, round {turn + 1} of {rounds}: flow {mine[-1]:.3f}, OPM Flow {spent:.3f} s a case", flush=True)

    both = [sample for sample in solved if sample not in lost]
    each = [statistics.median(theirs[sample]) for sample in both]
    a, b = statistics.median(mine), statistics.mean(each)
    print(f"\n{count} draws of 64 x 32 cells; CPU seconds a case on one thread, medians of {rounds} rounds")
    print(f"  flow: mean {a:.3f} over the {len(solved)} that it solves")
    print(f"  OPM Flow at its default tolerances: mean {b:.3f}, median {statistics.median(each):.3f}, ", end="")
    print(f"largest {max(each):.2f}, over {len(both)} of them; ratio of means {a / b:.2f}")
    for row in left_out:
        print(f"  left out by flow: draw {row['sample']}: {row['message']}")
    for sample, reason in lost.items():
        print(f"  OPM Flow, draw {sample}: {reason}")

    names = ["flow, against tight tolerances", "OPM Flow, against tight tolerances", "flow, against OPM Flow"]
    rows = {name: [] for name in names}
    for sample in both:
        peer = peers[sample]
        where = solved.index(sample)
        us = tuple(solutions[name][where][:, peer.active] for name in ("saturation", "pressure_buildup"))
        them = peer.solution()
        try:
            peer.run(TIGHT)
        except Failed as error:
            print(f"  OPM Flow with tight tolerances, draw {sample}: {error}")
            continue
        tight = peer.solution()
        for row, (x, y) in zip(rows.values(), [(us, tight), (them, tight), (us, them)], strict=True):
            row.append(differences(x, y, solutions["time"]))
    heading()
    for name, errors in rows.items():
        if errors:
            say(name, np.mean(errors, axis=0))
    verdict("flow", a, DRAWS_GOAL, " s a case")


def main():
    arguments = argparse.ArgumentParser(description="Our simulator and OPM Flow in turns on the same problems.")
    arguments.add_argument("flow", help="the program")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--draws", type=int, default=12, help="number of 64 x 32 cases; 0 for none")
    arguments.add_argument("--no-homo", action="store_true", help="leave the 200 x 96 case out")
    options = arguments.parse_args()
    if options.rounds < 1 or options.draws < 0:
        arguments.error("at least one round, and not fewer than no draws")
    load = os.getloadavg()[0]
    try:
        with tempfile.TemporaryDirectory() as scratch:
            if not options.no_homo:
                homo(options.flow, Path(scratch), options.rounds)
                print()
            if options.draws:
                draws(options.flow, Path(scratch), options.rounds, options.draws)
    except (Failed, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"\nload average {load:.1f} at the start, {os.getloadavg()[0]:.1f} at the end")
    return 0


if __name__ == "__main__":
    sys.exit(main())
