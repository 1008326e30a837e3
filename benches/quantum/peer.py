"""Times the forward run and the gradient of the brick circuit in other simulators, and prints ratios to ours.

    peer.py OURS    OURS is the program `speed` of flow-quantum.

One thread, CPU seconds, best of five. The gradient is that of one observable, Z on qubit 0, by each package's own
method; ours takes any derivative by the amplitudes, and its amplitudes are real and in single or double precision.
"""

import math
import os
import re
import subprocess
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np


def bricks(n, layer):
    pairs = [(q, q + 1) for q in range(layer % 2, n - 1, 2)]
    if layer % 2 == 1 and n % 2 == 0 and n > 2:
        pairs.append((n - 1, 0))
    return pairs


def best(call, rounds=5):
    call()
    times = []
    for _ in range(rounds):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return 1e3 * min(times)


def qulacs(n, layers, angles):
    from qulacs import Observable, ParametricQuantumCircuit, QuantumState

    circuit = ParametricQuantumCircuit(n)
    for layer in range(layers):
        for q in range(n):
            circuit.add_parametric_RY_gate(q, -angles[layer * n + q])
        for a, b in bricks(n, layer):
            circuit.add_CZ_gate(a, b)
    observable = Observable(n)
    observable.add_operator(1.0, "Z 0")
    state = QuantumState(n)

    def forward():
        state.set_zero_state()
        circuit.update_quantum_state(state)

    return best(forward), best(lambda: circuit.backprop(observable))


def lightning(n, layers, angles):
    import pennylane as qml
    from pennylane.tape import QuantumScript

    device = qml.device("lightning.qubit", wires=n)
    operations = []
    for layer in range(layers):
        operations += [qml.RY(angles[layer * n + q], wires=q) for q in range(n)]
        operations += [qml.CZ(wires=list(pair)) for pair in bricks(n, layer)]
    tape = QuantumScript(operations, [qml.expval(qml.PauliZ(0))], trainable_params=list(range(n * layers)))
    return best(lambda: device.execute(tape)), best(lambda: device.compute_derivatives(tape))


def aer(n, layers, angles):
    from qiskit import QuantumCircuit
    from qiskit_aer import AerSimulator

    circuit = QuantumCircuit(n)
    for layer in range(layers):
        for q in range(n):
            circuit.ry(angles[layer * n + q], q)
        for a, b in bricks(n, layer):
            circuit.cz(a, b)
    circuit.save_statevector()
    simulator = AerSimulator(method="statevector", max_parallel_threads=1)
    return best(lambda: simulator.run(circuit).result()), math.nan


def main():
    ours = {}
    pattern = re.compile(
        r"(\w+) (\w+): (\d+) qubits, (\d+) layers, 1 threads: forward ([\d.]+) ms, gradient ([\d.]+) ms"
    )
    printed = subprocess.run([sys.argv[1]], check=True, capture_output=True, text=True).stdout
    print(printed)
    for name, _, n, layers, forward, gradient in pattern.findall(printed):
        ours.setdefault((name, int(n), int(layers)), (float(forward), float(gradient)))
    print("peer, qubits, layers: forward ms, gradient ms; ratio of the gradient to ours in f32 and f64")
    for n, layers in [(10, 240), (15, 240)]:
        angles = np.random.default_rng(1).normal(size=n * layers)
        for peer in (qulacs, lightning, aer):
            try:
                forward, gradient = peer(n, layers, angles)
            except ImportError as error:
                print(f"{peer.__name__}: skipped, {error}")
                continue
            single, double = ours["f32", n, layers], ours["f64", n, layers]
            print(
                f"{peer.__name__:>9} {n:3} {layers}: {forward:9.2f} {gradient:9.2f}; "
                f"forward {forward / single[0]:.0f} / {forward / double[0]:.0f}, "
                f"gradient {gradient / single[1]:.0f} / {gradient / double[1]:.0f}",
                flush=True,
            )


main()
