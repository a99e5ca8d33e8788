"""Permissions to make, confirm, lift and see commands."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import msgspec

from oddsengine.commands.command import EVERY_PROFILE, Scope
from oddsengine.commands.validation import UNDIVIDED
from oddsengine.domain.ids import EventId
from oddsengine.gateway.access.grants import Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oddsengine.commands.command import Action, Command
    from oddsengine.gateway.access.grants import Access
    from oddsengine.gateway.state.replica import Replica


class Forbidden(Exception):
    """A command that a token does not grant, with what it grants."""


def wider_scopes(scope: Scope, replica: Replica) -> Iterator[str]:
    """Yield what a scope is part of, itself first, as `<kind>:<key>`; the sport of an event only while that is on offer."""
    yield f"{scope.kind}:{scope.key}" if scope.key else scope.kind
    if scope.selection is not None:
        yield f"market:{scope.market_id}"
    event = scope.event_id
    if event is None:
        return
    if scope.event is None:
        yield f"event:{event}"
    entry = replica.offers[replica.shard_of(event)].events.get(EventId(event))
    if entry is not None:
        yield entry.competition
        yield entry.sport


def require_granted(access: Access, action: Action, scope: Scope, replica: Replica) -> None:
    """Check that a token grants an action in a scope.

    Raises:
        Forbidden: if it does not.
    """
    if access.role is Role.admin:
        return
    scopes = list(wider_scopes(scope, replica))
    if not any(pattern == "*" or any(fnmatchcase(f"{action}:{each}", pattern) for each in scopes) for pattern in access.commands):
        raise Forbidden(f"{action}:{scopes[0]} is not granted; the token grants {', '.join(access.commands) or 'no commands'}")
    if "*" not in access.channels and not any(access.may_subscribe(each) for each in scopes):
        raise Forbidden(f"{scopes[0]} is not among the token's channels, {', '.join(access.channels) or 'none'}")


def require_granted_all(access: Access, command: Command, replica: Replica) -> None:
    """Check that a token grants a command, for each of the events that it is about. Raises Forbidden if it does not."""
    require_granted(access, command.action, command.scope, replica)
    for event in command.events[1:]:
        require_granted(access, command.action, Scope(event=event), replica)


def commands_every_profile(access: Access) -> bool:
    """Check whether a token is not of one profile only."""
    return access.profile is None or access.role is Role.admin


def narrowed(access: Access, action: Action, scope: Scope, published: Sequence[str]) -> Scope:
    """Return a scope with the profiles that a token may command: its own if it has one.

    Raises:
        Forbidden: if the scope names another one, the action is not of one profile, or the token's profile is not published.
    """
    own = access.profile
    if own is None or commands_every_profile(access):
        return scope
    if action in UNDIVIDED:
        raise Forbidden(f"{action} holds in all profiles, and the token is of the profile {own} only")
    others = [name for name in scope.profiles if name not in {own, *EVERY_PROFILE}]
    if others:
        raise Forbidden(f"the token is of the profile {own}, not of {', '.join(others)}")
    if own not in published:
        raise Forbidden(f"the token is of the profile {own}, which is not published: nothing can be commanded in it")
    return msgspec.structs.replace(scope, profiles=(own,))


def may_see(access: Access, command: Command, replica: Replica) -> bool:
    """Check whether a token shows a command: one that holds in its profile, in its channels."""
    if access.role is Role.admin:
        return True
    if not is_of_profile(access, command):
        return False
    return "*" in access.channels or any(access.may_subscribe(each) for each in wider_scopes(command.scope, replica))


def is_of_profile(access: Access, command: Command) -> bool:
    """Check whether a command holds in the profile of a token."""
    profiles = command.scope.profiles
    return access.profile is None or profiles == EVERY_PROFILE or access.profile in profiles


def shown(access: Access, command: Command) -> Command:
    """Return a command as a token shows it: one of one profile is not told the names of others."""
    own, scope = access.profile, command.scope
    if own is None or commands_every_profile(access) or scope.profiles in {EVERY_PROFILE, (own,)}:
        return command
    return msgspec.structs.replace(command, scope=msgspec.structs.replace(scope, profiles=(own,)))


def require_may_end(access: Access, command: Command, replica: Replica) -> None:
    """Check that a token may confirm or lift a command: it could have made it.

    Raises:
        Forbidden: if it could not.
    """
    require_granted_all(access, command, replica)
    if not commands_every_profile(access) and command.scope.profiles != (access.profile,):
        raise Forbidden(f"the command is not of the profile {access.profile} alone")
