"""The picture of a graph: the user's variables, their values, and the derivatives between them.

An SVG without Graphviz, for notebooks and pages, and a form for the terminal. Boxes carry values,
arrows carry local derivatives: along a path they multiply, over all paths the products add up to
the gradient, which is shown at the inputs.
"""

from __future__ import annotations

import inspect
import keyword
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from unigrad.backend import registry
from unigrad.backend.names import Names
from unigrad.compiler.arguments import Arguments, Leaf, Static, bind, read, read_like
from unigrad.compiler.declared import DeclaredFunction
from unigrad.compiler.function import Function
from unigrad.errors import ArgumentError, DTypeError, UnigradError, locate
from unigrad.ir.nodes import Graph
from unigrad.ir.source import caller_location
from unigrad.ops.spec import describe
from unigrad.transforms.sizes import bind_sizes, with_sizes

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

__all__ = ["Drawing", "draw"]


class Drawing:
    """A picture, as SVG and as text; a notebook shows it by itself.

    Attributes:
        name: of the function.
        svg: the SVG text, which stands alone.
        text: the form for a terminal.
    """

    def __init__(self, name: str, svg: str, text: str) -> None:
        self.name = name
        self.svg = svg
        self.text = text

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture into a file: ``.svg`` or, for the form of the terminal, ``.txt``.

        Raises:
            ArgumentError: for another ending.
        """
        file = Path(path)
        kinds = {".svg": self.svg, ".txt": f"{self.text}\n"}
        if file.suffix.lower() not in kinds:
            raise locate(
                ArgumentError(f"a picture is saved as .svg or .txt, not as {file.name!r}"),
                caller_location(),
            )
        file.write_text(kinds[file.suffix.lower()], encoding="utf-8")

    def _repr_svg_(self) -> str:
        return self.svg

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<unigrad drawing of {self.name}>"


def draw(
    function: Callable[..., Any] | Graph,
    /,
    *args: Any,
    detail: Literal["variables", "ops"] = "variables",
    **kwargs: Any,
) -> Drawing:
    """Draw the graph of a function.

    Args:
        function: a function of arrays (of unigrad or not yet), a gradient or another transform of
            one, a graph defined by hand, or a :class:`Graph`.
        *args: arguments as for a call: with arrays and numbers the picture shows values, with
            types in text (``"float64[n, 3]"``) it shows types. What was declared in a graph by
            hand may be left out.
        detail: ``"variables"``: a box for each variable of the user; ``"ops"``: frames with the
            ops of each expression.
        **kwargs: arguments by name.

    Returns:
        The picture. Beside an arrow stands the derivative of what it points to by what it comes
        from: as a number where both are scalars and values are known, else as a formula or as the
        name of the op.

    Raises:
        ArgumentError: for a graph of more boxes than a reader can follow.

    Example:
        >>> import unigrad as ug
        >>> def chain(x):
        ...     u = 3 * x + 2
        ...     return u ** 4
        >>> picture = draw(chain, x=3.0)
        >>> for line in picture.text.splitlines()[-3:]:
        ...     print(line.strip() or "-")
        x ──3──▶ u ──5324──▶ chain
        -
        ∂chain/∂x = 5324·3 = 15972
    """
    if detail not in ("variables", "ops"):
        raise locate(
            ArgumentError(f"ug.draw: detail is 'variables' or 'ops', got {detail!r}"),
            caller_location(),
        )
    try:
        graph, values = _graph_of(function, args, kwargs)
        return _drawing(graph, values, detail)
    except UnigradError as error:
        if not getattr(error, "__notes__", None):
            locate(error, caller_location())
        raise


def _drawing(
    graph: Graph, values: list[Any] | None, detail: Literal["variables", "ops"]
) -> Drawing:
    from unigrad.draw import svg, text
    from unigrad.draw.picture import picture

    made = picture(_expanded(graph), values, detail)
    return Drawing(made.title, svg.render(made), text.render(made))


def _expanded(graph: Graph) -> Graph:
    """The graph without derivative nodes, as it would run."""
    from unigrad.compiler.pipeline import optimise
    from unigrad.transforms.expand import has_transforms

    return optimise(graph)[0] if has_transforms(graph) else graph


def _graph_of(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Graph, list[Any] | None]:
    """The graph to draw, and the values of its inputs if they are known."""
    graph = function if isinstance(function, Graph) else getattr(function, "graph", None)
    if isinstance(function, DeclaredFunction):
        graph = function.traced.graph
    if isinstance(graph, Graph):
        return _declared(function, graph, args, kwargs)
    if not callable(function):
        raise ArgumentError(f"ug.draw takes a function or a graph, got {describe(function)}")
    made = function if isinstance(function, Function) else Function(function)
    floats, arguments = _read(made, args, kwargs)
    if floats:  # as for a gradient, Python's ints are taken for floats, unless they may not be
        try:
            return _traced(made, *floats, _read(made, *floats)[1])
        except UnigradError:
            pass
    return _traced(made, args, kwargs, arguments)


def _traced(
    function: Function, args: tuple[Any, ...], kwargs: dict[str, Any], arguments: Arguments
) -> tuple[Graph, list[Any] | None]:
    """The graph of a call, and the values of its inputs unless it holds tensors of a tape."""
    graph = function.graph(*args, **kwargs)
    known = len(graph.inputs) == len(arguments.leaves)
    return graph, _on_numpy(arguments.leaves) if known else None


def _read(
    function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[tuple[Any, ...], dict[str, Any]] | None, Arguments]:
    """A call taken apart; and the same call with floats for ints, if there are any."""
    name = str(getattr(function, "__name__", "function"))
    bound, keywords, names = bind(function.signature_of, name, args, kwargs)
    arguments = read(name, bound, keywords, names, function.static, leaf=read_like)
    given = (*args, *kwargs.values())
    if not any(type(value) is int for value in given):
        return None, arguments
    floats = tuple(float(value) if type(value) is int else value for value in args)
    named = {k: float(v) if type(v) is int else v for k, v in kwargs.items()}
    return (floats, named), arguments


def _on_numpy(leaves: Sequence[Leaf]) -> list[Any] | None:
    """The arrays of a call on NumPy; ``None`` if a type stands for one of them."""
    values: list[Any] = []
    for leaf in leaves:
        if leaf.value is None:
            return None
        native = leaf.owner not in ("python", "numpy")
        to_numpy = registry.runtime(registry.found(leaf.owner)).to_numpy if native else None
        values.append(to_numpy(leaf.value) if to_numpy is not None else leaf.value)
    return values


def _called(names: Sequence[str]) -> list[str]:
    """Inputs as parameters: by their names, where Python can write these and tell them apart."""
    others = Names(names)
    return [
        name
        if name.isidentifier() and not keyword.iskeyword(name) and names.count(name) == 1
        else others.fresh(name, "x")
        for name in names
    ]


def _declared(
    function: Any, graph: Graph, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Graph, list[Any] | None]:
    """A graph whose types are declared, at the sizes of arguments if there are any."""
    if not args and not kwargs:
        return graph, None
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(name, kind) for name in _called(graph.input_names)]
    # Tensors of a tape that a definition holds are no arguments of it.
    signature = inspect.Signature(parameters) if function is graph else inspect.signature(function)
    names = list(signature.parameters)
    types = graph.input_types[: len(names)]
    label = getattr(function, "name", "") or "the graph"
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        raise ArgumentError(f"{label}{signature}: {error}") from None
    leaves: list[Leaf] = []
    for name, type_, value in zip(names, types, bound.args, strict=True):
        leaf = read_like(value)
        number = isinstance(leaf, Leaf) and leaf.owner == "python" and not type_.ndim
        if isinstance(leaf, Static) or not (number or leaf.type.dtype is type_.dtype):
            raise DTypeError(f"{label}: {name}: expected {type_}, given {describe(value)}")
        leaves.append(leaf)
    sizes = bind_sizes(names, types, [leaf.type.shape for leaf in leaves])
    values = _on_numpy(leaves) if len(names) == len(graph.inputs) else None
    return with_sizes(graph, sizes), values
