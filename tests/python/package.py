"""The package for plugin authors: its own tests, and results opened without an engine, while a run may be writing.

    package.py FOLDER    where a workflow `w` with the stages `wave` (of two heights) and `mean` has been run
"""

import os
import sys
import unittest
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "plugins/python"
sys.path.insert(0, str(PACKAGE / "src"))

import flowstages  # noqa: E402
import numpy as np  # noqa: E402

folder = Path(sys.argv[1])
one = flowstages.load("w", "wave[height=1].wave", store=folder)
assert not one["height"].flags.writeable and one["height"].shape == (4, 8), one["height"].shape
assert one.variable("height").dims == ("time", "x") and one.variable("height").units == "m"
every = flowstages.load_all("w", "wave.wave", store=folder / ".flow")
assert sorted(every) == ["wave[height=1]", "wave[height=2]"], sorted(every)
os.chdir(folder)
assert isinstance(flowstages.load("w.yaml", "mean.metrics"), dict)
assert flowstages.locate("w", "mean.metrics").is_file()
opened = flowstages.open_dataset("w", "wave[height=2].wave")
assert opened["height"].dims == ("time", "x") and opened["height"].attrs["units"] == "m"
np.testing.assert_allclose(opened["height"].values, 2 * one["height"], rtol=1e-6)
for words, message in [
    (("w", "wave.wave"), "2 nodes"),
    (("w", "wave[height=1].x"), "its outputs are wave"),
    (("w", "weve.wave"), "its stages are wave, mean"),
    (("v", "wave.wave"), "it has runs of w"),
]:
    try:
        flowstages.load(*words)
    except LookupError as error:
        assert message in str(error), error
    else:
        raise AssertionError(f"{words} was found")

suite = unittest.defaultTestLoader.discover(str(PACKAGE / "tests"))
sys.exit(not unittest.TextTestRunner().run(suite).wasSuccessful())
