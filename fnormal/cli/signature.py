"""A command's flags from its options' dataclass, and the dataclass back from what was typed."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Annotated, Any, Literal, TypeVar, get_args, get_type_hints

from fnormal.errors import FNormalError

Options = TypeVar("Options")
Choices = Mapping[str, Iterable[str]]


def parameters(options: type[Any], choices: Choices) -> list[inspect.Parameter]:
    """The fields of a dataclass as keyword parameters, those of dataclasses inside it among them.

    Args:
        options: Its fields are ``Annotated[type, typer.Option(...)]``, or other such dataclasses.
        choices: Fields of type str that take one of these names.
    """
    result = []
    for field, hint in _flags(options):
        annotation = _with_choices(hint, choices[field.name]) if field.name in choices else hint
        default = inspect.Parameter.empty if field.default is MISSING else field.default
        kind = inspect.Parameter.KEYWORD_ONLY
        result.append(inspect.Parameter(field.name, kind, default=default, annotation=annotation))
    return result


def gather(options: type[Options], typed: Mapping[str, Any]) -> Options:
    """The dataclass whose fields, and those of the dataclasses inside it, were ``typed``."""
    hints = get_type_hints(options, include_extras=True)
    values: dict[str, Any] = {}
    for field in fields(options):  # type: ignore[arg-type]
        if is_dataclass(hints[field.name]):
            inner = {k: v for k, v in typed.items() if k not in field.metadata.get("without", ())}
            values[field.name] = gather(hints[field.name], inner)
        elif field.name in typed:
            value = typed[field.name]
            if isinstance(value, float) and not math.isfinite(value):
                raise FNormalError(f"{_flag_of(field, hints)}: {value} is no finite number; give one")
            values[field.name] = value
    return options(**values)


def _flag_of(field: Field[Any], hints: Mapping[str, Any]) -> str:
    """What a user types for a field."""
    for extra in get_args(hints[field.name])[1:]:
        named = [name for name in getattr(extra, "param_decls", None) or () if name.startswith("--")]
        if named:
            return str(named[0])
    return f"--{field.name.replace('_', '-')}"


def _flags(options: type[Any], without: Iterable[str] = ()) -> Iterator[tuple[Field[Any], Any]]:
    """Fields that are flags, with their annotations."""
    hints = get_type_hints(options, include_extras=True)
    for field in fields(options):
        if is_dataclass(hints[field.name]):
            yield from _flags(hints[field.name], field.metadata.get("without", ()))
        elif field.name not in without:
            yield field, hints[field.name]


def _with_choices(hint: Any, names: Iterable[str]) -> Any:
    _, option = get_args(hint)
    return Annotated[Literal[tuple(names)], option]
