"""Symbolic sizes: so that a graph that was built once serves every batch size.

A size is an ``int`` or a :class:`Dim`, a polynomial with integer coefficients in named symbols.
Polynomials are the whole algebra that shapes need: ``concat`` adds, ``reshape`` multiplies and
divides. Each polynomial has one canonical form and one object, so that asking whether two sizes
are equal for every value of their symbols is ``is``, and shapes can be keys of dictionaries.
"""

from __future__ import annotations

import heapq
import itertools
import keyword
import math
import operator
import sys
import unicodedata
from numbers import Integral
from typing import TYPE_CHECKING, ClassVar, Final, NoReturn, Self, TypeAlias, TypeGuard, cast, final

from unigrad.errors import ShapeError, TracingError, UnigradError, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

__all__ = [
    "Dim",
    "DimSyntaxError",
    "Size",
    "evaluate",
    "exact_quotient",
    "inside_of",
    "intern_terms",
    "multiply_terms",
    "positive_part",
    "product",
    "substitute",
    "symbol",
    "symbols_of",
    "terms_of",
]

# A monomial is the sorted tuple of its factors, each as often as its exponent says; () is 1.
_Monomial: TypeAlias = tuple[str, ...]
_Term: TypeAlias = tuple[_Monomial, int]
_Terms: TypeAlias = tuple[_Term, ...]
Polynomial: TypeAlias = dict[_Monomial, int]

# Bounds that no model meets. They keep hostile text, and a size that is divided in a loop, from
# taking seconds, overflowing the stack, or printing what CPython cannot compile.
LONGEST_TEXT: Final = 10_000  # characters, of one size or of one quotient
DEEPEST_PARENTHESES: Final = 200  # CPython's own limit
_DEEPEST: Final = 64  # each prints at most two parentheses
_MOST_CHOICES: Final = 5  # between 0 and what stands in a max(a, 0), in one bound
MOST_PRODUCTS: Final = 6_000  # products of two terms, in one text, product or division


class DimSyntaxError(UnigradError, ValueError):
    """Text that is not a size.

    Attributes:
        reason: what is wrong, without the place.
        column: 1-based column of the text at which reading failed.
    """

    def __init__(self, reason: str, column: int) -> None:
        super().__init__(reason, column)
        self.reason = reason
        self.column = column

    def __str__(self) -> str:
        return f"column {self.column}: {self.reason}"


@final
class Dim:
    """A size that is known when the function runs: an interned polynomial in named symbols.

    Made by :func:`symbol` and arithmetic, never by its constructor. ``+ - * // %`` take and give
    ``int`` and ``Dim``, and a constant result is an ``int``. ``//`` gives the exact polynomial
    where there is one, else a quotient rounded down that counts as one more symbol. Equality and
    hash are identity, so ``n == 3`` is False: ``n`` is not 3 for every ``n``.

    Attributes:
        terms: ``(factors, coefficient)`` pairs, leading term first: by total degree, then
            lexicographically, which is an order that multiplication preserves, as long division
            needs (Cox, Little, O'Shea, *Ideals, Varieties, and Algorithms*, section 2.2).

    Example:
        >>> n, m = symbol("n"), symbol("m")
        >>> 2 * (n + 1), (n * n - m * m) // (n - m), (7 * n) // 2, n - n
        (2*n + 2, m + n, ((7*n)//2), 0)
        >>> n + 1 is 1 + n
        True
    """

    __slots__ = ("terms",)
    terms: _Terms
    __array_ufunc__: ClassVar[None] = None  # NumPy leaves ``np.int64(2) * n`` to us

    def __new__(cls) -> NoReturn:
        """Say how it is done: an object past the table would be equal to nothing."""
        raise TypeError('a Dim is made by symbol("n") and arithmetic, not by its constructor')

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Dim is shared by all shapes of this size: cannot set {name!r}")

    def __add__(self, other: Size) -> Size:
        terms = terms_of(other)
        return NotImplemented if terms is None else _sum(self.terms, terms)

    def __sub__(self, other: Size) -> Size:
        terms = terms_of(other)
        return NotImplemented if terms is None else _sum(self.terms, terms, -1)

    def __rsub__(self, other: Size) -> Size:
        terms = terms_of(other)
        return NotImplemented if terms is None else _sum(terms, self.terms, -1)

    def __neg__(self) -> Size:
        return intern_terms({factors: -coefficient for factors, coefficient in self.terms})

    def __mul__(self, other: Size) -> Size:
        terms = terms_of(other)
        return NotImplemented if terms is None else intern_terms(multiply_terms(self.terms, terms))

    def __floordiv__(self, other: Size) -> Size:
        terms = terms_of(other)
        return NotImplemented if terms is None else _floor_divide(self.terms, terms)

    def __rfloordiv__(self, other: Size) -> Size:
        terms = terms_of(other)
        return NotImplemented if terms is None else _floor_divide(terms, self.terms)

    def __mod__(self, other: Size) -> Size:
        terms = terms_of(other)
        return NotImplemented if terms is None else _remainder(self.terms, terms)

    def __rmod__(self, other: Size) -> Size:
        terms = terms_of(other)
        return NotImplemented if terms is None else _remainder(terms, self.terms)

    __radd__ = __add__
    __rmul__ = __mul__

    def _unknown(self, *_: object) -> NoReturn:
        raise TracingError(
            f"the size {self} is only known when the function runs: here it has no integer value "
            "and no order. Stay with + - * // % and ==, or give the axis an integer length"
        )

    __lt__ = __le__ = __gt__ = __ge__ = _unknown
    __index__ = _unknown  # what int(n), float(n) and range(n) call

    def __str__(self) -> str:
        pieces: list[str] = []
        for factors, coefficient in self.terms:
            pieces.append(" - " if coefficient < 0 else " + ")
            shown = abs(coefficient)
            pieces.append("*".join(factors if factors and shown == 1 else (str(shown), *factors)))
        pieces[0] = "-" if self.terms[0][1] < 0 else ""
        return "".join(pieces)

    __repr__ = __str__

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return _restored, (str(self),)


Size: TypeAlias = int | Dim


def _restored(text: str) -> Size:
    from unigrad.ir.dim_text import parse_size  # which is made of this

    return parse_size(text)


class _Opaque(str):
    """A factor that is no symbol, such as ``(a//b)``: equal, hashed and sorted by its text.

    Attributes:
        make: makes the size of its parts anew.
        parts: the sizes that it is made of.
    """

    __slots__ = ("depth", "make", "parts", "symbols")
    make: Callable[..., Size]
    parts: tuple[Size, ...]
    symbols: frozenset[str]

    def __new__(cls, text: str, make: Callable[..., Size], *parts: Size) -> Self:
        """Refuse what evaluation could not descend into and a parser would not read back."""
        inner = [one for part in parts for factors, _ in terms_of(part) or () for one in factors]
        depth = 1 + max((one.depth for one in inner if isinstance(one, _Opaque)), default=0)
        if depth > _DEEPEST or sum(map(len, inner)) > LONGEST_TEXT:
            raise ShapeError("a size too long or too deep; give the axis an integer length")
        self = super().__new__(cls, text)
        self.make, self.parts, self.depth = make, parts, depth
        self.symbols = frozenset[str]().union(*map(symbols_of, parts))
        return self


def _quotient(numerator: Size, denominator: Size) -> Size:
    return numerator // denominator


def _opaque_quotient(numerator: Size, denominator: Size) -> Size:
    text = f"({_enclosed(numerator)}//{_enclosed(denominator)})"
    return intern_terms({(_Opaque(text, _quotient, numerator, denominator),): 1})


def _enclosed(size: Size) -> str:
    """Print an operand of ``//``, in parentheses unless it is one factor."""
    text = str(size)
    single = text.isdecimal() if isinstance(size, int) else size.terms[0][0] == (text,)
    return text if single else f"({text})"


# One object per polynomial, for all threads: ``dict.setdefault`` is atomic. Entries stay for the
# life of the process, as interned strings did: a program has few distinct sizes.
_INTERNED: Final[dict[_Terms, Dim]] = {}


def intern_terms(polynomial: Polynomial) -> Size:
    """Return the one object of a polynomial, or its value where it is constant."""
    listing = [term for term in polynomial.items() if term[1]]
    if len(listing) > 1:
        listing.sort(key=lambda term: (-len(term[0]), term[0]))
    if not listing or not listing[0][0]:
        return listing[0][1] if listing else 0
    terms = tuple(listing)
    dim = _INTERNED.get(terms)
    if dim is None:
        dim = object.__new__(Dim)
        object.__setattr__(dim, "terms", terms)
        dim = _INTERNED.setdefault(terms, dim)
    return dim


def terms_of(size: object) -> _Terms | None:
    """Return the terms of a size; None for what is not one."""
    if isinstance(size, Dim):
        return size.terms
    if isinstance(size, (int, Integral)):
        return (((), int(size)),) if size else ()
    return None


def _sum(left: Iterable[_Term], right: Iterable[_Term], sign: int = 1) -> Size:
    total = dict(left)
    for factors, coefficient in right:
        total[factors] = total.get(factors, 0) + sign * coefficient
    return intern_terms(total)


def multiply_terms(left: Collection[_Term], right: Collection[_Term]) -> Polynomial:
    """Return the product of two polynomials."""
    if len(left) * len(right) > MOST_PRODUCTS:
        raise ShapeError("a size that multiplies out to too many terms; give it integer lengths")
    total: Polynomial = {}
    for left_factors, left_coefficient in left:
        for right_factors, right_coefficient in right:
            factors = left_factors + right_factors
            if left_factors and right_factors:
                factors = tuple(sorted(factors))
            total[factors] = total.get(factors, 0) + left_coefficient * right_coefficient
    return total


def _divide(dividend: _Terms, divisor: _Terms) -> Size | None:
    """Divide by long division; None where a remainder is left, or the quotient is absurdly long."""
    if not divisor:
        return None
    (leading, leading_coefficient), *others = divisor
    remainder = dict(dividend)
    waiting = [(-len(factors), factors) for factors in remainder]  # sorted, so already a heap
    quotient: Polynomial = {}
    while waiting:
        factors = heapq.heappop(waiting)[1]
        coefficient, rest = divmod(remainder.pop(factors), leading_coefficient)
        if not coefficient and not rest:
            continue
        left_over = _without(factors, leading)
        if rest or left_over is None or len(quotient) * len(others) > MOST_PRODUCTS:
            return None
        quotient[left_over] = coefficient
        for other, other_coefficient in others:
            changed = tuple(sorted(left_over + other))
            if changed not in remainder:
                remainder[changed] = 0
                heapq.heappush(waiting, (-len(changed), changed))
            remainder[changed] -= coefficient * other_coefficient
    return intern_terms(quotient)


def _without(factors: _Monomial, leading: _Monomial) -> _Monomial | None:
    """Divide a monomial by a monomial."""
    left_over = list(factors)
    for factor in leading:
        if factor not in left_over:
            return None
        left_over.remove(factor)
    return tuple(left_over)


def _floor_divide(dividend: _Terms, divisor: _Terms) -> Size:
    """Divide and round down, so that quotients that are equal by these four laws are one object.

    ``(k*a)//(k*b) = a//b``, a positive divisor, ``(q*b + r)//b = q + r//b`` and
    ``(a//b + r)//c = (a + b*r)//(b*c)`` for integers b, c > 0 (Graham, Knuth, Patashnik,
    *Concrete Mathematics*, 3.11): ``x[::2][::2]`` has the size of ``x[::4]``.
    """
    exact = _divide(dividend, divisor)
    if exact is not None:
        return exact
    if not divisor:
        raise ZeroDivisionError("a size cannot be divided by 0")
    common = math.gcd(*(coefficient for _, coefficient in (*dividend, *divisor)))
    if divisor[0][1] < 0:
        common = -common
    rest = {factors: coefficient // common for factors, coefficient in dividend}
    by = intern_terms({factors: coefficient // common for factors, coefficient in divisor})
    if isinstance(by, Dim):
        return _opaque_quotient(intern_terms(rest), by)
    whole = intern_terms({f: c // by for f, c in rest.items() if not f or c % by == 0})
    constant = rest.pop((), 0) % by
    rest = {f: c for f, c in rest.items() if c % by}
    if not rest:
        return whole
    part = next(iter(rest))[0]
    if _made_by(part, _quotient) and isinstance(part.parts[1], int) and rest == {(part,): 1}:
        numerator, denominator = part.parts
        return whole + (numerator + denominator * constant) // (denominator * by)
    return whole + _opaque_quotient(intern_terms(rest) + constant, by)


def _remainder(dividend: _Terms, divisor: _Terms) -> Size:
    whole = terms_of(_floor_divide(dividend, divisor)) or ()
    return _sum(dividend, multiply_terms(whole, divisor).items(), sign=-1)


def symbol(name: str) -> Dim:
    """Return the size that ``name`` stands for; the same object for the same name.

    Args:
        name: a Python identifier, because emitted code uses it as a name. As in Python,
            compatibility characters are the plain ones (NFKC).

    Raises:
        DimSyntaxError: if ``name`` is not an identifier, or is a keyword.
    """
    name = sys.intern(str(unicodedata.normalize("NFKC", name)))
    if not name.isidentifier() or keyword.iskeyword(name):
        reason = f'a symbolic size is named by a Python identifier such as "n", not {name[:40]!r}'
        raise DimSyntaxError(reason, 1)
    return cast("Dim", intern_terms({(name,): 1}))


def positive_part(size: Size) -> Size:
    """Return ``max(size, 0)``; the size itself if it is not negative for symbols of 1 and more.

    A slice such as ``x[-3:]`` has ``n - max(n - 3, 0)`` elements: 3, or all if there are fewer.

    Example:
        >>> n, m = symbol("n"), symbol("m")
        >>> positive_part(n - 3), positive_part(n - 1), positive_part(n * m), positive_part(-2)
        (max(n - 3, 0), n - 1, m*n, 0)
    """
    if not isinstance(size, Dim):
        return max(size, 0)
    if _least(size.terms) >= 0:
        return size
    return intern_terms({(_Opaque(f"max({size}, 0)", positive_part, size),): 1})


def inside_of(size: Size) -> Size | None:
    """Return ``a`` of a size that is ``max(a, 0)``, ``None`` for any other size."""
    if isinstance(size, Dim) and len(size.terms) == 1:
        factors, coefficient = size.terms[0]
        if coefficient == 1 and len(factors) == 1 and _made_by(factors[0], positive_part):
            return factors[0].parts[0]
    return None


def _made_by(factor: str, make: Callable[..., Size]) -> TypeGuard[_Opaque]:
    return isinstance(factor, _Opaque) and factor.make is make


def _least(terms: _Terms, chosen: int = 0) -> float:
    """A bound below the values of a size for symbols of 1 and more; minus infinity if unknown.

    ``max(a, 0)`` is ``a`` or 0. Where it is taken off, the lesser of what is left counts; where it
    is added, each of the two is a bound. Each choice doubles the work: after a few it is given up.
    """
    if chosen > _MOST_CHOICES:
        return -math.inf
    for term in sorted(terms, key=operator.itemgetter(1)):
        factors, coefficient = term
        if len(factors) == 1 and _made_by(factors[0], positive_part):
            rest = intern_terms(dict([one for one in terms if one is not term]))
            inner = rest + coefficient * factors[0].parts[0]
            bounds = [_least(terms_of(one) or (), chosen + 1) for one in (rest, inner)]
            return max(bounds) if coefficient > 0 else min(bounds)
    least = 0.0
    for factors, coefficient in terms:
        if factors and (coefficient < 0 or any(isinstance(one, _Opaque) for one in factors)):
            return -math.inf
        least += coefficient
    return least


def exact_quotient(a: Size, b: Size) -> Size | None:
    """Return ``q`` with ``q * b == a`` for all values of the symbols; None if there is none.

    There is none where ``b`` is 0. A quotient of thousands of terms is not searched to its end.

    Example:
        >>> n, m = symbol("n"), symbol("m")
        >>> exact_quotient(6 * n * m, 3 * m), exact_quotient(n, 2), exact_quotient(12, 4)
        (2*n, None, 3)
    """
    return _divide(terms_of(a) or (), terms_of(b) or ())


def product(sizes: Iterable[Size]) -> Size:
    """Multiply sizes: the number of elements of a shape; 1 for the empty shape."""
    return math.prod(sizes)


def symbols_of(size: Size) -> frozenset[str]:
    """Return the names that occur in a size, those inside its quotients included."""
    factors = (factor for factors, _ in terms_of(size) or () for factor in factors)
    names = (part.symbols if isinstance(part, _Opaque) else (part,) for part in factors)
    return frozenset(itertools.chain.from_iterable(names))


def substitute(size: Size, mapping: Mapping[str, Size]) -> Size:
    """Put sizes in the place of symbols, all at once; symbols without one stay.

    Raises:
        ZeroDivisionError: if a divisor becomes 0.

    Example:
        >>> n, m = symbol("n"), symbol("m")
        >>> substitute(n * m + n // 2, {"n": 2 * m, "m": n})
        2*m*n + m
    """
    total: Size = 0
    for factors, coefficient in terms_of(size) or ():
        term: Size = coefficient
        for factor in factors:
            if isinstance(factor, _Opaque):
                term = term * factor.make(*(substitute(part, mapping) for part in factor.parts))
            else:
                term = term * (
                    mapping[factor] if factor in mapping else intern_terms({(factor,): 1})
                )
        total = total + term
    return total


def evaluate(size: Size, sizes: Mapping[str, int]) -> int:
    """Return the value of a size, given that of every symbol in it; quotients round down.

    Raises:
        ShapeError: if a symbol has no value.
        ZeroDivisionError: if a divisor is 0.

    Example:
        >>> evaluate((7 * symbol("n")) // 2 + 1, {"n": 3})
        11
    """
    value = substitute(size, sizes)
    if isinstance(value, Dim):
        missing, given = listed(sorted(symbols_of(value))), listed(sorted(sizes))
        raise ShapeError(f"the size {size} needs a value for {missing}; given: {given}")
    return value
