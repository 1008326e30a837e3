"""Type hints as ports and JSON Schemas, and values as hints say."""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import inspect
import re
import typing
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union

from ._artifacts import Figure, File, Folder, Metrics, Model, Table, plain
from ._dataset import Dataset, parse_variables

KINDS: Dict[Any, str] = {
    File: "file",
    Folder: "folder",
    Dataset: "dataset",
    Model: "model",
    Metrics: "metrics",
    Table: "table",
    Figure: "figure",
}


@dataclasses.dataclass(frozen=True)
class Unit:
    """In ``Annotated[float, Unit("km")]``: the unit a parameter is kept in; workflows may write ``1500 m``."""

    symbol: str


@dataclasses.dataclass(frozen=True)
class Range:
    """In ``Annotated[float, Range(0, 1)]``: what a number lies between, or how long a list is."""

    minimum: Optional[float] = None
    maximum: Optional[float] = None


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
        each = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        return tuple(from_json(inner, item) for inner, item in zip(each, value))
    if origin in (dict, collections.abc.Mapping) and arguments:
        return {name: from_json(arguments[1], inner) for name, inner in value.items()}
    if dataclasses.is_dataclass(base):
        fields = typing.get_type_hints(base, include_extras=True)
        return base(**{name: from_json(fields[name], inner) for name, inner in value.items()})  # type: ignore[operator]
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
