"""The caches: what was traced and compiled for a function, kept as long as the function lives.

What is kept never refers to the function itself, so that a weak dictionary can hold it: a gradient
taken anew in every turn of a loop finds what the first turn made.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from unigrad.locks import lock

if TYPE_CHECKING:
    from collections.abc import Hashable
    from logging import Logger

__all__ = ["CacheInfo", "State", "log", "state_of"]


def log() -> Logger:
    """The logger that says what is traced and compiled, and why."""
    import logging  # imported by need

    return logging.getLogger("unigrad")


LIMIT: Final = 256

_lock = lock()  # of all caches: it is held for a look-up and never while anything is made


class CacheInfo(NamedTuple):
    """How often a compiled function was reused.

    Attributes:
        hits: calls that found their signature by the general look-up (calls that the fast guard
            took are not counted).
        misses: signatures that were traced and compiled.
        traces: how often the Python function ran on traced values.
        maxsize: how many compiled signatures are kept.
        currsize: how many are kept now.
    """

    hits: int
    misses: int
    traces: int
    maxsize: int
    currsize: int


class State:
    """What is known of one function under one chain of transforms.

    Attributes:
        compiled: compiled signatures, least recently used first.
        traced: graphs by signature, shared by all targets.
        guards: for each setting, the emitted guard of the signature met last.
    """

    __slots__ = ("__weakref__", "compiled", "guards", "hits", "misses", "traced", "traces")

    def __init__(self) -> None:
        self.compiled: OrderedDict[Hashable, Any] = OrderedDict()
        self.traced: OrderedDict[Hashable, Any] = OrderedDict()
        self.guards: dict[Any, Any] = {}
        self.hits = 0
        self.misses = 0
        self.traces = 0

    def keep(self, cache: OrderedDict[Hashable, Any], key: Hashable, value: Any) -> Any:
        """Put ``value`` into a cache of bounded size."""
        with _lock:
            cache[key] = value
            while len(cache) > LIMIT:
                cache.popitem(last=False)
        return value

    def look_up(self, key: Hashable) -> Any:
        """The compiled signature of that key, ``None`` if there is none; counted as used."""
        with _lock:
            known = self.compiled.get(key)
            if known is not None:
                self.compiled.move_to_end(key)
                self.hits += 1
        return known

    def info(self) -> CacheInfo:
        """The counters."""
        return CacheInfo(self.hits, self.misses, self.traces, LIMIT, len(self.compiled))

    def clear(self) -> None:
        """Forget everything."""
        with _lock:
            self.compiled.clear()
            self.traced.clear()
            self.guards = {}
            self.hits = self.misses = self.traces = 0


# By identity: objects that are equal may hold different arrays.
_states: dict[int, tuple[weakref.ref[Any], dict[Any, State]]] = {}


def state_of(function: Any, chain: Hashable) -> State:
    """The state of a function under a chain of transforms; a fresh one if it cannot be remembered.

    A bound method is remembered with its object.
    """
    anchor = getattr(function, "__self__", None)
    inner = getattr(function, "__func__", None)
    if anchor is None or inner is None:
        anchor, key = function, chain
    else:
        key = (inner, chain)
    place = id(anchor)

    def forget(reference: weakref.ref[Any]) -> None:
        known = _states.get(place)
        if known is not None and known[0] is reference:
            del _states[place]

    try:
        hash(anchor)  # what can change in place says so by having no hash
        reference = weakref.ref(anchor, forget)
    except TypeError:  # neither hashable nor weakly referable: cached with the wrapper alone
        return State()
    with _lock:
        known = _states.get(place)
        if known is None or known[0]() is not anchor:
            known = _states[place] = (reference, {})
        return known[1].setdefault(key, State())
