"""The other kinds of artifacts: files, folders, models, metrics, tables, figures."""

from __future__ import annotations

import json
import math
import os
import shutil
import struct
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Union

PathLike = Union[str, "os.PathLike[str]"]


class _Placed:
    """Something at a path."""

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)
        #: For an item of a collected input: the matrix coordinates of the node that made it.
        self.coordinates: Dict[str, Any] = {}

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"


class File(_Placed):
    """A file: ``open(file)`` and ``numpy.load(file)`` take it as it is."""

    def read_text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def read_bytes(self) -> bytes:
        return self.path.read_bytes()


class Folder(_Placed):
    """A folder of files."""


class Metrics(Dict[str, Any]):
    """Named numbers, possibly in groups: ``Metrics(rmse=0.1, by_layer={"top": 0.2})``."""

    coordinates: Dict[str, Any]


class Table:
    """Columns of equal length: a mapping of names to values, a pandas or a pyarrow table.

    Written and read as Parquet by pyarrow, which must be installed.
    """

    def __init__(self, columns: Any) -> None:
        self.columns = columns
        self.path: Optional[Path] = None
        self.coordinates: Dict[str, Any] = {}

    def to_arrow(self) -> Any:
        import pyarrow

        if isinstance(self.columns, pyarrow.Table):
            return self.columns
        if isinstance(self.columns, Mapping):
            return pyarrow.table({name: list(values) for name, values in self.columns.items()})
        return pyarrow.Table.from_pandas(self.columns, preserve_index=False)

    def to_pandas(self) -> Any:
        return self.to_arrow().to_pandas()


class Figure:
    """Pictures: a matplotlib figure, SVG text, or a mapping of names to these."""

    def __init__(self, pictures: Any) -> None:
        self.pictures: Dict[str, Any] = dict(pictures) if isinstance(pictures, Mapping) else {"figure": pictures}


class Model:
    """Named arrays and a configuration."""

    def __init__(self, tensors: Mapping[str, Any], config: Optional[Mapping[str, Any]] = None) -> None:
        self.tensors = dict(tensors)
        self.config = dict(config or {})
        self.path: Optional[Path] = None
        self.coordinates: Dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        return self.tensors[name]


_TENSOR_TYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "U8": "|u1"}


def write_model(model: Model, path: Path) -> None:
    import numpy as np

    path.mkdir()
    header: Dict[str, Any] = {}
    arrays = []
    end = 0
    for name in sorted(model.tensors):
        array = np.ascontiguousarray(model.tensors[name])
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        kinds = [kind for kind, code in _TENSOR_TYPES.items() if np.dtype(code) == array.dtype]
        if not kinds:
            raise ValueError(f"tensor `{name}` has elements of type {array.dtype}, which a model does not hold")
        header[name] = {"dtype": kinds[0], "shape": list(array.shape), "data_offsets": [end, end + array.nbytes]}
        end += array.nbytes
        arrays.append(array)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in arrays:
            array.tofile(file)
    config = json.dumps(plain(model.config), indent=2, sort_keys=True, ensure_ascii=False)
    (path / "config.json").write_text(config + "\n", encoding="utf-8")


def read_model(path: Path) -> Model:
    import numpy as np

    weights = path / "model.safetensors"
    with open(weights, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = entry["data_offsets"]
        code = _TENSOR_TYPES[entry["dtype"]]
        if start == end:
            tensors[name] = np.empty(entry["shape"], code)
        else:
            tensors[name] = np.memmap(
                weights, dtype=code, mode="r", offset=8 + length + start, shape=tuple(entry["shape"])
            )
    model = Model(tensors, json.loads((path / "config.json").read_text(encoding="utf-8")))
    model.path = path
    return model


def plain(value: Any) -> Any:
    """A value as JSON has it: numbers of numpy as numbers, those that are not finite as words."""
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, (str, bool, int)) or value is None:
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    raise TypeError(f"{value!r} ({type(value).__name__}) is neither a number, a text, nor a list or group of those")


def words(value: Any) -> Any:
    """The reverse of `plain` for metrics: words that stand for numbers become numbers."""
    if isinstance(value, dict):
        return {name: words(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [words(inner) for inner in value]
    return {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}.get(value, value) if isinstance(value, str) else value


def write_metrics(metrics: Mapping[str, Any], path: Path) -> None:
    text = json.dumps(plain(metrics), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_metrics(path: Path) -> Metrics:
    return Metrics(words(json.loads(path.read_text(encoding="utf-8"))))


def write_table(table: Any, path: Path) -> None:
    try:
        import pyarrow.parquet
    except ImportError:
        raise RuntimeError("a table is written with pyarrow, which is not installed in this environment") from None
    arrow = (table if isinstance(table, Table) else Table(table)).to_arrow()
    # No descriptions of the writer's own: equal tables are equal files.
    pyarrow.parquet.write_table(arrow.replace_schema_metadata(None), path, store_schema=False)


def read_table(path: Path) -> Table:
    import pyarrow.parquet

    table = Table(pyarrow.parquet.read_table(path))
    table.path = path
    return table


def write_figure(figure: Any, path: Path) -> None:
    path.mkdir()
    pictures = (figure if isinstance(figure, Figure) else Figure(figure)).pictures
    for name, picture in pictures.items():
        if isinstance(picture, str):
            (path / f"{name}.svg").write_text(picture, encoding="utf-8")
            continue
        import matplotlib

        # Neither dates nor numbers drawn at random: equal pictures are equal files.
        with matplotlib.rc_context({"svg.hashsalt": "flow"}):
            picture.savefig(path / f"{name}.svg", metadata={"Date": None, "Creator": None})
            picture.savefig(path / f"{name}.png", metadata={"Software": None})


def copy_to(source: PathLike, path: Path) -> None:
    """Puts a file or folder where an output goes, unless it is there already."""
    origin = Path(source)
    if origin.exists() and path.exists() and origin.samefile(path):
        return
    if origin.is_dir():
        shutil.copytree(origin, path)
    else:
        shutil.copyfile(origin, path)
