#!/usr/bin/env python3
"""Ten thousand nodes: what reading, planning and running them costs when nothing or one thing has changed.

Question: how much CPU time goes into planning a workflow of one stage that expands to 10,000 nodes and of one with
10,000 written stages; into a run that finds everything done; into a run in which one of the 10,000 and the node
that joins them have to be computed? And how much memory do they hold?

    benches/engine/scale.py [--nodes 10000] [--rounds 5]

ninja plans and runs the same graph in turn; it compares time stamps where flow compares contents. FLOW_BIN names a
program to measure instead of building it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from run import flow_workflow, ninja_workflow, peers, program, verdict

sys.path.append(str(Path(__file__).resolve().parents[1]))
from measure import cpu


def written_workflow(folder, n):
    stages = "".join(f'  s{i}:\n    uses: demo/text\n    with: {{ text: "line {i}" }}\n' for i in range(n))
    (folder / "w.yaml").write_text(f"flow: 1\nname: written\nstages:\n{stages}")


def peak_mib(command, folder):
    """The most memory that the coordinating process holds, in MiB: its workers are counted by themselves."""
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", 'cd "$0" && exec "$@" > /dev/null', str(folder), *command], os.environ)
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        raise RuntimeError(f"{command} failed")
    return usage.ru_maxrss / 1024


def lines(command, folder):
    """What a command prints, a JSON object a line."""
    return map(json.loads, subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout.splitlines())


def changed(flow, folder, number):
    """Changes one node: what a run then takes, how many nodes were planned to run, and how many did."""
    text = (folder / "w.yaml").read_text()
    one = text.replace("line ${{ matrix.n }}", f"line ${{{{ matrix.n + ({number} if matrix.n == 77 else 0) }}}}")
    (folder / "w.yaml").write_text(one)
    planned = sum(node["state"] == "run" for node in lines([flow, "plan", "w.yaml", "--format", "json"], folder))
    took = 1e3 * cpu([flow, "run", "w.yaml"], folder)
    executed = next(lines([flow, "runs", "--format", "json"], folder))["executed"]
    (folder / "w.yaml").write_text(text)
    return took, planned, executed


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    arguments.add_argument("--nodes", type=int, default=10_000)
    arguments.add_argument("--rounds", type=int, default=5)
    options = arguments.parse_args()
    flow, n = program(), options.nodes
    ninja = peers().get("ninja")
    with tempfile.TemporaryDirectory() as scratch:
        folders = {}
        writers = {"fan": flow_workflow, "written": written_workflow, "ninja": ninja_workflow("echo")}
        for name, write in writers.items():
            folders[name] = Path(scratch) / name
            folders[name].mkdir()
            write(folders[name], n)
        fan, written = folders["fan"], folders["written"]
        took = {name: [] for name in ["plan, expanded", "plan, written", "no-op", "one changed", "ninja, no-op"]}
        for _ in range(options.rounds):
            took["plan, expanded"].append(1e3 * cpu([flow, "plan", "w.yaml", "--store", "empty"], fan))
            took["plan, written"].append(1e3 * cpu([flow, "plan", "w.yaml"], written))
        cold = cpu([flow, "run", "w.yaml"], fan)
        peak = {"plan": peak_mib([flow, "plan", "w.yaml"], fan)}
        if ninja:
            cpu([ninja], folders["ninja"])
        counts = set()
        for number in range(1, options.rounds + 1):
            took["no-op"].append(1e3 * cpu([flow, "run", "w.yaml"], fan))
            one, planned, executed = changed(flow, fan, 100_000 * number)
            took["one changed"].append(one)
            counts.add((planned, executed))
            if ninja:
                took["ninja, no-op"].append(1e3 * cpu([ninja], folders["ninja"]))
        peak["no-op"] = peak_mib([flow, "run", "w.yaml"], fan)
        (fan / ".flow").rename(fan / "aside")
        peak["cold run"] = peak_mib([flow, "run", "w.yaml"], fan)

    print(f"\n{n} nodes, CPU time (user + system, all processes), medians of {options.rounds}; cold {1e3 * cold / n:.2f} ms a node")
    median = {name: statistics.median(values) for name, values in took.items() if values}
    verdict("plan, expanded", median["plan, expanded"], 150, "ms")
    verdict("plan, written stages", median["plan, written"], 400, "ms")
    verdict("run with nothing to do", median["no-op"], 250, "ms")
    verdict("one changed / nothing to do", median["one changed"] / median["no-op"], 2, "times")
    print(f"  planned and computed after one change: {', '.join(f'{p} and {e}' for p, e in sorted(counts))}")
    for name, value in peak.items():
        verdict(f"memory, {name}", value, 64, "MiB")
    if ninja:
        print(f"  ninja, nothing to do{median['ninja, no-op']:14.3g} ms       flow / ninja {median['no-op'] / median['ninja, no-op']:.2f}")
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    sys.exit(main())
