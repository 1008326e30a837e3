"""Runs OPM Flow on a deck: `peer.py DECK FOLDER RESULT TIMES [OPTION...]`.

Writes the solution at the TIMES report times to RESULT (npz: `sg` and `dp_bar`, of shape (time, active cells)) and
prints a JSON line with the CPU seconds of the simulation, that is without the start of Python and the reading of
results. What OPM Flow itself says goes to FOLDER/log.
"""

import json
import os
import sys
import time

import numpy as np
from opm.io.ecl import ERst
from opm.simulators import GasWaterSimulator


def main():
    deck, folder, result = sys.argv[1:4]
    times = int(sys.argv[4])
    answer = os.dup(1)
    log = os.open(os.path.join(folder, "log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)

    start = time.process_time()
    # Options are heeded by step_init() only, not by run().
    simulator = GasWaterSimulator(deck, args=[f"--output-dir={folder}", *sys.argv[5:]])
    simulator.step_init()
    while not simulator.check_simulation_finished():
        simulator.step()
    simulator.step_cleanup()
    seconds = time.process_time() - start

    name = os.path.splitext(os.path.basename(deck))[0]
    restart = ERst(os.path.join(folder, f"{name}.UNRST"))
    done = [n for n in restart.report_steps if n > 0]
    if len(done) == times:
        before = np.array(restart["PRESSURE", 0])
        sg = np.array([np.array(restart["SGAS", n]) for n in done])
        dp = np.array([np.array(restart["PRESSURE", n]) - before for n in done])
        np.savez(result, sg=sg, dp_bar=dp)
    os.write(answer, json.dumps({"cpu_s": seconds, "finished": len(done) == times}).encode() + b"\n")


main()
