"""Datasets: named arrays with dimensions and units, as Zarr v3 groups of uncompressed chunks."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from ._mapping import side_by_side, whole_pages

if TYPE_CHECKING:
    import numpy as np

#: The largest chunk in bytes. A single row that is larger is a chunk by itself.
CHUNK_BYTES = 64 << 20

#: By name in Zarr: the name in declarations of ports, and numpy's.
DTYPES = {
    "uint8": ("u8", "|u1"),
    "int32": ("i32", "<i4"),
    "int64": ("i64", "<i8"),
    "float32": ("f32", "<f4"),
    "float64": ("f64", "<f8"),
}
_BY_SHORT = {short: (name, code) for name, (short, code) in DTYPES.items()}
_NAME = re.compile(r"(?!__)[A-Za-z0-9_-]+\Z")


class Variable:
    """An array with the names of its dimensions, its units and what it is.

    Dimensions and units may be left out where the operation's return type declares them.
    """

    def __init__(
        self,
        values: Any,
        dims: Optional[Sequence[str]] = None,
        units: Optional[str] = None,
        long_name: str = "",
    ) -> None:
        self._values = values
        self.dims: Optional[Tuple[str, ...]] = None if dims is None else tuple(dims)
        self.units = units
        self.long_name = long_name

    @property
    def values(self) -> "np.ndarray":
        import numpy as np

        return np.asanyarray(self._values)

    @property
    def shape(self) -> Tuple[int, ...]:
        return tuple(self.values.shape)


class _Stored(Variable):
    """A variable in files. Its values are mapped into memory when they are asked for."""

    def __init__(self, folder: Path, name: str, document: Mapping[str, Any]) -> None:
        attributes = document.get("attributes", {})
        super().__init__(
            None, document["dimension_names"], attributes.get("units", "1"), attributes.get("long_name", "")
        )
        self._folder = folder / name
        self._shape = tuple(document["shape"])
        self._code = DTYPES[document["data_type"]][1]
        chunk = document["chunk_grid"]["configuration"]["chunk_shape"]
        self._chunk_rows = chunk[0] if chunk else 1
        self._mapped: Optional["np.ndarray"] = None

    @property
    def shape(self) -> Tuple[int, ...]:
        return self._shape

    @property
    def values(self) -> "np.ndarray":
        if self._mapped is None:
            self._mapped = self.rows(0, self._shape[0] if self._shape else 1)
        return self._mapped

    def _file(self, number: int) -> Path:
        return self._folder / ".".join(["c"] + [str(number)] * bool(self._shape) + ["0"] * (len(self._shape) - 1))

    def _chunk(self, number: int) -> "np.ndarray":
        import numpy as np

        shape = (self._chunk_rows,) + self._shape[1:] if self._shape else ()
        return np.memmap(self._file(number), dtype=self._code, mode="r", shape=shape)

    def rows(self, start: int, stop: int) -> "np.ndarray":
        """The rows from `start` up to, not including, `stop`.

        Without a copy where one chunk holds them, or where chunks end with a page of memory: flow writes them so unless
        a row is large and odd.
        """
        import numpy as np

        if not self._shape:
            return self._chunk(0)
        shape = (stop - start,) + self._shape[1:]
        if 0 in shape:
            return np.empty(shape, self._code)
        first, last = start // self._chunk_rows, (stop - 1) // self._chunk_rows
        offset = first * self._chunk_rows
        if first == last:
            return self._chunk(first)[start - offset : stop - offset]
        row_bytes = int(np.prod(self._shape[1:], dtype="i8")) * np.dtype(self._code).itemsize
        files = [self._file(number) for number in range(first, last + 1)]
        mapped = side_by_side(files, self._chunk_rows * row_bytes)
        if mapped is not None:
            every = np.frombuffer(mapped, self._code).reshape((-1,) + self._shape[1:])
            every.flags.writeable = False
            return every[start - offset : stop - offset]
        values = np.empty(shape, self._code)
        for number in range(first, last + 1):
            begin = number * self._chunk_rows
            low, high = max(start, begin), min(stop, begin + self._chunk_rows)
            values[low - start : high - start] = self._chunk(number)[low - begin : high - begin]
        return values


class Dataset(Mapping[str, Any]):
    """Named arrays. ``data["height"]`` is a numpy array; ``data.variable("height")`` knows dims and units.

    What comes in as an input is mapped into memory: nothing is read before it is used, nothing is copied, and it
    cannot be written to. (Only a variable of more than 64 MiB whose rows make no whole pages of memory is copied;
    ``data.rows("height", 0, 100)`` reads a part.)
    """

    def __init__(
        self,
        variables: Optional[Mapping[str, Any]] = None,
        attributes: Optional[Mapping[str, Any]] = None,
        **more: Any,
    ) -> None:
        every = {**(variables or {}), **more}
        self._variables: Dict[str, Variable] = {
            name: value if isinstance(value, Variable) else Variable(value) for name, value in every.items()
        }
        self.attributes: Dict[str, Any] = dict(attributes or {})
        #: For an item of a collected input: the matrix coordinates of the node that made it.
        self.coordinates: Dict[str, Any] = {}
        #: Where it lies, if it is in files.
        self.path: Optional[Path] = None

    @classmethod
    def open(cls, path: Union[str, Path]) -> "Dataset":
        """Opens a dataset that flow, or an operation, has written."""
        folder = Path(path)
        document = json.loads((folder / "zarr.json").read_text(encoding="utf-8"))
        arrays = document["consolidated_metadata"]["metadata"]
        data = cls({name: _Stored(folder, name, arrays[name]) for name in sorted(arrays)})
        data.attributes = document.get("attributes", {})
        data.path = folder
        return data

    def __getitem__(self, name: str) -> "np.ndarray":
        return self.variable(name).values

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)

    def __repr__(self) -> str:
        parts = (f"{name}: ({', '.join(v.dims or ())}) {v.shape} {v.units}" for name, v in self._variables.items())
        return f"Dataset({'; '.join(parts)})"

    def variable(self, name: str) -> Variable:
        """A variable with its dimensions and units."""
        if name not in self._variables:
            raise KeyError(f"the dataset has no variable `{name}`; it has {', '.join(self._variables) or 'none'}")
        return self._variables[name]

    def rows(self, name: str, start: int, stop: int) -> "np.ndarray":
        """Some rows of a variable along its first dimension."""
        variable = self.variable(name)
        return variable.rows(start, stop) if isinstance(variable, _Stored) else variable.values[start:stop]

    def to_xarray(self) -> Any:
        """The same as an ``xarray.Dataset``, which must be installed."""
        import xarray

        def attributes(variable: Variable) -> Dict[str, str]:
            found = {"units": variable.units or "1", "long_name": variable.long_name}
            return {name: value for name, value in found.items() if value}

        variables = {name: (v.dims, v.values, attributes(v)) for name, v in self._variables.items()}
        return xarray.Dataset(variables, attrs=self.attributes)

    def write(self, path: Union[str, Path], declared: Sequence[Mapping[str, Any]] = ()) -> None:
        """Writes it into a new folder. What is `declared` of variables fills in what they do not say."""
        known = {variable["name"]: variable for variable in declared}
        missing = sorted(set(known) - set(self._variables))
        if missing:
            raise ValueError(f"the dataset has no variable `{missing[0]}`, which the operation declares")
        folder = Path(path)
        folder.mkdir()
        lengths: Dict[str, Tuple[int, str]] = {}
        arrays = {
            name: _write_variable(folder, name, self._variables[name], known.get(name, {}), lengths)
            for name in sorted(self._variables)
        }
        document = {
            "zarr_format": 3,
            "node_type": "group",
            "attributes": self.attributes,
            "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": arrays},
        }
        # Last: a folder with this file is a whole dataset.
        _write_json(folder / "zarr.json", document)


def _write_variable(
    folder: Path, name: str, variable: Variable, declared: Mapping[str, Any], lengths: Dict[str, Tuple[int, str]]
) -> Dict[str, Any]:
    import numpy as np

    if not _NAME.match(name):
        raise ValueError(f"a variable cannot be called `{name}`: names consist of letters, digits, `_` and `-`")
    dims = variable.dims if variable.dims is not None else declared.get("dims")
    values = np.asanyarray(variable.values)
    if dims is None and values.ndim:
        raise ValueError(f"the dimensions of `{name}` have no names: give `Variable(values, dims=(…), units=…)`")
    dims = list(dims or ())
    if len(dims) != values.ndim:
        raise ValueError(f"`{name}` has {values.ndim} dimensions, of shape {values.shape}, and is to have {dims}")
    for dim, length in zip(dims, values.shape):
        first, other = lengths.setdefault(dim, (length, name))
        if first != length:
            raise ValueError(f"dimension `{dim}` has length {first} in `{other}` and {length} in `{name}`")
    values = _convert(name, values, declared.get("dtype"))
    zarr_name = next(key for key, (_, code) in DTYPES.items() if np.dtype(code) == values.dtype)
    rows = values.shape[0] if values.ndim else 1
    row_bytes = max(values.nbytes // rows, 1) if rows else 1
    # As many chunks as are needed, all of nearly the same length.
    most = max(CHUNK_BYTES // row_bytes, 1)
    chunks = max(-(-rows // most), 1)
    chunk_rows = max(-(-rows // chunks), 1)
    if chunks > 1:
        chunk_rows = whole_pages(chunk_rows, most, row_bytes)
    target = folder / name
    target.mkdir()
    if values.size:
        for number, start in enumerate(range(0, rows, chunk_rows)):
            part = values[start : start + chunk_rows] if values.ndim else values
            key = ".".join(["c"] + [str(number)] * bool(dims) + ["0"] * (len(dims) - 1))
            with open(target / key, "wb") as file:
                np.ascontiguousarray(part).tofile(file)
                if part.nbytes < chunk_rows * row_bytes:
                    # Zarr wants every chunk whole; the rest of the last one is a hole.
                    file.truncate(chunk_rows * row_bytes)
    codec: Dict[str, Any] = {"name": "bytes"}
    if values.dtype.itemsize > 1:
        codec["configuration"] = {"endian": "little"}
    chunk_shape = [max(length, 1) for length in values.shape]
    if chunk_shape:
        chunk_shape[0] = chunk_rows
    units = variable.units if variable.units is not None else declared.get("units", "1")
    document = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(values.shape),
        "data_type": zarr_name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk_shape}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
        "fill_value": 0.0 if values.dtype.kind == "f" else 0,
        "codecs": [codec],
        "attributes": {"long_name": variable.long_name, "units": units},
        "dimension_names": dims,
        "storage_transformers": [],
    }
    _write_json(target / "zarr.json", document)
    return document


def _convert(name: str, values: "np.ndarray", declared: Optional[str]) -> "np.ndarray":
    """The values in a type that a dataset holds: the declared one, where no kind of number is lost."""
    import numpy as np

    if values.dtype.kind == "b":
        values = values.view("u1") if values.flags.c_contiguous else values.astype("u1")
    if declared is not None:
        code = _BY_SHORT[declared][1]
        if not np.can_cast(values.dtype, code, "same_kind"):
            raise ValueError(f"`{name}` has elements of type {values.dtype}, and is declared as {declared}")
        return values.astype(code, copy=False)
    little = values.dtype.newbyteorder("<")
    if not any(np.dtype(code) == little for _, code in DTYPES.values()):
        supported = ", ".join(DTYPES)
        raise ValueError(f"`{name}` has elements of type {values.dtype}; a dataset holds {supported}")
    return values.astype(little, copy=False)


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def parse_variables(text: str) -> List[Dict[str, Any]]:
    """Variables as an annotation writes them: ``perm: f32 (z, x) mD; phi: (z, x)``.

    The element type may be left out (``f64``), and so may units (``1``).
    """
    pattern = re.compile(r"([A-Za-z0-9_-]+)\s*:\s*(?:(\w+)\s*)?\(([^)]*)\)\s*(.*)\Z", re.DOTALL)
    variables = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        found = pattern.match(part)
        if not found:
            raise ValueError(f"`{part}` is no variable; write `name: f64 (dim, dim) units`")
        name, dtype, dims, units = found.groups()
        if dtype is not None and dtype not in _BY_SHORT:
            raise ValueError(f"`{dtype}` is no element type; write one of {', '.join(_BY_SHORT)}")
        words = units.split()
        finite = words[-1:] == ["finite"]
        variables.append(
            {
                "name": name,
                "dtype": dtype or "f64",
                "dims": [dim.strip() for dim in dims.split(",") if dim.strip()],
                "units": " ".join(words[:-1] if finite else words) or "1",
                **({"finite": True} if finite else {}),
            }
        )
    return variables
