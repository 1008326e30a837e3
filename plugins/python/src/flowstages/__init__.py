"""Write stages of flow workflows in Python, and open their results.

An operation is a function; its type hints are its ports and parameters::

    from typing import Annotated
    from flowstages import Dataset, operation

    @operation
    def scale(field: Annotated[Dataset, "height: (x) m"], factor: float = 2.0) -> Annotated[Dataset, "height: (x) m"]:
        \"\"\"Multiplies a field by a number.\"\"\"
        return Dataset(height=field["height"] * factor)

Results are opened, also while a run is going on, with ``load("workflow", "stage.port")``.
"""

from ._artifacts import Figure, File, Folder, Metrics, Model, Table
from ._context import Cancelled, Context
from ._dataset import Dataset, Variable
from ._hints import Range, Unit
from ._operation import BadInput, operation
from ._results import load, load_all, locate, open_dataset

__all__ = [
    "BadInput",
    "Cancelled",
    "Context",
    "Dataset",
    "Figure",
    "File",
    "Folder",
    "Metrics",
    "Model",
    "Range",
    "Table",
    "Unit",
    "Variable",
    "load",
    "load_all",
    "locate",
    "open_dataset",
    "operation",
]
__version__ = "0.1.0"
