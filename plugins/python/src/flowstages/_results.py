"""Opening results from a notebook or a script, without an engine, also while a run is going on."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union

from ._artifacts import read_metrics, read_model
from ._dataset import Dataset

StorePath = Union[str, Path, None]


def load(workflow: str, output: str, store: StorePath = None) -> Any:
    """An output of the latest succeeded run of a workflow (or of the run that is named).

    >>> load("ccs", "train.history")  # doctest: +SKIP

    A dataset is a `Dataset` of arrays mapped into memory, a model a `Model`, metrics are a dictionary, a table is a
    pandas or pyarrow table where one of these is installed; everything else is a path.
    """
    found = locate_all(workflow, output, store)
    if len(found) > 1:
        names = ", ".join(found)
        raise LookupError(f"`{output}` is an output of {len(found)} nodes: {names}; name one, or use `load_all`")
    ((kind, path),) = found.values()
    return _open(kind, path)


def load_all(workflow: str, output: str, store: StorePath = None) -> Dict[str, Any]:
    """The outputs of all nodes of a stage, by the node's name."""
    return {node: _open(kind, path) for node, (kind, path) in locate_all(workflow, output, store).items()}


def open_dataset(workflow: str, output: str, store: StorePath = None) -> Any:
    """A dataset as an ``xarray.Dataset``; xarray must be installed."""
    return load(workflow, output, store).to_xarray()


def locate(workflow: str, output: str, store: StorePath = None) -> Path:
    """Where an output lies. It is to be read only."""
    paths = {path for _, path in locate_all(workflow, output, store).values()}
    if len(paths) > 1:
        raise LookupError(f"`{output}` is an output of several nodes; name one")
    return paths.pop()


def locate_all(workflow: str, output: str, store: StorePath = None) -> Dict[str, Tuple[str, Path]]:
    """By the node's name: kind and path of an output."""
    root = _store(store)
    # `train[lr=0.1].history`: a value may have a point in it, a port has none.
    node, point, port = output.rpartition(".")
    if not point:
        raise LookupError(f"`{output}` names no output; write `stage.port`")
    with closing(_connect(root)) as index:
        run, name = _run(index, workflow)
        rows = index.execute(
            "SELECT n.name, n.stage, o.port, o.kind, a.digest, a.content FROM nodes n"
            " JOIN computations c ON c.key = n.key JOIN outputs o ON o.computation = c.id"
            " LEFT JOIN artifacts a ON a.digest = o.digest"
            " WHERE n.run = ? AND n.state = 'succeeded' ORDER BY n.position",
            (run,),
        ).fetchall()
        mine = [row for row in rows if node in (row[0], row[1])]
        if not mine:
            _missing(index, run, name, node)
        chosen = [row for row in mine if row[2] == port]
        if not chosen:
            ports = ", ".join(sorted({row[2] for row in mine}))
            raise LookupError(f"`{node}` has no output `{port}`; its outputs are {ports}")
        return {row[0]: (row[3], _path(root, row[0], row[4], row[5])) for row in chosen}


def _missing(index: sqlite3.Connection, run: int, name: str, node: str) -> None:
    known = index.execute("SELECT name, stage, state FROM nodes WHERE run = ? ORDER BY position", (run,)).fetchall()
    states = sorted({state for full, stage, state in known if node in (full, stage)})
    if states:
        raise LookupError(f"`{node}` has no results in the run {name}: it {' and '.join(states)}")
    stages = ", ".join(dict.fromkeys(stage for _, stage, _ in known)) or "none yet"
    raise LookupError(f"the run {name} has no stage or node `{node}`; its stages are {stages}")


def _store(store: StorePath) -> Path:
    given = store or os.environ.get("FLOW_STORE")
    if given:
        root = Path(given)
        # The folder of the workflow will do.
        root = root / ".flow" if (root / ".flow" / "index.sqlite").is_file() else root
        if not (root / "index.sqlite").is_file():
            raise FileNotFoundError(f"there is no store in {root}")
        return root
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / ".flow" / "index.sqlite").is_file():
            return folder / ".flow"
    raise FileNotFoundError(f"there is no store in {here} or above it; name one with `store=`")


def _connect(root: Path) -> sqlite3.Connection:
    # Read only, beside whatever is written at the same time.
    uri = (root / "index.sqlite").resolve().as_uri()
    return sqlite3.connect(f"{uri}?mode=ro", uri=True, timeout=20)


def _run(index: sqlite3.Connection, workflow: str) -> Tuple[int, str]:
    names: List[str] = list(dict.fromkeys([workflow, Path(workflow).stem]))
    found: Optional[Tuple[int, str]] = index.execute(
        "SELECT id, name FROM runs WHERE name = ?", (workflow,)
    ).fetchone()
    for name in names:
        for condition in ("AND status = 'succeeded'", ""):
            found = found or index.execute(
                f"SELECT id, name FROM runs WHERE workflow = ? {condition} ORDER BY id DESC LIMIT 1", (name,)
            ).fetchone()
    if found is None:
        known = [row[0] for row in index.execute("SELECT DISTINCT workflow FROM runs ORDER BY workflow")]
        raise LookupError(f"the store has no run of `{workflow}`; it has runs of {', '.join(known) or 'nothing'}")
    return found


def _path(root: Path, node: str, digest: Optional[bytes], content: Optional[bytes]) -> Path:
    if digest is None:
        raise LookupError(f"the output of `{node}` has been cleared away; run the workflow again")
    name = digest.hex()
    if content is None:
        path = root / "objects" / name[:2] / name[2:]
        if not path.exists():
            raise LookupError(f"the output of `{node}` is missing from the store; run the workflow again")
        return path
    # Small files are in the index. The store is the engine's alone to write to.
    folder = Path(tempfile.gettempdir()) / f"flowstages-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.lstat().st_uid != os.getuid():
        # Somebody else has taken the name.
        folder = Path(tempfile.mkdtemp(prefix="flowstages-"))
    path = folder / name
    if not path.is_file() or path.read_bytes() != content:
        temporary = folder / f"{name}.{os.getpid()}"
        temporary.write_bytes(content)
        temporary.replace(path)
    return path


def _open(kind: str, path: Path) -> Any:
    if kind == "dataset":
        return Dataset.open(path)
    if kind == "model":
        return read_model(path)
    if kind == "metrics":
        return read_metrics(path)
    if kind == "table":
        try:
            import pandas

            return pandas.read_parquet(path)
        except ImportError:
            pass
        try:
            import pyarrow.parquet

            return pyarrow.parquet.read_table(path)
        except ImportError:
            return path
    return path
