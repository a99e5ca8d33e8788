"""Converts the tables of one config file to types, and collects the problems on the way."""

from __future__ import annotations

import difflib
import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args, get_origin

import msgspec

from oddsengine.common.excerpts import echoed
from oddsengine.pricing.profiles.rules import Rule
from oddsengine.runtime.settings.errors import Problem
from oddsengine.runtime.settings.renamed_keys import RENAMED_KEYS
from oddsengine.runtime.settings.toml_lines import line_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


#: Of more allowed names than this only the closest are shown.
_MAX_LISTED: Final = 40
#: The types in msgspec's messages, and what an operator writes.
_TYPES: Final = re.compile("`([^`]+)`")
_WORDS: Final = {
    "int": "a whole number",
    "float": "a number",
    "str": "text in quotes",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}


class TableReader:
    """Converts parts of one file. Every problem is added to `problems`; nothing is raised.

    A path names a key by the tables above it, as ("profiles", "default", "rules", "0", "tier").

    Args:
        text: the file's text.
        name: the file's name, for messages.
    """

    def __init__(self, text: str, name: str) -> None:
        self._lines = line_numbers(text)
        self._name = name
        self.problems: list[Problem] = []
        #: the environment variable of each key that has one
        self.variables: dict[tuple[str, ...], str] = {}
        #: the ladders that a `ladder` key may name
        self.ladders: set[str] = set()

    def report(self, path: tuple[str, ...], message: str) -> None:
        """Add a problem at the variable or the line of a key, or of the closest table above it that has one."""
        for end in range(len(path), 0, -1):
            if (variable := self.variables.get(path[:end])) is not None:
                self.problems.append(Problem(variable, None, ".".join(path), message))
                return
            if (line := self._lines.get(path[:end])) is not None:
                self.problems.append(Problem(self._name, line, ".".join(path), message))
                return
        self.problems.append(Problem(self._name, None, ".".join(path), message))

    def report_unknown(self, path: tuple[str, ...], kind: str, name: str, known: Iterable[str]) -> None:
        """Report a name that is not defined, with those that are and the closest of them."""
        names = list(known)
        self.report(path, f"unknown {kind} {echoed(name)}; known: {_listed(names)}{_suggestion(name, names)}")

    def check_names(self, path: tuple[str, ...], table: Mapping[str, Any], known: Iterable[str], kind: str) -> None:
        """Report the keys of a table that are not known, or that have a new name."""
        names = list(known)
        for key in table:
            if key in names:
                continue
            if (new_name := RENAMED_KEYS.get(key)) in names:
                self.report((*path, key), f"renamed to {new_name}")
            else:
                self.report_unknown((*path, key), kind, key, names)

    def tables(self, path: tuple[str, ...], value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the tables of a table by name."""
        if not isinstance(value, dict):
            self.report(path, "must be a table of tables")
            return
        for key, part in value.items():
            if isinstance(part, dict):
                yield key, part
            else:
                self.report((*path, key), "must be a table")

    def array(self, path: tuple[str, ...], value: Any, kind: type[msgspec.Struct]) -> Iterator[Any]:
        """Convert and yield the elements of an array of tables, without those that have problems."""
        if not isinstance(value, list):
            self.report(path, "must be an array of tables ([[...]])")
            return
        for index, element in enumerate(value):
            place = (*path, str(index))
            found = self.convert(place, element, kind)
            if found is None:
                continue
            # An explanation of a price names the rules that applied by file and line.
            yield msgspec.structs.replace(found, _place=self._place(place)) if kind is Rule else found

    def convert(self, path: tuple[str, ...], value: Any, kind: Any, **extra: Any) -> Any:
        """Convert a table.

        Args:
            path: where it is.
            value: what TOML has there.
            kind: a Struct type, or another type that msgspec converts to.
            extra: more fields of the Struct.

        Returns:
            The converted value, or None if there was a problem.
        """
        if not isinstance(value, dict):
            self.report(path, "must be a table")
            return None
        if not _is_struct(kind):
            return self._value(path, value, kind)
        before = len(self.problems)
        known = {field.encode_name: field for field in msgspec.structs.fields(kind) if not field.name.startswith("_")}
        self.check_names(path, value, known, "key")
        good: dict[str, Any] = {
            known[key].name: part
            for key, written in value.items()
            if key in known and (part := self._field((*path, key), written, known[key].type)) is not None
        }
        while True:
            try:
                found = kind(**good, **extra)
            except TypeError as error:
                # What is missing may be what has a problem.
                if len(self.problems) == before:
                    self.report(path, str(error))
                return None
            except ValueError as error:
                # An error of one key begins with its name: without that key, the next error shows.
                key, _, message = str(error).partition(": ")
                is_named = key in known and bool(message)
                self.report(*(((*path, key), message) if is_named else (path, str(error))))
                if not is_named or good.pop(known[key].name, None) is None:
                    return None
            else:
                return found if len(self.problems) == before else None

    def _field(self, path: tuple[str, ...], value: Any, kind: Any) -> Any:
        if (table := _optional_struct(kind)) is not None:
            return self.convert(path, value, table)
        if _is_struct(kind):
            return self.convert(path, value, kind)
        if get_origin(kind) is tuple and _is_struct(element := get_args(kind)[0]):
            return tuple(self.array(path, value, element))
        if path[-1] == "ladder" and isinstance(value, str) and value not in self.ladders:
            self.report_unknown(path, "ladder", value, sorted(self.ladders))
            return None
        return self._value(path, value, kind)

    def _value(self, path: tuple[str, ...], value: Any, kind: Any) -> Any:
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            self.report(path, _explain(error, kind, value))
            return None

    def _place(self, path: tuple[str, ...]) -> str:
        line = self._lines.get(path)
        return f"{Path(self._name).name}:{line}" if line is not None else self._variable_above(path)

    def _variable_above(self, path: tuple[str, ...]) -> str:
        """Return the variable that has set a key or a table above it."""
        return next((self.variables[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.variables), self._name)


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _optional_struct(kind: Any) -> type[msgspec.Struct] | None:
    """Return the Struct of a type `Struct | None`, None for every other type."""
    parts = [part for part in get_args(kind) if part is not type(None)]
    return parts[0] if len(parts) == 1 and len(get_args(kind)) > 1 and _is_struct(parts[0]) else None


def _explain(error: msgspec.ValidationError, kind: Any, value: Any) -> str:
    given = value if isinstance(value, list) else [value]
    allowed = _choices(kind)
    wrong = next((each for each in given if each not in allowed), None)
    if allowed and wrong is not None:
        if len(allowed) <= _MAX_LISTED:
            listed = _listed(each or repr(each) for each in allowed)
            return f"{echoed(wrong)} is not one of {listed}{_suggestion(str(wrong), allowed)}"
        close = difflib.get_close_matches(str(wrong), allowed, n=5)
        closest = f"closest: {_listed(close)}" if close else "none is close"
        return f"{echoed(wrong)} is not one of {len(allowed)} known names; {closest}"
    reason, _, place = str(error).partition(" - at ")
    reason = _TYPES.sub(_in_words, reason.partition(", got ")[0])
    is_of_element = isinstance(value, list) and "[" in place
    return f"{reason}{' for each of the list' if is_of_element else ''}, not {echoed(value)}"


def _choices(kind: Any) -> list[str]:
    """Return the strings that a type, or an element of it, may be; nothing where it may be any."""
    if get_origin(kind) is Literal:
        return [each for each in get_args(kind) if isinstance(each, str)]
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return [each.value for each in kind]
    return list(dict.fromkeys(choice for part in get_args(kind) for choice in _choices(part)))


def _in_words(types: re.Match[str]) -> str:
    names = types[1].split(" | ")
    return " or ".join(_WORDS.get(name, name) for name in names if name != "null")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _suggestion(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {echoed(close[0])}?" if close else ""
