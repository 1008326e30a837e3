"""Times the bound of MaxCut's semidefinite relaxation in other solvers, and prints ratios to ours.

    bound.py OURS GRAPH.gz...    OURS is the program `bound` of flow-quantum.

One thread, CPU seconds of the whole programs, the better of two runs; relative gap 1e-6. DSDP (its own `maxcut`) and CSDP
are those on PATH (Debian: `apt install dsdp coinor-csdp`), SCS is installed by `run`. SCS gets 30 seconds and up to 1,000
vertices. What each finds is printed, so that nobody compares a fast wrong number with a slow right one.
"""

import gzip
import math
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
FLOAT = r"([-+]?\d[\d.]*(?:[eE][-+]?\d+)?)"


def program(command):
    """CPU seconds of a program, and what it printed."""
    times = []
    for _ in range(2):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, capture_output=True, text=True, timeout=900)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if times[-1] > 5:
            break
    return min(times), done.stdout + done.stderr


def read(found, name, printed):
    """What was found in a program's output. Without it everything ends: the time of a program that could not start, for
    want of a library, would be taken for an answer's."""
    if not found:
        sys.exit(f"error: no bound in what `{name}` printed: {printed.strip()[-500:]}")
    return found


class Graph:
    def __init__(self, path):
        lines = [line.split() for line in gzip.open(path, "rt") if line.strip()]
        self.n = int(lines[0][0])
        self.edges = [(int(a) - 1, int(b) - 1, float(w)) for a, b, w in lines[1:]]
        self.half = 0.5 * sum(w for _, _, w in self.edges)


def dsdp(graph, folder):
    if not shutil.which("maxcut"):
        raise ImportError("`maxcut` of DSDP is not on PATH")
    path = os.path.join(folder, "graph")
    with open(path, "w") as out:
        print(graph.n, len(graph.edges), file=out)
        for a, b, w in graph.edges:
            print(a + 1, b + 1, w, file=out)
    spent, printed = program([shutil.which("maxcut"), path, "-gaptol", "1e-6"])
    # The dual value of the last step, negative: it is the bound; its other value may be further off than asked for.
    found = re.findall(rf"^\d+ +{FLOAT} +{FLOAT} ", printed, re.MULTILINE)
    return spent, -float(read(found, "maxcut", printed)[-1][1])


def csdp(graph, folder):
    if not shutil.which("csdp"):
        raise ImportError("`csdp` is not on PATH")
    # Largest <C, X> with ones on the diagonal: C holds -w/4 on both sides of it.
    path = os.path.join(folder, "graph.dat-s")
    with open(path, "w") as out:
        print(graph.n, 1, graph.n, sep="\n", file=out)
        print(*[1.0] * graph.n, file=out)
        for a, b, w in graph.edges:
            print(0, 1, min(a, b) + 1, max(a, b) + 1, -0.25 * w, file=out)
        for i in range(1, graph.n + 1):
            print(i, 1, i, i, 1.0, file=out)
    spent, printed = program([shutil.which("csdp"), path])
    found = re.search(r"Dual objective value: *" + FLOAT, printed)
    return spent, graph.half + float(read(found, "csdp", printed)[1])


def scs(graph, _):
    import numpy as np
    import scipy.sparse as sparse
    import scs as solver

    if graph.n > 1000:
        raise ImportError("left out beyond 1,000 vertices")
    # Smallest sum of y with Diag(y) + W positive semidefinite, the lower triangle column by column.
    n = graph.n
    at = lambda row, column: column * n - column * (column - 1) // 2 + row - column
    rows = [at(i, i) for i in range(n)]
    a = sparse.csc_matrix((-np.ones(n), (rows, range(n))), shape=(n * (n + 1) // 2, n))
    b = np.zeros(n * (n + 1) // 2)
    for i, j, w in graph.edges:
        b[at(max(i, j), min(i, j))] += math.sqrt(2) * w
    start = time.process_time()
    data = {"A": a, "b": b, "c": np.ones(n)}
    found = solver.solve(data, {"s": [n]}, eps_abs=1e-6, eps_rel=1e-6, verbose=False, time_limit_secs=30)
    return time.process_time() - start, graph.half + 0.25 * found["info"]["pobj"]


def main():
    ours, paths = sys.argv[1], sys.argv[2:]
    print("graph, solver: CPU seconds, bound; ratio to ours")
    for path in paths:
        graph, name = Graph(path), os.path.basename(path).removesuffix(".gz")
        mine, printed = program([ours, path])
        bound = float(read(re.search(r"bound " + FLOAT, printed), ours, printed)[1])
        print(f"{name:>5} {'ours':>6}: {mine:8.3f} {bound:14.4f}", flush=True)
        for peer in (dsdp, csdp, scs):
            try:
                with tempfile.TemporaryDirectory() as folder:
                    spent, found = peer(graph, folder)
            except (ImportError, subprocess.TimeoutExpired) as error:
                print(f"{name:>5} {peer.__name__:>6}: skipped, {error}")
                continue
            print(f"{name:>5} {peer.__name__:>6}: {spent:8.3f} {found:14.4f}; {spent / mine:.1f}", flush=True)


main()
