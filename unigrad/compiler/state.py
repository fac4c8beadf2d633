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
    from collections.abc import Callable, Hashable
    from logging import Logger

__all__ = ["CacheInfo", "Epoch", "State", "log", "state_of"]


def log() -> Logger:
    """The logger that says what is traced and compiled, and why."""
    import logging  # imported by need

    return logging.getLogger("unigrad")


LIMIT: Final = 256
_EPOCHS: Final = 8  # how many ways a function was are remembered

_lock = lock()  # of all caches: it is held for a look-up and never while anything is made


class CacheInfo(NamedTuple):
    """How often a compiled function was reused.

    Attributes:
        hits: calls that found their signature compiled (threads that count at once may lose one).
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


class Epoch:
    """What was made of a function while what it reads from around itself was the same.

    Attributes:
        compiled: compiled signatures, least recently used first.
        traced: graphs by signature, shared by all targets.
        guards: for each setting, the emitted guard of the signature met last.
        changed: says of the function what it reads that is another now; ``None`` before the first
            trace, and for a function that reads nothing that could change.
        is_watched: whether ``changed`` was made.
    """

    __slots__ = ("changed", "compiled", "guards", "is_watched", "traced")

    def __init__(self) -> None:
        self.compiled: OrderedDict[Hashable, Any] = OrderedDict()
        self.traced: OrderedDict[Hashable, Any] = OrderedDict()
        self.guards: dict[Any, Any] = {}
        self.changed: Callable[[Any], str | None] | None = None
        self.is_watched = False

    def keep(self, cache: OrderedDict[Hashable, Any], key: Hashable, value: Any) -> Any:
        """Put ``value`` into a cache of bounded size."""
        with _lock:
            cache[key] = value
            while len(cache) > LIMIT:
                cache.popitem(last=False)
        return value


class State:
    """What is known of one function under one chain of transforms.

    Attributes:
        epoch: what was made of it as it was at the last call.
        epochs: the same for each way it was, last first: a function that goes back and forth
            between two values is not traced again.
    """

    __slots__ = ("__weakref__", "epoch", "epochs", "hits", "misses", "traces")

    def __init__(self) -> None:
        self.epoch = Epoch()
        self.epochs = [self.epoch]
        self.hits = 0
        self.misses = 0
        self.traces = 0

    def epoch_of(self, function: Any, name: str) -> Epoch:
        """What was made of the function as it is now; a fresh one if it was never so."""
        why = ""
        for epoch in self.epochs:
            changed = None if epoch.changed is None else epoch.changed(function)
            if changed is None:
                break
            why = why or changed
        else:
            epoch = Epoch()
            log().info("%s reads %s, which has changed: it is traced again", name, why)
        if epoch is not self.epoch:
            with _lock:
                others = [one for one in self.epochs if one is not epoch]
                self.epochs = [epoch, *others[: _EPOCHS - 1]]
                self.epoch = epoch
        return epoch

    def look_up(self, epoch: Epoch, key: Hashable) -> Any:
        """The compiled signature of that key, ``None`` if there is none; counted as used."""
        with _lock:
            known = epoch.compiled.get(key)
            if known is not None:
                epoch.compiled.move_to_end(key)
                self.hits += 1
        return known

    def info(self) -> CacheInfo:
        """The counters."""
        kept = sum(len(epoch.compiled) for epoch in self.epochs)
        return CacheInfo(self.hits, self.misses, self.traces, LIMIT, kept)

    def clear(self) -> None:
        """Forget everything."""
        with _lock:
            self.epoch = Epoch()
            self.epochs = [self.epoch]
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
