"""Times forward runs and gradients of circuits in other simulators, and prints ratios to ours.

    peer.py OURS    OURS is the program `speed` of flow-quantum.

One thread, CPU seconds, best of five (of two where a call takes more than two seconds). What a machine's neighbours do
changes within seconds, so ours is measured again before each peer, and the best counts. The gradient is that of one
observable, Z on qubit 0, by each package's own method; ours takes any derivative by the amplitudes. Brick circuits have
real amplitudes, which ours keeps in single or double precision; those of the general circuits are complex, in double
precision on all sides.
"""

import math
import os
import re
import subprocess
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np


def bricks(n, layers):
    """The brick circuit: gates as name, qubits, number of the angle."""
    for layer in range(layers):
        for q in range(n):
            yield "ry", (q,), layer * n + q
        for q in range(layer % 2, n - 1, 2):
            yield "cz", (q, q + 1), None
        if layer % 2 == 1 and n % 2 == 0 and n > 2:
            yield "cz", (n - 1, 0), None


def general(n, layers):
    """Layers of RY and RZ on all qubits and of CX between neighbours."""
    for layer in range(layers):
        for q in range(n):
            yield "ry", (q,), 2 * (layer * n + q)
            yield "rz", (q,), 2 * (layer * n + q) + 1
        for q in range(n - 1):
            yield "cx", (q, q + 1), None


def best(call):
    times = []
    for _ in range(6):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
        if len(times) == 2 and times[-1] > 2:
            break
    # The first call may include preparations.
    return 1e3 * min(times[1:])


def qulacs(n, gates, angles):
    from qulacs import Observable, ParametricQuantumCircuit, QuantumState

    circuit = ParametricQuantumCircuit(n)
    for name, qubits, angle in gates:
        if angle is None:
            {"cz": circuit.add_CZ_gate, "cx": circuit.add_CNOT_gate}[name](*qubits)
        else:
            add = {"ry": circuit.add_parametric_RY_gate, "rz": circuit.add_parametric_RZ_gate}[name]
            add(*qubits, -angles[angle])
    observable = Observable(n)
    observable.add_operator(1.0, "Z 0")
    state = QuantumState(n)

    def forward():
        state.set_zero_state()
        circuit.update_quantum_state(state)

    return best(forward), best(lambda: circuit.backprop(observable))


def lightning(n, gates, angles):
    import pennylane as qml
    from pennylane.tape import QuantumScript

    device = qml.device("lightning.qubit", wires=n)
    kinds = {"ry": qml.RY, "rz": qml.RZ, "cz": qml.CZ, "cx": qml.CNOT}
    operations = [
        kinds[name](*([] if angle is None else [angles[angle]]), wires=list(qubits))
        for name, qubits, angle in gates
    ]
    tape = QuantumScript(operations, [qml.expval(qml.PauliZ(0))], trainable_params=list(range(len(angles))))
    return best(lambda: device.execute(tape)), best(lambda: device.compute_derivatives(tape))


def aer(n, gates, angles):
    from qiskit import QuantumCircuit
    from qiskit_aer import AerSimulator

    circuit = QuantumCircuit(n)
    for name, qubits, angle in gates:
        getattr(circuit, name)(*([] if angle is None else [angles[angle]]), *qubits)
    circuit.save_statevector()
    simulator = AerSimulator(method="statevector", max_parallel_threads=1)
    return best(lambda: simulator.run(circuit).result()), math.nan


def ours(name, n, layers):
    """Our times of one circuit, milliseconds."""
    command = [sys.argv[1], name, str(n), str(layers)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    times = re.search(r"forward ([\d.]+) ms, gradient ([\d.]+) ms", printed)
    return float(times[1]), float(times[2])


def main():
    print(subprocess.run([sys.argv[1]], check=True, capture_output=True, text=True).stdout)
    print("peer, qubits, layers: forward ms, gradient ms; how many times ours")
    for names, circuit, n, layers in [
        (("f32", "f64"), bricks, 10, 240),
        (("f32", "f64"), bricks, 15, 240),
        (("general",), general, 15, 24),
        (("general",), general, 18, 12),
        (("general",), general, 20, 6),
    ]:
        gates = list(circuit(n, layers))
        count = 1 + max(angle for _, _, angle in gates if angle is not None)
        angles = np.random.default_rng(1).normal(size=count)
        own, others = {name: (math.inf, math.inf) for name in names}, {}
        for peer in (qulacs, lightning, aer):
            for name in names:
                own[name] = tuple(map(min, own[name], ours(name, n, layers)))
            try:
                others[peer.__name__] = peer(n, gates, angles)
            except ImportError as error:
                print(f"{peer.__name__}: skipped, {error}")
        for name, (forward, gradient) in own.items():
            print(f"{'flow ' + name:>12} {circuit.__name__:>7} {n:3} {layers:4}: {forward:9.2f} {gradient:9.2f}")
        for name, (forward, gradient) in others.items():
            ratios = [f"{forward / f:.1f} and {gradient / g:.1f} ({precision})" for precision, (f, g) in own.items()]
            label = f"{name:>12} {circuit.__name__:>7} {n:3} {layers:4}"
            print(f"{label}: {forward:9.2f} {gradient:9.2f}; {', '.join(ratios)}", flush=True)


main()
