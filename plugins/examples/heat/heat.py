"""A simulator with a command line as a stage: it gets a deck, is watched while it works, and its output is read.

This is the whole pattern: write what the program reads, start it, pass on its progress, stop it when flow asks, and turn
what it wrote into a dataset. Exchange the deck and the parser for those of your simulator.
"""

import csv
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, List, NamedTuple

import numpy as np
from flowstages import BadInput, Context, Dataset, Metrics, Range, Unit, operation

DECK = """[rod]
length = {length!r}
cells = {cells}
diffusivity = {diffusivity!r}
start = 20.0
hot_end = {hot_end!r}

[run]
time_step = {time_step!r}
steps = {steps}
report_every = {report_every}
output = temperatures.csv
"""

Temperatures = Annotated[Dataset, "time: (time) s; position: (position) m; temperature: (time, position) degC finite"]


@operation
def simulate(
    context: Context,
    simulator: Path,
    diffusivity: Annotated[float, Unit("m2/s"), Range(0)] = 1e-4,
    hot_end: Annotated[float, Unit("degC")] = 100.0,
    length: Annotated[float, Unit("m")] = 1.0,
    cells: Annotated[int, Range(2, 10_000)] = 50,
    time_step: Annotated[float, Unit("s")] = 1.0,
    steps: Annotated[int, Range(1)] = 2000,
    report_every: Annotated[int, Range(1)] = 100,
) -> Temperatures:
    """Runs the simulator on a rod that is heated at one end.

    Args:
        simulator: The program; another one is another result.
        diffusivity: Thermal diffusivity of the rod.
        hot_end: The temperature at the heated end.
        length: The rod's length.
        cells: Into how many cells it is divided.
        time_step: One step of the simulator.
        steps: How many.
        report_every: After how many of them temperatures are written.
    """
    values = {name: value for name, value in locals().items() if name not in ("context", "simulator")}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "deck.ini").write_text(DECK.format(**values))
        # A program of its own would be started as [simulator, "deck.ini"].
        follow([sys.executable, str(simulator.resolve()), "deck.ini"], work, steps, context)
        with open(work / "temperatures.csv", newline="") as file:
            rows = np.array(list(csv.reader(file))[1:], dtype="f8")
    position = (np.arange(cells) + 0.5) * length / cells
    return Dataset(time=rows[:, 0], position=position, temperature=rows[:, 1:])


def follow(command: List[str], work: Path, steps: int, context: Context) -> None:
    """Runs a program to its end, passes on its progress, and stops it when flow asks for that."""
    with subprocess.Popen(
        command, cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as program:
        last = ""
        for line in program.stdout or ():
            print(line, end="")  # the node's log
            last = line.strip() or last
            if found := re.match(r"STEP (\d+) OF", line):
                context.progress(int(found[1]), steps)
            if context.cancelled:
                program.terminate()
        program.wait()
    context.check_cancelled()
    if "UNSTABLE" in last:
        raise BadInput(last, hint="take shorter steps, or fewer cells")
    if program.returncode != 0:
        raise RuntimeError(f"the simulator ended with status {program.returncode}: {last}")


class Warmed(NamedTuple):
    """What `warmed` gives.

    Attributes:
        series: How far it was warm, at each time.
        scores: The same in the end.
    """

    series: Annotated[Dataset, "time: (time) s; reach: (time) m"]
    scores: Metrics


@operation
def warmed(temperatures: Temperatures, above: Annotated[float, Unit("degC")] = 30.0) -> Warmed:
    """How far into the rod it is warmer than a temperature.

    Args:
        temperatures: What the simulator gave.
        above: The temperature.
    """
    position, field = temperatures["position"], temperatures["temperature"]
    warm = field > above
    last = field.shape[1] - 1 - np.argmax(warm[:, ::-1], axis=1)
    reach = np.where(warm.any(axis=1), position[last], 0.0)
    return Warmed(Dataset(time=temperatures["time"], reach=reach), Metrics(reach=reach[-1]))
