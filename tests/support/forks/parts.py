"""What is dealt out to the processes: the tests of one file at a time, of a folder as long as it has some."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Parts:
    """The tests that are to be run.

    Files of a folder share what takes long to start, such as a browser or a database, so a process goes on in its folder. With
    none left there it begins another folder, then it takes files from others.

    Args:
        tests: the folder, the file and the number of each.
    """

    def __init__(self, tests: Iterable[tuple[str, str, int]]) -> None:
        files: dict[tuple[str, str], list[int]] = defaultdict(list)
        for folder, file, number in tests:
            files[folder, file].append(number)
        self._files: dict[str, deque[list[int]]] = defaultdict(deque)
        for (folder, _), numbers in files.items():
            self._files[folder].append(numbers)
        self._untouched = deque(self._files)

    def take(self, folder: str) -> tuple[str, list[int]] | None:
        """Take the next file for a process that was in a folder. Return its folder and its tests; None at the end."""
        if files := self._files.get(folder):
            return folder, files.popleft()
        if self._untouched:
            return self.take(self._untouched.popleft())
        folder = max(self._files, key=lambda each: sum(map(len, self._files[each])), default="")
        return (folder, self._files[folder].pop()) if self._files.get(folder) else None

    def put_back(self, folder: str, numbers: list[int]) -> None:
        """Return the undone tests of a process that has died to the queue."""
        if numbers:
            self._files[folder].append(numbers)

    def clear(self) -> None:
        """Forget them: no more are to be run."""
        self._files.clear()
        self._untouched.clear()
