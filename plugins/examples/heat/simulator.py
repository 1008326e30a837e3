#!/usr/bin/env python3
"""A tiny simulator with a command line, in place of yours: heat in a rod, by explicit finite differences.

    python3 simulator.py DECK

The deck is an INI file. It says on standard output which step it is at, and writes the temperatures to the file that
the deck names. It knows nothing of flow.
"""

import configparser
import csv
import sys


def main():
    deck = configparser.ConfigParser()
    if not deck.read(sys.argv[1]):
        sys.exit(f"cannot read {sys.argv[1]}")
    rod, run = deck["rod"], deck["run"]
    cells, length = rod.getint("cells"), rod.getfloat("length")
    step, steps, every = run.getfloat("time_step"), run.getint("steps"), run.getint("report_every")
    number = rod.getfloat("diffusivity") * step / (length / cells) ** 2
    if number > 0.5:
        sys.exit(f"ERROR 17: UNSTABLE, FOURIER NUMBER {number:.3f} > 0.5")
    warm = [rod.getfloat("hot_end")] + [rod.getfloat("start")] * cells + [rod.getfloat("start")]
    with open(run["output"], "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["time", *(f"cell {cell}" for cell in range(1, cells + 1))])
        for at in range(steps + 1):
            if at % every == 0:
                print(f"STEP {at} OF {steps}", flush=True)
                out.writerow([at * step, *warm[1:-1]])
            warm[1:-1] = [
                here + number * (left - 2 * here + right) for left, here, right in zip(warm, warm[1:], warm[2:])
            ]


if __name__ == "__main__":
    main()
