"""A type checker accepts plugins and the package, strictly, and finds what is wrong.

    check_types.py FILE ...    plugins that are right
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "plugins/python"
SETTINGS = ["--config-file", str(PACKAGE / "pyproject.toml"), "--cache-dir", str(Path(sys.prefix) / "mypy")]
WRONG = """
from typing import Annotated, List, Optional
from flowstages import Context, Dataset, Metrics, operation

@operation
def total(data: Annotated[Dataset, "perm: (z, x) mD"], more: List[Dataset], prior: Optional[Metrics] = None) -> Metrics:
    return data.variable("perm").units  # line 7

@operation(checkpoints=True)
def other(context: Context, degree: int = 2) -> Metrics:
    context.progress("a", 2)  # line 11
    return Metrics(x=float(degree))

total(3, [])  # line 14
other(Context(), degree="x")  # line 15
"""


def mypy(*files):
    command = [sys.executable, "-m", "mypy", *SETTINGS, *map(str, files)]
    done = subprocess.run(command, env={**os.environ, "MYPYPATH": str(PACKAGE / "src")}, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


status, said = mypy(PACKAGE / "src/flowstages", *sys.argv[1:])
assert status == 0, said
with tempfile.TemporaryDirectory() as folder:
    wrong = Path(folder, "wrong.py")
    wrong.write_text(WRONG)
    status, said = mypy(wrong)
found = [int(line.split(":")[1]) for line in said.splitlines() if "wrong.py:" in line]
assert found == [7, 11, 14, 15], said
