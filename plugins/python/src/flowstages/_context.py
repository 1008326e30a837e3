"""What a running operation sees of the world."""

from __future__ import annotations

import hashlib
import os
import struct
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping, Optional, Tuple

if TYPE_CHECKING:
    import numpy as np


class Cancelled(Exception):
    """The engine has asked for the work to stop, and it does."""


#: Progress is reported at most this often, in seconds; a terminal shows no more.
PROGRESS_INTERVAL = 0.1


class Context:
    """Progress, metrics, messages, checkpoints, cancellation, seed and threads of a running operation.

    An operation gets one by asking for it with a type hint: ``def train(data: Dataset, context: Context)``. In tests
    ``Context()`` will do: it reports to no one.
    """

    def __init__(
        self, job: Optional[Mapping[str, Any]] = None, send: Optional[Callable[[Dict[str, Any]], None]] = None
    ) -> None:
        job = job or {}
        self._id = job.get("id", 0)
        self._send = send or (lambda message: None)
        self._outputs = {port: Path(path) for port, path in job.get("outputs", {}).items()}
        self._last = 0.0
        self._asked = threading.Event()
        #: The node's name, such as ``train[model=fno]``.
        self.node: str = job.get("node", "")
        #: The seed: equal seeds are to give equal results.
        self.seed: int = job.get("seed", 0)
        #: How many threads to use. Libraries that read ``OMP_NUM_THREADS`` know it already.
        self.threads: int = job.get("threads", 1)
        folder = job.get("checkpoints")
        #: Where state is saved, for operations declared with ``checkpoints=True``. In tests nothing is.
        self.checkpoints = Checkpoints(Path(folder) if folder else None, self._resumed, in_test=not job)

    def path(self, port: str = "result") -> Path:
        """Where an output goes, for an operation that writes a file or folder itself. Nothing is there yet."""
        if port not in self._outputs:
            raise KeyError(f"the operation has no output `{port}`; it has {', '.join(self._outputs)}")
        return self._outputs[port]

    def rng(self) -> "np.random.Generator":
        """A generator of random numbers that starts from the seed."""
        import numpy as np

        return np.random.default_rng(self.seed)

    def progress(self, done: int, total: int, unit: str = "steps", message: str = "") -> None:
        """Says how far the work has come. Cheap enough to call often."""
        now = time.monotonic()
        if done < total and now - self._last < PROGRESS_INTERVAL:
            return
        self._last = now
        self._tell("progress", done=int(done), total=int(total), unit=unit, message=message)

    def metric(self, name: str, step: int, value: float) -> None:
        """Adds a point to a series that is shown live, recorded, and drawn in the report."""
        from ._artifacts import plain

        self._tell("metric", name=name, step=int(step), value=plain(float(value)))

    def info(self, message: str) -> None:
        """Writes to the node's log."""
        self._tell("log", level="info", message=str(message))

    def note(self, message: str) -> None:
        """Tells the user what the work found or does, in a line."""
        self._tell("log", level="note", message=str(message))

    def warn(self, message: str) -> None:
        """Tells the user something that may spoil the result but does not end the work."""
        self._tell("log", level="warning", message=str(message))

    @property
    def cancelled(self) -> bool:
        """Whether the work should stop: save a checkpoint, and raise `Cancelled`."""
        return self._asked.is_set()

    def check_cancelled(self) -> None:
        """Raises `Cancelled` if the work should stop."""
        if self.cancelled:
            raise Cancelled

    def _resumed(self, step: int, cpu_s: float, wall_s: float) -> None:
        self._tell("resumed", step=step, shorter=False, spent={"cpu_s": cpu_s, "wall_s": wall_s})

    def _tell(self, kind: str, **fields: Any) -> None:
        self._send({"type": kind, "id": self._id, **fields})


class Checkpoints:
    """Numbered states of long work, of which the last two are kept."""

    KEPT = 2

    def __init__(
        self,
        folder: Optional[Path],
        resumed: Optional[Callable[[int, float, float], None]] = None,
        in_test: bool = False,
    ) -> None:
        self._folder = folder
        self._in_test = in_test
        self._resumed = resumed
        self._started = (time.process_time(), time.monotonic())
        #: What reaching the state that the work goes on from had cost: CPU and wall seconds.
        self._before = (0.0, 0.0)

    @property
    def folder(self) -> Path:
        """For operations that keep finished parts as files of their own; it stays until the node has succeeded."""
        if self._folder is None:
            raise RuntimeError("there is no folder for checkpoints: declare the operation with `checkpoints=True`")
        return self._folder

    def save(self, step: int, state: bytes) -> None:
        """Saves the state reached at a step: whole or not at all."""
        if self._folder is None and self._in_test:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        now = (time.process_time(), time.monotonic())
        spent = (before + at - start for before, at, start in zip(self._before, now, self._started))
        content = struct.pack("<2d", *spent) + state
        temporary = self.folder / ".writing"
        with open(temporary, "wb") as file:
            file.write(hashlib.sha256(content).digest() + content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.folder / f"{step:020}.checkpoint")
        for old in self._files()[: -self.KEPT]:
            old.unlink()

    def last(self) -> Optional[Tuple[int, bytes]]:
        """The last whole one: its step and state. A damaged one falls back to the one before."""
        for path in reversed(self._files()):
            content = path.read_bytes()
            if len(content) >= 48 and hashlib.sha256(content[32:]).digest() == content[:32]:
                step = int(path.stem)
                cpu_s, wall_s = struct.unpack("<2d", content[32:48])
                self._before = (cpu_s, wall_s)
                if self._resumed is not None:
                    self._resumed(step, cpu_s, wall_s)
                return step, content[48:]
        return None

    def _files(self) -> "list[Path]":
        if self._folder is None and self._in_test:
            return []
        return sorted(self.folder.glob("*.checkpoint")) if self.folder.is_dir() else []
