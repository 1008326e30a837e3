"""The worker: serves the operations of a plugin over standard input and output.

The engine starts it with the plugin's name and where its code is; `docs/reference/plugin-protocol.md` describes the
conversation.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import queue
import resource
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from ._code import Code
from ._context import Cancelled, Context
from ._operation import REGISTRY, BadInput, DeclarationError, Operation

PROTOCOL = 1


class Plugin:
    """The operations of a file, a folder or an installed module."""

    def __init__(self, name: str, target: str) -> None:
        self.name = name
        self.version = "0"
        self.summary = ""
        self.operations: Dict[str, Operation] = {}
        self.specs: List[Dict[str, Any]] = []
        module_name, entry, root = locate(target)
        self.code = code = code_of(target, root)
        # Before the import: a module that is edited meanwhile is noticed.
        before = code.reach(entry)
        sys.path.insert(0, str(root))
        module = importlib.import_module(module_name)
        self.version = str(getattr(module, "__version__", "0"))
        self.summary = (module.__doc__ or "").strip().split("\n")[0]
        for operation in REGISTRY:
            source = Path(operation.function.__code__.co_filename).resolve()
            if not code.is_own(source):
                continue
            if operation.name in self.operations:
                raise DeclarationError(f"two operations are called `{operation.name}`", operation.function)
            self.operations[operation.name] = operation
            # What the entry imports on the way may change what the operation's own module does.
            reach = code.reach(source)
            self.specs.append(operation.spec(name, reach))
        if code_of(target, root).reach(entry) != before:
            raise RuntimeError("its code changed while it was loaded; run again")
        self.files = [str(path) for path in code.files()]

    def document(self) -> Dict[str, Any]:
        python = "{}.{}".format(*sys.version_info)
        operations = [{**spec, "code": {**spec["code"], "python": python}} for spec in self.specs]
        return {
            "name": self.name,
            "version": self.version,
            "summary": self.summary,
            "operations": operations,
            "files": self.files,
        }


def is_path(target: str) -> bool:
    """Whether a file or a folder is named, and not an installed module."""
    return target.endswith(".py") or Path(target).is_dir()


def locate(target: str) -> Tuple[str, Path, Path]:
    """The name of a module, its file, and the folder that imports start from."""
    if is_path(target):
        path = Path(target).resolve()
        if path.is_dir():
            entry = path / "__init__.py"
            if not entry.is_file():
                raise FileNotFoundError(f"the folder `{target}` has no `__init__.py`, which declares its operations")
            return path.name, entry, path.parent
        if not path.is_file():
            raise FileNotFoundError(f"there is no file `{target}`")
        return path.stem, path, path.parent
    found = importlib.util.find_spec(target)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"there is no module `{target}` in this environment")
    entry = Path(found.origin).resolve()
    depth = target.count(".") + (entry.name == "__init__.py")
    return target, entry, entry.parents[depth]


class Worker:
    """The conversation."""

    def __init__(self, name: str, target: str, requests: Any, out: Any) -> None:
        self._requests = requests
        self._out = out
        self._lock = threading.Lock()
        self._name = name
        self._target = target
        self._plugin: Optional[Plugin] = None
        self._jobs: "queue.SimpleQueue[Optional[Dict[str, Any]]]" = queue.SimpleQueue()
        self._running: Optional[Context] = None

    def send(self, message: Dict[str, Any]) -> None:
        line = json.dumps(message, separators=(",", ":"), ensure_ascii=False, allow_nan=False) + "\n"
        with self._lock:
            self._out.write(line.encode("utf-8", "surrogatepass"))
            self._out.flush()

    def serve(self) -> None:
        """Runs nodes in this thread, which libraries expect; another one listens."""
        threading.Thread(target=self._listen, daemon=True).start()
        while True:
            request = self._jobs.get()
            if request is None:
                return
            kind = request["type"]
            if kind == "hello":
                self._hello()
            elif kind == "check":
                self._check(request)
            elif kind == "run":
                self._run(request)

    def _listen(self) -> None:
        for line in self._requests:
            request = json.loads(line)
            if request["type"] == "cancel":
                context = self._running
                if context is not None and context._id == request["id"]:
                    context._asked.set()
            elif request["type"] == "shutdown":
                self._jobs.put(None)
                return
            else:
                self._jobs.put(request)
        # The engine has gone: nothing that was started here may stay.
        end_everything()

    def _hello(self) -> None:
        try:
            plugin = Plugin(self._name, self._target)
        except BaseException as error:
            self.send(refusal(error, found_code(self._target)))
            return
        self._plugin = plugin
        self.send({"type": "hello", "protocol": PROTOCOL, "plugins": [plugin.document()]})

    def _find(self, name: str) -> Operation:
        _, _, verb = name.partition("/")
        if self._plugin is None or verb not in self._plugin.operations:
            raise BadInput(f"this worker has no operation `{name}`")
        return self._plugin.operations[verb]

    def _check(self, request: Dict[str, Any]) -> None:
        answer: Dict[str, Any] = {"type": "checked", "id": request["id"]}
        try:
            operation = self._find(request["operation"])
            problems = operation.problems(request["params"] or {})
        except Exception as error:
            problems = [{"at": "", "message": f"its check failed: {type(error).__name__}: {error}"}]
        if problems:
            self.send({**answer, "problems": problems})
        else:
            outputs = [port.document() for port in operation.signature.outputs]
            self.send({**answer, "ok": {"params": request["params"], "outputs": outputs}})

    def _run(self, job: Dict[str, Any]) -> None:
        context = Context(job, self.send)
        self._running = context
        started, before = time.monotonic(), cpu_seconds()
        error: Optional[Dict[str, Any]] = None
        try:
            self._find(job["operation"]).run(job, context)
        except Cancelled:
            error = {"kind": "cancelled", "message": "cancelled"}
        except BadInput as bad:
            error = {"kind": "bad_input", "message": str(bad), **({"hint": bad.hint} if bad.hint else {})}
        except BaseException as raised:
            error = {"kind": "failed", "message": describe(raised, self._code())}
            sys.stderr.write(user_traceback(raised, self._code()))
        self._running = None
        sys.stdout.flush()
        sys.stderr.flush()
        usage = {"cpu_s": cpu_seconds() - before, "wall_s": time.monotonic() - started, "peak_rss": peak_memory()}
        answer = {"type": "done"} if error is None else {"type": "failed", "error": error}
        self.send({**answer, "id": job["id"], "usage": usage})

    def _code(self) -> Optional[Code]:
        return self._plugin.code if self._plugin else None


def user_frames(error: BaseException, code: Optional[Code]) -> List[traceback.FrameSummary]:
    """The frames in the plugin's own files; where there are none, those behind this package."""
    here = str(Path(__file__).parent)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(here)]
    frames = [frame for frame in frames if not frame.filename.startswith("<frozen")]
    own = [frame for frame in frames if code is not None and code.is_own(Path(frame.filename).resolve())]
    return own or frames


def user_traceback(error: BaseException, code: Optional[Code]) -> str:
    """The traceback, cut to the plugin's own frames. Causes go first, as Python writes them."""
    text = ""
    if error.__cause__ is not None:
        text = user_traceback(error.__cause__, code)
        text += "\nThe above exception was the direct cause of the following exception:\n\n"
    elif error.__context__ is not None and not error.__suppress_context__:
        text = user_traceback(error.__context__, code)
        text += "\nDuring handling of the above exception, another exception occurred:\n\n"
    frames = user_frames(error, code)
    text += "Traceback (most recent call last):\n" + "".join(traceback.format_list(frames)) if frames else ""
    return text + "".join(traceback.format_exception_only(type(error), error))


def describe(error: BaseException, code: Optional[Code]) -> str:
    """An error and where it happened, in a line."""
    message = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    frames = user_frames(error, code)
    if not frames:
        return message
    last = frames[-1]
    return f"{message} ({Path(last.filename).name}, line {last.lineno}, in {last.name})"


def code_of(target: str, root: Path) -> Code:
    """The code of a plugin, none of it looked at yet."""
    return Code(root, None if is_path(target) else target.partition(".")[0])


def found_code(target: str) -> Optional[Code]:
    try:
        return code_of(target, locate(target)[2])
    except Exception:
        return None


def refusal(error: BaseException, code: Optional[Code]) -> Dict[str, Any]:
    """Why the plugin cannot be loaded, and where in its code."""
    message: Dict[str, Any] = {"type": "refused", "message": str(error) or type(error).__name__}
    if not isinstance(error, (DeclarationError, FileNotFoundError)):
        message["message"] = f"{type(error).__name__}: {getattr(error, 'msg', None) or error}"
    place: Tuple[Optional[str], Optional[int]] = (None, None)
    if isinstance(error, (SyntaxError, DeclarationError)):
        place = (error.filename, error.lineno)
    else:
        frames = user_frames(error, code)
        if frames:
            place = (frames[-1].filename, frames[-1].lineno)
            message["trace"] = user_traceback(error, code).splitlines()
    if place[0] and place[1]:
        message.update(file=str(Path(place[0]).resolve()), line=place[1])
    return message


def cpu_seconds() -> float:
    own, below = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + below.ru_utime + below.ru_stime


def peak_memory() -> int:
    """The most memory that this process has held, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def adopt_orphans() -> None:
    """What programs leave behind when they end stays below this process, where it is found."""
    if sys.platform == "linux":
        import ctypes

        pr_set_child_subreaper = 36
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_child_subreaper, 1, 0, 0, 0)


def descendants() -> List[int]:
    """The processes below this one."""
    parents: Dict[int, List[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if fields[0] not in "ZX":
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [os.getpid()]
    for process in found:
        found.extend(parents.get(process, []))
    return found[1:]


def end_everything() -> None:
    for _ in range(200):
        below = descendants()
        if not below:
            break
        for process in below:
            try:
                os.kill(process, signal.SIGKILL)
            except OSError:
                pass
        time.sleep(0.001)
    os._exit(0)


def main() -> None:
    """``NAME TARGET``: the plugin's name, and a file, a folder or a module."""
    name, target = sys.argv[1:3]
    # Standard input and output belong to the protocol: there is nothing to read, and whatever is printed goes to
    # standard error, line by line. Programs that are started get neither.
    requests, out = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)
    adopt_orphans()
    # The engine says when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Worker(name, target, requests, out).serve()
