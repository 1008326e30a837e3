"""Prints the folder of the interpreter that has the packages of requirements.txt."""

import sys
from pathlib import Path

print(Path(sys.executable).parent)
