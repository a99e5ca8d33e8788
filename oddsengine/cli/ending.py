"""The end of every command: what a user or the world around has caused becomes lines and an exit code, without a traceback.

This is the one place for it; commands raise. `python -m oddsengine.cli.ending` prints the table of exit codes. It imports the
standard library only: `oddsengine health` runs every few seconds.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, requires
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
#: As shells have them: 128, and the number of SIGINT or SIGPIPE.
EXIT_INTERRUPTED: Final = 130
EXIT_CLOSED: Final = 141
#: Set it to see where an error was raised.
TRACEBACK: Final = "ODDSENGINE_TRACEBACK"
#: The modules whose exceptions say what is wrong outside the program: with files, servers and what they send.
_OUTSIDE: Final = (
    *("aiohttp", "asyncpg", "lzma", "msgspec", "redis", "sqlalchemy", "tarfile", "tomllib", "websockets", "zlib"),
    *("feeds.errors", "oddsengine.client.errors", "oddsengine.history.errors", "oddsengine.streams.errors"),
)
_EXPECTED: Final = (OSError, ValueError, EOFError, RecursionError)
_MEANINGS: Final = {
    0: ("done; of a command that serves or watches: stopped by SIGTERM or SIGINT", ""),
    EXIT_FAILED: (
        "it could not be done, a value was refused while it was, or what was asked about is not so",
        "the line `error: ..` says why",
    ),
    EXIT_USAGE: (
        "an option or an argument is missing or of the wrong kind, or the config is not valid",
        "`--help`, `oddsengine check FILE`",
    ),
    EXIT_INTERRUPTED: ("interrupted by Ctrl-C before it was done", ""),
    EXIT_CLOSED: ("whoever read the output has closed it, as `head` does", ""),
}


def run(command: Callable[[], object]) -> NoReturn:
    """Run a command and exit with its code. An error of the program itself is raised as it is, with its traceback."""
    try:
        code = _code_of(command)
    except BrokenPipeError:
        code = EXIT_CLOSED
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except BaseException as error:
        found = None if os.environ.get(TRACEBACK) else lines_of(error)
        if found is None:
            raise
        code, lines = found
        for line in dict.fromkeys(lines):
            sys.stderr.write(f"error: {line}\n")
    if code == EXIT_INTERRUPTED:
        sys.stderr.write("interrupted before it was done\n")
    sys.exit(_flushed(code))


def _code_of(command: Callable[[], object]) -> int:
    """Run a command and return its exit code."""
    try:
        command()
    except SystemExit as end:
        # Typer and rich end so where the output was closed.
        if isinstance(end.__context__, BrokenPipeError):
            return EXIT_CLOSED
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
            return EXIT_FAILED
        return end.code or 0
    return 0


def _flushed(code: int) -> int:
    """Write what is still to be written, and return the exit code after that."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # Else the interpreter would try again, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if isinstance(error, BrokenPipeError):
            return EXIT_CLOSED
        sys.stderr.write(f"error: can't write the output: {text_of(error)}\n")
        return EXIT_FAILED
    return code


def lines_of(error: BaseException) -> tuple[int, list[str]] | None:
    """Return the exit code and the lines for an error; None for one of the program itself."""
    from oddsengine.runtime.settings.errors import ConfigError  # noqa: PLC0415 - commands without an error start faster

    lines: list[str] = []
    code = EXIT_FAILED
    for leaf in _leaves(error):
        if isinstance(leaf, ConfigError):
            lines += map(str, leaf.problems)
            code = EXIT_USAGE
        elif isinstance(leaf, ModuleNotFoundError) and (extra := _extra_of(leaf.name or "")):
            lines.append(f"{leaf.name} is not installed: pip install 'oddsengine[{extra}]'")
        elif _is_expected(leaf):
            lines.append(text_of(leaf))
        else:
            return None
    return code, lines


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


def _is_expected(error: BaseException) -> bool:
    if isinstance(error, _EXPECTED):
        return True
    modules = [kind.__module__ for kind in type(error).__mro__]
    return any(module == known or module.startswith(f"{known}.") for module in modules for known in _OUTSIDE)


def text_of(error: BaseException) -> str:
    """Return the text of an error in one line, without the number of an OSError."""
    if isinstance(error, RecursionError):
        return "what was read is nested too deeply"
    if isinstance(cause := getattr(error, "orig", None), Exception):
        return text_of(cause)  # SQLAlchemy adds the statement, and an address to read on
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time"
    return " ".join(str(error).split()) or type(error).__name__


def _extra_of(package: str) -> str:
    """Return the extra that brings a package; empty if none does."""
    try:
        declared = requires("oddsengine") or ()
    except PackageNotFoundError:
        return ""
    wanted = package.partition(".")[0].replace("_", "-").lower()
    for each in declared:
        name, _, marker = each.partition(";")
        if name.strip().lower().startswith(wanted) and "extra ==" in marker:
            return marker.partition("extra ==")[2].strip(" '\"")
    return ""


def exit_codes() -> str:
    """Return the exit codes of commands that do not serve as a Markdown table."""
    rows = [f"| {code} | {meaning} | {advice} |" for code, (meaning, advice) in _MEANINGS.items()]
    return "\n".join(["| code | meaning | what to do |", "| --- | --- | --- |", *rows])


if __name__ == "__main__":
    sys.stdout.write(exit_codes() + "\n")
