"""Operations: functions whose type hints are their ports and parameters."""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, TypeVar, overload

from ._artifacts import (
    File,
    Folder,
    Model,
    copy_to,
    read_metrics,
    read_model,
    read_table,
    write_figure,
    write_metrics,
    write_model,
    write_table,
)
from ._context import Context
from ._dataset import Dataset
from ._hints import KINDS, Port, bare, from_json, parameter_docs, port_of, schema_of, to_json

F = TypeVar("F", bound=Callable[..., Any])

class BadInput(Exception):
    """An input or a parameter is wrong: running again will not help."""

    def __init__(self, message: str, hint: Optional[str] = None) -> None:
        super().__init__(message)
        self.hint = hint


class DeclarationError(Exception):
    """An operation whose declaration makes no sense, and where it is."""

    def __init__(self, message: str, function: Callable[..., Any]) -> None:
        super().__init__(message)
        code = getattr(function, "__code__", None)
        self.filename: Optional[str] = getattr(code, "co_filename", None)
        self.lineno: Optional[int] = getattr(code, "co_firstlineno", None)


#: The operations declared so far, in order.
REGISTRY: List["Operation"] = []


@overload
def operation(function: F) -> F: ...


@overload
def operation(
    *,
    version: int = ...,
    name: Optional[str] = ...,
    measures: bool = ...,
    checkpoints: bool = ...,
    tolerance: float = ...,
    check: Optional[Callable[..., Any]] = ...,
) -> Callable[[F], F]: ...


def operation(
    function: Any = None,
    *,
    version: int = 1,
    name: Optional[str] = None,
    measures: bool = False,
    checkpoints: bool = False,
    tolerance: float = 0.0,
    check: Optional[Callable[..., Any]] = None,
) -> Any:
    """Makes a function an operation. The function stays as it is, to be called and tested.

    `version` is part of every key beside the code itself; raise it when results change for another reason.
    `check` is called with the parameters before anything runs; it raises ``ValueError`` if they make no sense.
    """

    def declare(function: F) -> F:
        REGISTRY.append(
            Operation(function, version, name or function.__name__, measures, checkpoints, tolerance, check)
        )
        return function

    return declare if function is None else declare(function)


@dataclasses.dataclass
class Signature:
    """What a function's type hints say."""

    inputs: Dict[str, Port]
    outputs: List[Port]
    params: Dict[str, Any]
    schema: Dict[str, Any]
    context: Optional[str]
    #: The class of the returned value where it has several fields.
    several: bool


@dataclasses.dataclass
class Operation:
    function: Callable[..., Any]
    version: int
    name: str
    measures: bool
    checkpoints: bool
    tolerance: float
    check: Optional[Callable[..., Any]]
    _signature: Optional[Signature] = None

    @property
    def signature(self) -> Signature:
        if self._signature is None:
            self._signature = self._read()
        return self._signature

    def spec(self, plugin: str, code: Mapping[str, str]) -> Dict[str, Any]:
        """The declaration, as the engine reads it."""
        signature = self.signature
        text = inspect.cleandoc(self.function.__doc__ or "")
        summary = " ".join(text.split("\n\n")[0].split()) or self.name
        found: Dict[str, Any] = {
            "name": f"{plugin}/{self.name}",
            "version": self.version,
            "summary": summary,
            "doc": description(text),
            "params": signature.schema,
            "inputs": [port.document() for port in signature.inputs.values()],
            "outputs": [port.document() for port in signature.outputs],
            "tolerance": self.tolerance,
            "code": dict(code),
        }
        for flag in ("measures", "checkpoints"):
            if getattr(self, flag):
                found[flag] = True
        if self.check is not None:
            found["checks"] = True
        return found

    def _wrong(self, message: str) -> DeclarationError:
        return DeclarationError(f"the operation `{self.name}` {message}", self.function)

    def _read(self) -> Signature:
        try:
            hints = typing.get_type_hints(self.function, include_extras=True)
        except NameError as error:
            raise self._wrong(f"has a type hint that cannot be read: {error}") from None
        docs = parameter_docs(self.function.__doc__ or "")
        inputs: Dict[str, Port] = {}
        params: Dict[str, Any] = {}
        properties: Dict[str, Any] = {}
        required: List[str] = []
        context = None
        for name, parameter in inspect.signature(self.function).parameters.items():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
                raise self._wrong(f"has the parameter `{parameter}`; every parameter needs a name of its own")
            if name not in hints:
                raise self._wrong(f"has the parameter `{name}` without a type hint; write `{name}: float`, for example")
            hint = hints[name]
            has_default = parameter.default is not parameter.empty
            if bare(hint) is Context:
                context = name
                continue
            try:
                port = port_of(name, hint, docs.get(name, ""))
                if port is not None:
                    inputs[name] = port
                    continue
                schema = schema_of(hint)
            except ValueError as error:
                raise self._wrong(f"has the parameter `{name}`: {error}") from None
            if docs.get(name):
                schema["description"] = docs[name]
            if has_default:
                schema["default"] = to_json(parameter.default)
            else:
                required.append(name)
            params[name] = hint
            properties[name] = schema
        outputs, several = self._outputs(hints.get("return"), docs)
        schema = {"type": "object", "properties": properties, "additionalProperties": False}
        if required:
            schema["required"] = required
        return Signature(inputs, outputs, params, schema, context, several)

    def _outputs(self, hint: Any, docs: Mapping[str, str]) -> Tuple[List[Port], bool]:
        kinds = ", ".join(kind.__name__ for kind in KINDS)
        if hint is None:
            raise self._wrong(f"does not say what it returns; write `-> Dataset`, for example (there are {kinds})")
        try:
            single = port_of("result", hint, docs.get("returns", ""))
            if single is not None:
                return [single], False
            base = bare(hint)
            if isinstance(base, type) and issubclass(base, tuple) and hasattr(base, "_fields"):
                field_docs = parameter_docs(base.__doc__ or "")
                fields = typing.get_type_hints(base, include_extras=True)
                ports = [(name, port_of(name, fields[name], field_docs.get(name, ""))) for name in base._fields]
                if all(port is not None for _, port in ports):
                    return [port for _, port in ports if port is not None], True
        except ValueError as error:
            raise self._wrong(f"returns something that is no output: {error}") from None
        raise self._wrong(
            f"returns something that is no output; return one of {kinds}, or a `NamedTuple` with a field for each output"
        )

    def problems(self, params: Mapping[str, Any]) -> List[Dict[str, str]]:
        """What the operation's own check says about parameters."""
        if self.check is None:
            return []
        given = self._values(params)
        try:
            names = inspect.signature(self.check).parameters
            self.check(**{name: value for name, value in given.items() if name in names})
        except (ValueError, BadInput) as error:
            problem = {"at": "", "message": str(error)}
            hint = getattr(error, "hint", None)
            return [{**problem, "hint": hint} if hint else problem]
        return []

    def _values(self, params: Mapping[str, Any]) -> Dict[str, Any]:
        hints = self.signature.params
        return {name: from_json(hints[name], value) for name, value in params.items() if name in hints}

    def run(self, job: Mapping[str, Any], context: Context) -> None:
        """Reads the inputs, calls the function, writes the outputs."""
        signature = self.signature
        given = self._values(job.get("params") or {})
        for name, port in signature.inputs.items():
            artifacts = [read(port.kind, artifact) for artifact in job["inputs"].get(name, [])]
            if port.many:
                given[name] = artifacts
            elif artifacts:
                given[name] = artifacts[0]
            elif name not in given and inspect.signature(self.function).parameters[name].default is inspect.Parameter.empty:
                given[name] = None
        if signature.context is not None:
            given[signature.context] = context
        result = self.function(**given)
        results = tuple(result) if signature.several else (result,)
        if len(results) != len(signature.outputs):
            raise TypeError(f"`{self.name}` returned {len(results)} outputs instead of {len(signature.outputs)}")
        for port, value in zip(signature.outputs, results):
            write(port, value, Path(job["outputs"][port.name]))


def description(text: str) -> str:
    """What a docstring says behind its first paragraph, less the sections about arguments and results."""
    kept = []
    for paragraph in text.split("\n\n")[1:]:
        if re.match(r"(Args|Arguments|Parameters|Returns|Raises|Attributes):?\s*(\n|\Z)", paragraph):
            break
        kept.append(paragraph)
    return "\n\n".join(kept)


def read(kind: str, artifact: Mapping[str, Any]) -> Any:
    """What an operation is given for an input artifact."""
    path = Path(artifact["path"])
    readers: Dict[str, Callable[[Path], Any]] = {
        "dataset": Dataset.open,
        "model": read_model,
        "metrics": read_metrics,
        "table": read_table,
        "file": File,
    }
    value = readers.get(kind, Folder)(path)
    value.coordinates = dict(artifact.get("coordinates", {}))
    return value


def write(port: Port, value: Any, path: Path) -> None:
    """Writes what an operation has returned for an output."""
    wrong = TypeError(f"the output `{port.name}` is a {port.kind}, and a {type(value).__name__} was returned for it")
    if port.kind == "dataset":
        if not isinstance(value, Dataset):
            if not isinstance(value, Mapping):
                raise wrong
            value = Dataset(value)
        value.write(path, port.variables)
    elif port.kind == "model":
        if not isinstance(value, Model):
            raise wrong
        write_model(value, path)
    elif port.kind == "metrics":
        if not isinstance(value, Mapping):
            raise wrong
        write_metrics(value, path)
    elif port.kind == "table":
        write_table(value, path)
    elif port.kind == "figure":
        write_figure(value, path)
    elif isinstance(value, (str, Path, File, Folder)):
        copy_to(value, path)
    else:
        raise wrong
