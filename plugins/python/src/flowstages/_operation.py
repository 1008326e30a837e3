"""Operations: functions whose type hints are their ports and parameters."""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import inspect
import re
import typing
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, TypeVar, Union, overload

from ._artifacts import (
    Figure,
    File,
    Folder,
    Metrics,
    Model,
    Table,
    copy_to,
    plain,
    read_metrics,
    read_model,
    read_table,
    write_figure,
    write_metrics,
    write_model,
    write_table,
)
from ._context import Context
from ._dataset import Dataset, parse_variables

F = TypeVar("F", bound=Callable[..., Any])

KINDS: Dict[Any, str] = {
    File: "file",
    Folder: "folder",
    Dataset: "dataset",
    Model: "model",
    Metrics: "metrics",
    Table: "table",
    Figure: "figure",
}


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


@dataclasses.dataclass(frozen=True)
class Unit:
    """In ``Annotated[float, Unit("km")]``: the unit a parameter is kept in; workflows may write ``1500 m``."""

    symbol: str


@dataclasses.dataclass(frozen=True)
class Range:
    """In ``Annotated[float, Range(0, 1)]``: what a number lies between, or how long a list is."""

    minimum: Optional[float] = None
    maximum: Optional[float] = None


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
class Port:
    name: str
    kind: str
    doc: str
    many: bool = False
    optional: bool = False
    variables: List[Dict[str, Any]] = dataclasses.field(default_factory=list)

    def document(self) -> Dict[str, Any]:
        found: Dict[str, Any] = {"name": self.name, "kind": self.kind, "doc": self.doc}
        if self.many:
            found["multiplicity"] = "many"
        if self.optional:
            found["optional"] = True
        if self.variables:
            found["variables"] = self.variables
        return found


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
            "doc": text,
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


def parts_of(hint: Any) -> Tuple[Any, Tuple[Any, ...]]:
    """A type without ``Annotated``, and what that says."""
    if typing.get_origin(hint) is typing.Annotated:
        return hint.__origin__, hint.__metadata__
    return hint, ()


def bare(hint: Any) -> Any:
    return parts_of(hint)[0]


def alternatives(hint: Any) -> Tuple[Any, ...]:
    """The members of a union."""
    origin = typing.get_origin(hint)
    # `A | B` has a type of its own from Python 3.10 on.
    is_union = origin is Union or getattr(origin, "__name__", "") == "UnionType"
    return typing.get_args(hint) if is_union else ()


_LISTS = (list, collections.abc.Sequence)


def port_of(name: str, hint: Any, doc: str) -> Optional[Port]:
    """The port that a type hint means; none if it means a parameter."""
    base, notes = parts_of(hint)
    members = [member for member in alternatives(base) if member is not type(None)]
    optional = many = False
    if len(members) == 1 and len(members) < len(alternatives(base)):
        base, inner = parts_of(members[0])
        notes, optional = notes + inner, True
    if typing.get_origin(base) in _LISTS:
        (base,) = typing.get_args(base)
        base, inner = parts_of(base)
        notes, many = notes + inner, True
    kind = KINDS.get(base)
    if kind is None:
        return None
    variables: List[Dict[str, Any]] = []
    for note in (note for note in notes if isinstance(note, str)):
        if kind == "dataset":
            variables.extend(parse_variables(note))
        else:
            doc = doc or note
    return Port(name, kind, doc, many, optional, variables)


_NUMBERS = {bool: "boolean", int: "integer", float: "number", str: "string"}


def schema_of(hint: Any) -> Dict[str, Any]:
    """The JSON Schema of a parameter."""
    base, notes = parts_of(hint)
    schema = _plain_schema(base)
    for note in notes:
        if isinstance(note, Unit):
            schema["x-unit"] = note.symbol
        elif isinstance(note, Range):
            low, high = ("minItems", "maxItems") if schema.get("type") == "array" else ("minimum", "maximum")
            schema.update({k: v for k, v in ((low, note.minimum), (high, note.maximum)) if v is not None})
        elif isinstance(note, str):
            schema["description"] = note
    return schema


def _plain_schema(base: Any) -> Dict[str, Any]:
    origin, arguments = typing.get_origin(base), typing.get_args(base)
    if base in _NUMBERS:
        return {"type": _NUMBERS[base]}
    if base is Path:
        return {"type": "string", "format": "path"}
    if base is Any:
        return {}
    if base is type(None):
        return {"type": "null"}
    if alternatives(base):
        return {"anyOf": [schema_of(member) for member in alternatives(base)]}
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if isinstance(base, type) and issubclass(base, enum.Enum):
        return {"enum": [member.value for member in base]}
    if origin in _LISTS and arguments:
        return {"type": "array", "items": schema_of(arguments[0])}
    if origin is tuple and arguments:
        if arguments[-1] is Ellipsis:
            return {"type": "array", "items": schema_of(arguments[0])}
        count = len(arguments)
        items = [schema_of(argument) for argument in arguments]
        return {"type": "array", "prefixItems": items, "minItems": count, "maxItems": count}
    if origin in (dict, collections.abc.Mapping) and arguments:
        return {"type": "object", "additionalProperties": schema_of(arguments[1])}
    if dataclasses.is_dataclass(base):
        return _dataclass_schema(base)
    raise ValueError(
        f"`{getattr(base, '__name__', base)}` is neither a kind of artifact nor a type of parameters; those are bool, "
        "int, float, str, Path, Literal, Optional, lists, dictionaries and dataclasses of these"
    )


def _dataclass_schema(base: Any) -> Dict[str, Any]:
    hints = typing.get_type_hints(base, include_extras=True)
    docs = parameter_docs(base.__doc__ or "")
    properties, required = {}, []
    for field in dataclasses.fields(base):
        schema = schema_of(hints[field.name])
        if docs.get(field.name):
            schema["description"] = docs[field.name]
        if field.default is not dataclasses.MISSING:
            schema["default"] = to_json(field.default)
        elif field.default_factory is not dataclasses.MISSING:
            schema["default"] = to_json(field.default_factory())
        else:
            required.append(field.name)
        properties[field.name] = schema
    found = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**found, "required": required} if required else found


def to_json(value: Any) -> Any:
    """A default as JSON."""
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_json(dataclasses.asdict(value))
    return plain(str(value) if isinstance(value, Path) else value)


def from_json(hint: Any, value: Any) -> Any:
    """A parameter as its type hint says."""
    base = bare(hint)
    origin, arguments = typing.get_origin(base), typing.get_args(base)
    if value is None:
        return None
    if base is float and isinstance(value, (int, str)):
        return float(value)
    if base is int and isinstance(value, float):
        return int(value)
    if base is Path:
        return Path(value)
    if alternatives(base):
        inner = [member for member in alternatives(base) if member is not type(None)]
        return from_json(inner[0], value) if len(inner) == 1 else value
    if isinstance(base, type) and issubclass(base, enum.Enum):
        return base(value)
    if origin in _LISTS and arguments:
        return [from_json(arguments[0], item) for item in value]
    if origin is tuple and arguments:
        hints = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        return tuple(from_json(inner, item) for inner, item in zip(hints, value))
    if origin in (dict, collections.abc.Mapping) and arguments:
        return {name: from_json(arguments[1], inner) for name, inner in value.items()}
    if dataclasses.is_dataclass(base):
        hints = typing.get_type_hints(base, include_extras=True)
        return base(**{name: from_json(hints[name], inner) for name, inner in value.items()})
    return value


def parameter_docs(text: str) -> Dict[str, str]:
    """What a docstring says about each parameter: ``Args:`` as Google writes it, ``Parameters`` as numpy does."""
    docs: Dict[str, str] = {}
    lines = inspect.cleandoc(text).split("\n")
    section, name = "", ""
    for number, line in enumerate(lines):
        below = lines[number + 1] if number + 1 < len(lines) else ""
        heading = line.strip().rstrip(":").lower()
        if not line.startswith(" ") and (line.endswith(":") or re.match(r"-{3,}\s*\Z", below)):
            section, name = heading, ""
        elif section in ("args", "arguments", "parameters", "attributes"):
            google = re.match(r"\s{1,8}(\w+)(?:\s*\([^)]*\))?:\s+(.*)", line)
            numpy = re.match(r"(\w+)\s*(?::.*)?\Z", line)
            if google:
                name = google.group(1)
                docs[name] = google.group(2).strip()
            elif numpy and not line.startswith("---"):
                name = numpy.group(1)
                docs[name] = ""
            elif name and line.startswith(" "):
                docs[name] = f"{docs[name]} {line.strip()}".strip()
        elif section == "returns" and line.startswith(" "):
            docs["returns"] = f"{docs.get('returns', '')} {line.strip()}".strip()
    return {name: text for name, text in docs.items() if text}
