"""Runs our training step and PyTorch's in turns and prints CPU milliseconds and their ratio."""

import json
import os
import statistics
import subprocess
import sys

PYTHON, STEP = sys.argv[1:3]
HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS, STEPS = 4, 5
CASES = [(64, 20), (128, 10)]
# glibc gives blocks above 32 MiB back at every free, and each large activation is then faulted in
# again; with this the peer trains up to three times faster.
TUNED = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "17179869184"}


class Worker:
    def __init__(self, command, environment):
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        self.times = []

    def steps(self, count):
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


print(f"load average at the start: {os.getloadavg()[0]:.1f}")
print("CPU ms of one training step (all threads), median (minimum)")
for size, batch in CASES:
    for threads in (1, 2):
        n = str(size)
        peer = [PYTHON, f"{HERE}/peer.py", n, n, str(batch)]
        cap = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        workers = {
            "ours": Worker([STEP, n, n, str(batch), "3", "1", "0", str(threads)], {}),
            "torch fft": Worker([*peer, "fft", str(threads)], {**TUNED, **cap}),
            "torch dft": Worker([*peer, "dft", str(threads)], {**TUNED, **cap}),
        }
        for worker in workers.values():
            worker.steps(3)
        for _ in range(ROUNDS):
            for worker in workers.values():
                worker.times += worker.steps(STEPS)
        for worker in workers.values():
            worker.close()
        medians = {name: statistics.median(worker.times) for name, worker in workers.items()}
        best = min(medians["torch fft"], medians["torch dft"])
        line = "  ".join(
            f"{name} {medians[name]:6.1f} ({min(worker.times):.1f})"
            for name, worker in workers.items()
        )
        print(f"{size:4}² batch {batch}, threads {threads}: {line}  ratio {medians['ours'] / best:.2f}")
print(f"load average at the end: {os.getloadavg()[0]:.1f}")
