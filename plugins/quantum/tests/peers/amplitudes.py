"""Prints the amplitudes of the circuit with every gate in `src/circuit/tests.rs`, from Qiskit.

Needs `pip install qiskit`. The output is `amplitudes.txt`: real and imaginary parts, qubit 0 most significant.
"""

from qiskit import QuantumCircuit
from qiskit.circuit.library import RYGate, UGate
from qiskit.quantum_info import Statevector

a = [0.7, -1.1, 2.3, 0.4, -2.9, 1.9, 0.55]
c = QuantumCircuit(4)
c.h(0)
c.ry(a[0], 1)
c.append(UGate(a[1], a[2], a[3]), [2])
c.cx(0, 3)
c.t(3)
c.rx(a[4], 0)
c.crz(a[5], 2, 1)
c.swap(1, 3)
c.s(2)
c.append(RYGate(a[0]).control(2), [1, 3, 0])
c.y(1)
c.cswap(0, 2, 3)
c.cp(a[6], 3, 0)
c.sdg(0)
c.tdg(2)
c.rz(0.3, 3)
c.cz(1, 2)
c.z(0)
c.x(1)
c.h(2)
# Qiskit's qubit 0 is the least significant one.
for amplitude in Statevector(c.reverse_bits()).data:
    print(f"{amplitude.real:.17g} {amplitude.imag:.17g}")
