"""Problems of a config file. All of them are the operator's to correct."""

from __future__ import annotations

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """One problem in a config file, and where it is."""

    file: str
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line is not None else self.file
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class ConfigError(Exception):
    """A config file that can't be used. `problems` holds everything that is wrong with it."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))
