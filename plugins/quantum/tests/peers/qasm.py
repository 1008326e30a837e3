"""Runs a circuit that flow wrote in Qiskit Aer and compares the states.

    qasm.py CIRCUIT.qasm AMPLITUDES.txt    a real and an imaginary part a line, qubit 0 most significant

Needs `pip install qiskit qiskit-aer qiskit-qasm3-import`; says so and succeeds without them.
"""

import sys

try:
    import numpy as np
    from qiskit import qasm3, transpile
    from qiskit_aer import AerSimulator
    import qiskit_qasm3_import  # noqa: F401
except ImportError as error:
    print(f"skipped: {error}; install with pip install qiskit qiskit-aer qiskit-qasm3-import")
    sys.exit(0)

circuit = qasm3.load(sys.argv[1]).reverse_bits()
circuit.save_statevector()
simulator = AerSimulator(method="statevector")
# Optimisation may rename qubits instead of swapping them, which a saved state does not show.
state = np.asarray(simulator.run(transpile(circuit, simulator, optimization_level=0)).result().get_statevector())
parts = np.loadtxt(sys.argv[2])
wanted = parts[:, 0] + 1j * parts[:, 1]
fidelity = abs(np.vdot(wanted, state)) ** 2
print(f"fidelity 1 - {1 - fidelity:.2e}")
sys.exit(0 if fidelity > 1 - 1e-12 else 1)
