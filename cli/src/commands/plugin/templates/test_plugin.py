"""Operations are functions: they are tested as such.

    python3 -m venv .venv
    .venv/bin/pip install -r requirements.txt FLOW/plugins/python
    .venv/bin/python -m unittest

FLOW is the folder of flow's repository.
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
