"""What a function reads from around itself, and the test of whether that is still the same.

A function is traced once, and its graph holds what it read then: a global learning rate, a weight
of its object, a helper. The test asks for each of these whether the name still leads to the same
object, or to an equal number or string. What changes inside of an object that no name of the code
leads to, such as the elements of an array, it does not see.

The test is written as code, with the way to each object from the function itself, and refers weakly
to what it compares with: so it keeps nothing alive.
"""

from __future__ import annotations

import dis
import functools
import inspect
import os
import site
import sysconfig
import types
import weakref
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import numpy as np

from unigrad.outside import literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["is_of_the_user", "names_in", "reached_code", "test_of_reads"]

_MOST: Final = 256
"""How many reads a test may have; what is found after that is not watched."""

_MOST_ELEMENTS: Final = 64
"""Up to which length the elements of a list, tuple or dict are watched."""

_ATOMS: Final = frozenset((int, float, bool, complex, str, bytes, type(None)))
_FUNCTION: Final = types.FunctionType
_MISSING: Final = object()


def test_of_reads(anchor: Any) -> Callable[[Any], str | None] | None:
    """The test for one function (or method, partial or callable object) as it is now.

    Returns:
        A function of ``anchor`` that says what has changed, as ``"lr"`` or ``"self.w"``, ``None``
        if nothing has; itself ``None`` if the function reads nothing that could.
    """
    walk = _Walk(anchor)
    walk.run()
    if not walk.lines:
        return None
    from unigrad.backend.load import load  # imported by need

    lines = [f"        {line}" for line in walk.lines]
    text = "\n".join(
        [
            "def changed(anchor):", "    try:", *lines,
            "    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:",
            "        return str(error)", "    return None", "",
        ]
    )  # fmt: skip
    return load(text, "changed", "test of reads", walk.space)


def reached_code(anchor: Any) -> tuple[list[types.CodeType], list[Any]]:
    """The code of the user's functions that a function calls, and the objects that it reads."""
    walk = _Walk(anchor)
    walk.run()
    return list(walk.codes), [value for _, value, _ in walk.objects]


# -- what code names -------------------------------------------------------------------------------


class Named(NamedTuple):
    """What a code object reads by name, its inner functions included."""

    globals: frozenset[str]
    attributes: frozenset[str]

    @property
    def all(self) -> frozenset[str]:
        """Both."""
        return self.globals | self.attributes


@functools.lru_cache(maxsize=2048)
def names_in(code: types.CodeType) -> Named:
    """The globals and the attributes that code loads."""
    found_globals: set[str] = set()
    found_attributes: set[str] = set()
    for one in _with_inner(code):
        for instruction in dis.get_instructions(one):
            name = instruction.opname
            if name in ("LOAD_GLOBAL", "LOAD_NAME"):
                found_globals.add(instruction.argval)
            elif name.startswith(("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER")):
                found_attributes.add(instruction.argval)
    return Named(frozenset(found_globals), frozenset(found_attributes))


def _with_inner(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _with_inner(constant)


_OURS: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep  # noqa: PTH100, PTH120
_LIBRARIES: Final = tuple(
    {
        os.path.abspath(path) + os.sep  # noqa: PTH100
        for path in (
            sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"),
            sysconfig.get_path("platlib"), *site.getsitepackages(),
        )
    }
)  # fmt: skip


@functools.lru_cache(maxsize=2048)
def _is_library_file(file: str) -> bool:
    if file.startswith(("<frozen", "<unigrad", "<__array_function__")):
        return True
    return file.startswith((_OURS, *_LIBRARIES))


def is_of_the_user(function: Any) -> bool:
    """Whether a plain function is the user's: neither unigrad's nor an installed library's."""
    return function.__class__ is _FUNCTION and not _is_library_file(function.__code__.co_filename)


# -- the walk --------------------------------------------------------------------------------------


def _same(found: Any, known: Any) -> bool:
    """Whether two numbers or strings are equal and of one type; NaN is, -0.0 and 0.0 are not."""
    kind: type = known.__class__
    if found.__class__ is not kind:
        return False
    if kind is float:
        return cast("float", found).hex() == known.hex()
    if isinstance(known, np.generic):
        return found.tobytes() == known.tobytes()
    return found == known


class _Walk:
    """Finds what a function reads, and writes the test.

    Attributes:
        lines: of the test.
        space: the names that they use.
        codes: the code of the user's functions that were reached.
        objects: each object that was reached, with the variable that holds it and what to call it.
    """

    def __init__(self, anchor: Any) -> None:
        self.anchor = anchor
        self.lines: list[str] = []
        self.space: dict[str, Any] = {"same": _same}
        self.codes: dict[types.CodeType, None] = {}
        self.objects: list[tuple[str, Any, str]] = []
        self._attributes: set[str] = set()
        self._seen: dict[int, str] = {}
        self._alive: list[Any] = []  # what was made on the way: its id must stay its own
        self._package = _package_of(anchor)

    def run(self) -> None:
        """Follow everything, to its end."""
        anchor: Any = self.anchor
        if anchor.__class__ is _FUNCTION and not self._is_followed(anchor):
            return
        self._enter("anchor", anchor, "")
        done: set[tuple[int, str]] = set()
        grown = True
        while grown and len(self.lines) < _MOST:  # what is reached late may name more attributes
            grown = False
            for variable, value, label in list(self.objects):
                for name in sorted(self._attributes):
                    if (id(value), name) not in done:
                        done.add((id(value), name))
                        grown = True
                        self._attribute(variable, value, name, label)

    def _is_followed(self, function: Any) -> bool:
        """Whether a plain function is looked into."""
        if is_of_the_user(function):
            return True
        return bool(self._package) and _package_of(function) == self._package

    # -- reads -------------------------------------------------------------------------------------

    def _read(self, path: str, value: Any, label: str) -> None:
        """Watch the object at the end of a way, and what can be reached through it."""
        if len(self.lines) >= _MOST or value.__class__ is types.ModuleType:
            if value.__class__ is types.ModuleType and not _is_library_module(value):
                self._enter(path, value, label)
            return
        if value.__class__ in _ATOMS or isinstance(value, np.generic):
            known = self._constant(value)
            test = f"{path} is not {known} and not same({path}, {known})"
            self._line(test, label)
            return
        known = self._seen.get(id(value))
        if known is not None:
            self._line(f"{path} is not {known}", label)
            return
        variable = f"x{len(self._seen)}"
        self.lines.append(f"{variable} = {path}")
        if value.__class__ in (list, tuple, dict):
            self._container(variable, value, label)
            return
        try:
            reference: Any = weakref.ref(value)
        except TypeError:
            known = self._constant(value)
            self._line(f"{variable} is not {known}", label)
        else:
            known = self._constant(reference)
            self._line(f"{variable} is not {known}() or {variable} is None", label)
        self._enter(variable, value, label)

    def _line(self, test: str, label: str) -> None:
        self.lines.append(f"if {test}: return {literal(label)}")

    def _constant(self, value: Any) -> str:
        name = f"v{len(self.space)}"
        self.space[name] = value
        return name

    def _container(self, variable: str, value: Any, label: str) -> None:
        """Watch the elements of a list, tuple or dict, which has no weak reference."""
        self._seen[id(value)] = variable
        self._alive.append(value)
        kind = value.__class__.__name__
        self._line(f"{variable}.__class__ is not {kind} or len({variable}) != {len(value)}", label)
        if len(value) > _MOST_ELEMENTS:
            return
        elements: Any = value
        keys: Iterable[Any] = elements if isinstance(value, dict) else range(len(elements))
        for key in keys:
            text = literal(key)
            if text is not None:
                self._read(f"{variable}[{text}]", elements[key], f"{label}[{text}]")

    # -- what is looked into -----------------------------------------------------------------------

    def _enter(self, variable: str, value: Any, label: str) -> None:
        """Look into a function, a method, a partial, a module, a class or any other object."""
        if id(value) in self._seen:
            return
        self._seen[id(value)] = variable
        self._alive.append(value)
        kind: type = value.__class__
        if kind is _FUNCTION:
            if self._is_followed(value):
                self._function(variable, value, label)
        elif kind is types.MethodType:
            self._enter_part(f"{variable}.__self__", value.__self__, "self")
            self._enter_part(f"{variable}.__func__", value.__func__, label)
        elif isinstance(value, functools.partial):
            self._enter_part(f"{variable}.func", value.func, label)
            self._read(f"{variable}.args", value.args, f"{label}(...)")
            self._read(f"{variable}.keywords", value.keywords, f"{label}(...)")
        elif _is_a_function_of_ours(kind):
            self._enter_part(f"{variable}.anchor", value.anchor, label)
        elif not (_is_array(value) or _is_library_class(value) or _is_ours(kind)):
            self.objects.append((variable, value, label))
            call = inspect.getattr_static(kind, "__call__", None)
            if call.__class__ is _FUNCTION and variable == "anchor":
                self._enter_part(f"type({variable}).__call__", call, label)

    def _enter_part(self, path: str, value: Any, label: str) -> None:
        if id(value) not in self._seen:
            variable = f"x{len(self._seen)}"
            self.lines.append(f"{variable} = {path}")
            self._enter(variable, value, label)

    def _function(self, variable: str, value: Any, label: str) -> None:
        code = value.__code__
        self.codes[code] = None
        named = names_in(code)
        self._attributes |= named.attributes
        inside = f"{label}." if label else ""
        # Code objects are compared by what they hold; the one that runs is told by identity.
        self._line(f"{variable}.__code__ is not {self._constant(code)}", f"{inside}__code__")
        for part in ("__defaults__", "__kwdefaults__"):
            found = getattr(value, part)
            if found is not None:
                self._read(f"{variable}.{part}", found, f"{inside}{part}")
        around = value.__globals__
        wanted = sorted(name for name in named.globals if name in around)
        if wanted:
            names = f"g{len(self._seen)}"
            self.lines.append(f"{names} = {variable}.__globals__")
            for name in wanted:
                self._read(f"{names}[{literal(name)}]", around[name], name)
        for position, (cell, name) in enumerate(
            zip(value.__closure__ or (), code.co_freevars, strict=True)
        ):
            try:
                content = cell.cell_contents
            except ValueError:  # not assigned yet
                continue
            path = f"{variable}.__closure__[{position}].cell_contents"
            self._read(path, content, name)

    def _attribute(self, variable: str, value: Any, name: str, label: str) -> None:
        """Watch one attribute of an object, if it has it."""
        path, inside = f"{variable}.{name}", f"{label}.{name}" if label else name
        static = inspect.getattr_static(value, name, _MISSING)
        own = cast("dict[str, Any]", vars(value) if hasattr(value, "__dict__") else {})
        if static is _MISSING:
            self._dynamic(path, value, name, inside)
        elif name in own and not isinstance(value, type):
            self._read(path, own[name], inside)
        elif hasattr(static.__class__, "__get__") and not inspect.ismemberdescriptor(static):
            self._descriptor(variable, value, name, static, inside)
        else:
            found = getattr(value, name, _MISSING)
            if found is not _MISSING:
                self._read(path, found, inside)

    def _descriptor(self, variable: str, value: Any, name: str, static: Any, label: str) -> None:
        """Watch what a class gives its objects: methods and properties, by their code."""
        is_class = isinstance(value, type)
        path = f"{variable}.{name}" if is_class else f"type({variable}).{name}"
        if isinstance(static, property) and static.fget.__class__ is _FUNCTION and not is_class:
            self._enter_part(f"{path}.fget", static.fget, label)
        elif isinstance(static, (staticmethod, classmethod)):
            function = cast("Any", static).__func__
            tail = ".__func__" if isinstance(static, classmethod) else ""
            if function.__class__ is _FUNCTION:
                self._enter_part(f"{path}{tail}", function, label)
        elif (
            static.__class__ is _FUNCTION
            or static.__class__.__module__ == "unigrad.compiler.function"
        ):
            self._read(path, static, label)

    def _dynamic(self, path: str, value: Any, name: str, label: str) -> None:
        """Watch what an object gives by ``__getattr__``, if it gives the same one twice."""
        if not hasattr(value.__class__, "__getattr__"):
            return
        try:
            found = getattr(value, name)
            again = getattr(value, name)
        except Exception:  # noqa: BLE001  (whatever somebody's attribute does)
            return
        if found is again:
            self._read(path, found, label)


def _is_array(value: Any) -> bool:
    return hasattr(value.__class__, "dtype") and hasattr(value.__class__, "shape")


def _is_a_function_of_ours(kind: type) -> bool:
    return kind.__module__ == "unigrad.compiler.function"


def _is_ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "unigrad"


def _is_library_class(value: Any) -> bool:
    """Whether a value is a class that is not the user's."""
    if not isinstance(value, type):
        return False
    return value.__module__ == "builtins" or _is_library_name(value.__module__)


def _is_library_module(module: types.ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    return file is None or _is_library_file(os.path.abspath(file))  # noqa: PTH100


@functools.lru_cache(maxsize=1024)
def _is_library_name(name: str) -> bool:
    import sys

    module = sys.modules.get(name)
    return module is not None and name != "__main__" and _is_library_module(module)


def _package_of(anchor: Any) -> str:
    """The package that a function belongs to, if it is an installed one and not unigrad's own."""
    inner: Any = getattr(anchor, "__func__", anchor)
    name = str(getattr(inner, "__module__", None) or "").partition(".")[0]
    return "" if name.startswith("unigrad") or name in ("", "builtins", "__main__") else name
