"""Inputs by grammar and by mutation: structures with odd values, written as JSON, MessagePack or text, then damaged."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from random import Random
from typing import Any, Final, TypeAlias

import msgspec
from hypothesis import strategies as st

#: Mutations of each input that a grammar gives.
MUTATIONS: Final = 5
CORPUS: Final = Path(__file__).parent / "corpus"


class Raw(msgspec.Struct, frozen=True):
    """Bytes that stand for a value as they are: in JSON, and in MessagePack."""

    json: bytes
    msgpack: bytes


Value: TypeAlias = Any


def corpus(name: str) -> list[bytes]:
    """Return the saved inputs of a target. A line is a list of [text in Latin-1, times]."""
    lines = (CORPUS / f"{name}.jsonl").read_text("ascii").splitlines()
    return [b"".join(text.encode("latin-1") * times for text, times in json.loads(line)) for line in lines]


def _nested(depth: int) -> Raw:
    return Raw(b"[" * depth + b"]" * depth, b"\x91" * depth + b"\xc0")


def _string(size: int) -> bytes:
    return b"\xdb" + struct.pack("!I", size)


#: Values that some library has once stumbled over.
ODD_VALUES: Final[list[Value]] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**53 + 1,
    2**63 - 1,
    -(2**63),
    "",
    "0",
    " ",
    "null",
    "\x00",
    "é",
    "\U0001f3c6",
    "x" * 5000,
    0.0,
    -0.0,
    1.5,
    1e306,
    -1e306,
    5e-324,
    [],
    {},
    [[]],
    [None],
    {"": {}},
    ["", ""],
    {"op": "ping"},
    Raw(b"18446744073709551616", b"\xcf" + b"\xff" * 8),
    Raw(b"-9223372036854775809", b"\xd3\x80" + b"\0" * 7),
    Raw(b"9" * 400, b"\xcb\x7f\xf0\0\0\0\0\0\0"),
    Raw(b"1e999", b"\xcb\x7f\xf8\0\0\0\0\0\0"),
    Raw(b"NaN", b"\xcb\xff\xf0\0\0\0\0\0\0"),
    Raw(b'"\\ud800"', b"\xa3\xed\xa0\x80"),
    Raw(b'"\\udc00\\ud800"', b"\xa1\xff"),
    Raw(b'"\xff"', b"\xa2\xc0\x80"),
    Raw(b'"\\u0000"', b"\xc4\x01x"),
    Raw(b"'x'", b"\xc7\x00\x05"),
    Raw(b'"\\', b"\xc1"),
    Raw(b'"', _string(2**32 - 1)),
    Raw(b"[1,", b"\xdd\xff\xff\xff\xff"),
    Raw(b'{"a":', b"\xdf\xff\xff\xff\xff"),
    Raw(b"tru", b"\xd6\xff\xff\xff\xff\xff"),
    _nested(100),
    _nested(3000),
    Raw(b"[" * 5000, b"\x91" * 5000),
    Raw(b'{"a":' * 2000, b"\x81\xa1a" * 2000),
]

odd: Final = st.sampled_from(ODD_VALUES) | st.integers() | st.floats() | st.text(max_size=20)


def to_json(value: Value) -> bytes:
    """Write a value as JSON; a float that JSON has no words for as Python writes it."""
    if isinstance(value, Raw):
        return value.json
    if isinstance(value, dict):
        return b"{" + b",".join(to_json(key) + b":" + to_json(each) for key, each in value.items()) + b"}"
    if isinstance(value, list | tuple):
        return b"[" + b",".join(map(to_json, value)) + b"]"
    return json.dumps(value).encode()


def to_msgpack(value: Value) -> bytes:
    """Write a value as MessagePack; an integer that it has no words for as a float."""
    if isinstance(value, Raw):
        return value.msgpack
    if isinstance(value, dict):
        return b"\xde" + struct.pack("!H", len(value)) + b"".join(to_msgpack(part) for item in value.items() for part in item)
    if isinstance(value, list | tuple):
        return b"\xdd" + struct.pack("!I", len(value)) + b"".join(map(to_msgpack, value))
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        value = float(min(max(value, -(10**300)), 10**300))
    return msgspec.msgpack.encode(value)


class Input(bytes):
    """An input that reports do not show whole if it is long."""

    __slots__ = ()

    def __repr__(self) -> str:
        shown = bytes(self[:200])
        return repr(shown) if len(self) <= len(shown) else f"{shown!r} and {len(self) - len(shown)} bytes more"


def often(usual: st.SearchStrategy[Value], *others: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    """Return nine times in ten the usual values, else one of the others: `one_of` would give each the same chance."""
    return st.integers(0, 9).flatmap(lambda number: st.one_of(*others) if number == 9 else usual)


def mostly(usual: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    """Return the usual values, and now and then an odd one."""
    return often(usual, odd)


ids: Final = st.sampled_from(["e1", "e2", "none", "", "e1/match_odds", "football", "cup", "*", "e1/", "/", "é", "a" * 300])
channels: Final = st.builds(
    "{}{}".format, st.sampled_from(["event:", "market:", "sport:", "competition:", "", ":", "Event:"]), ids
)
positions: Final = st.sampled_from(
    [
        "0-1-1",
        "0-1-0.1-1-1",
        "0-ffffffffffffffffffff-1",
        "",
        "-",
        "0-1",
        "x-y-z",
        "0-0-0",
        "-1-1-1",
        "0-1-1." * 500,
        "\u0661-\u0661-\u0661",
    ]
)
_id: Final = {"id": mostly(st.integers(-(2**63), 2**63 - 1) | st.text(max_size=8) | st.none())}
_names: Final = mostly(st.lists(mostly(channels), min_size=1, max_size=12))
_options: Final = {
    **_id,
    "min_interval_ms": mostly(st.integers(0, 10_000)),
    "format": mostly(st.sampled_from(["decimal", "fractional", "american", "roman"])),
    "resume": mostly(positions),
    "x": mostly(st.just("not known")),
}
_subscribes: Final = st.fixed_dictionaries({"op": mostly(st.just("subscribe")), "channels": _names}, optional=_options)
requests: Final = often(
    _subscribes,
    st.fixed_dictionaries({"op": mostly(st.just("unsubscribe")), "channels": _names}, optional=_id),
    st.fixed_dictionaries({"op": mostly(st.just("ping"))}, optional=_id),
    st.fixed_dictionaries({"op": st.just("auth"), "token": mostly(st.text(max_size=20))}, optional=_id),
)
quotes: Final = st.fixed_dictionaries(
    {
        "market": mostly(ids),
        "selection": mostly(st.sampled_from(["home", "away", "", "x"])),
        "price": mostly(st.floats(1.001, 1000)),
    },
    optional={"v": mostly(st.integers(0, 5))},
)
checks: Final = st.fixed_dictionaries({"quotes": mostly(st.lists(mostly(quotes), max_size=4))}, optional={"x": odd})


def mutate(data: bytes, seed: Random) -> bytes:
    """Return an input after a few mutations: cut, doubled, bytes changed, bytes put in."""
    found = bytearray(data)
    for _ in range(seed.randint(1, 4)):
        at = seed.randint(0, len(found))
        match seed.randint(0, 4):
            case 0:
                del found[at : at + seed.randint(1, 8)]
            case 1:
                found[at:at] = found[max(0, at - 6) : at] * seed.randint(1, 50)
            case 2:
                found[at:at] = seed.randbytes(seed.randint(1, 6))
            case 3:
                found[at : at + 1] = seed.randbytes(1)
            case 4:
                del found[at:]
    return bytes(found)


def damaged(whole: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Return mutated inputs."""
    return st.builds(lambda data, seed: mutate(data, Random(seed)), whole, st.integers(0, 2**32))


def inputs(whole: st.SearchStrategy[bytes], saved: list[bytes]) -> st.SearchStrategy[list[bytes]]:
    """Return inputs of a target: some by its grammar, saved ones, any bytes, and several mutations of each."""
    bases = often(st.sampled_from(range(len(saved))).map(saved.__getitem__), st.binary(max_size=40))
    drawn = st.lists(st.one_of(whole, whole, whole, bases), min_size=1, max_size=6)
    return st.builds(_with_mutations, drawn, st.integers(0, 2**32))


def _with_mutations(drawn: list[bytes], number: int) -> list[bytes]:
    seed = Random(number)
    mutations = [mutate(data, seed) for data in drawn for _ in range(MUTATIONS)]
    # In any order: a session ends at some of them.
    return [Input(data) for data in seed.sample(drawn + mutations, len(drawn) + len(mutations))]
