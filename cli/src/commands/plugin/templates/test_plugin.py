"""Operations are functions: they are tested as such. Run with `.venv/bin/python -m unittest`.

The package `flowstages` must be installed for that: pip install FLOW/plugins/python
"""

import unittest

import NAME
import numpy as np
from flowstages import Context


class Smooth(unittest.TestCase):
    def test_a_window_of_one_changes_nothing(self):
        signal = NAME.measure(samples=50, seed=1)
        smoothed = NAME.smooth(signal, Context(), window=1)
        np.testing.assert_allclose(smoothed.signal["height"], signal["height"])
        self.assertEqual(smoothed.scores["rest"], 0.0)


if __name__ == "__main__":
    unittest.main()
