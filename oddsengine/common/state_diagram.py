"""Diagrams of transition tables, drawn from the tables that run."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

_State = TypeVar("_State", bound=Enum)
_Trigger = TypeVar("_Trigger", bound=Enum)


def state_diagram(transitions: Mapping[tuple[_State, _Trigger], _State], initial: _State) -> str:
    """Return a table as a Mermaid state diagram.

    Args:
        transitions: (state, trigger) -> state, in the order of the arrows.
        initial: the state to start in.
    """
    arrows = [f"    {state.value} --> {to.value}: {trigger.value}" for (state, trigger), to in transitions.items()]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {initial.value}", *arrows])
