"""Runs our training step and PyTorch's in turns and prints their times and the ratio."""

import json
import os
import statistics
import subprocess
import sys
import time

PYTHON, STEP = sys.argv[1:3]
HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS, STEPS, WARM_UP = 5, 4, 3
GOAL = 0.45
CASES = [(64, 20), (128, 10)]
# glibc gives blocks above 32 MiB back at every free, and each large activation is then faulted in
# again; with this the peer trains up to three times faster.
TUNED = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "17179869184"}


class Worker:
    """One side: a process that makes as many steps as it is asked for."""

    def __init__(self, command, environment):
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        self.cpu, self.wall = [], []
        self.ask(WARM_UP)

    def ask(self, count):
        """CPU milliseconds of each of `count` steps."""
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args[0]} ended early, status {self.process.wait()}")
        return json.loads(line)

    def turn(self):
        start = time.perf_counter()
        self.cpu += self.ask(STEPS)
        self.wall.append(1e3 * (time.perf_counter() - start) / STEPS)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def compare(size, batch, threads):
    """Median CPU and wall milliseconds of one step of each side."""
    n, b, t = str(size), str(batch), str(threads)
    cap = {"OMP_NUM_THREADS": t, "MKL_NUM_THREADS": t, **TUNED}
    workers = {"flow": Worker([STEP, n, n, b, "3", "1", "0", t], {})}
    for form in ("fft", "dft"):
        workers[f"torch {form}"] = Worker([PYTHON, f"{HERE}/peer.py", n, n, b, form, t], cap)
    for _ in range(ROUNDS):
        for worker in workers.values():
            worker.turn()
    for worker in workers.values():
        worker.close()
    return {name: (statistics.median(w.cpu), statistics.median(w.wall)) for name, w in workers.items()}


def main():
    print(f"ms of one training step, median; {ROUNDS} turns of {STEPS} steps each, CPU time is of all threads")
    print("ratio: flow over the faster form of torch")
    print(f"{'grid':>6}{'batch':>7}{'threads':>9}{'':6}{'flow':>9}{'torch fft':>11}{'torch dft':>11}{'ratio':>8}")
    load = os.getloadavg()[0]
    worst = 0.0
    for size, batch in CASES:
        for threads in (1, 2):
            medians = compare(size, batch, threads)
            for i, clock in enumerate(["CPU", "wall"]):
                ours, fft, dft = (medians[name][i] for name in ("flow", "torch fft", "torch dft"))
                ratio = ours / min(fft, dft)
                worst = max(worst, ratio if clock == "CPU" else 0.0)
                row = f"{size:5}²{batch:7}{threads:9}  {clock:4}{ours:9.1f}{fft:11.1f}{dft:11.1f}{ratio:8.2f}"
                print(row, flush=True)
    print(f"load average {load:.1f} at the start, {os.getloadavg()[0]:.1f} at the end")
    print(f"goal: ratio of CPU times <= {GOAL}; largest {worst:.2f}: {'reached' if worst <= GOAL else 'missed'}")


if __name__ == "__main__":
    sys.exit(main())
