"""Symbolic sizes must obey integer arithmetic for every value of their symbols.

The reference is Python's own arithmetic on random integers, and SymPy for the polynomial algebra:
neither shares code with the polynomials under test.
"""

from __future__ import annotations

import copy
import math
import operator
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
import sympy
from hypothesis import assume, given
from hypothesis import strategies as st

from unigrad.errors import ShapeError, TracingError, UnigradError
from unigrad.ir.dim_text import parse_size
from unigrad.ir.dims import (
    Dim,
    DimSyntaxError,
    Size,
    evaluate,
    exact_quotient,
    product,
    substitute,
    symbol,
    symbols_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

n, m, k = symbol("n"), symbol("m"), symbol("k")

# "ab" sorts between "a" and "b": an order by printed text would break long division here.
NAMES = ("a", "ab", "b", "n")
OPERATIONS: Mapping[str, Callable[[Size, Size], Size]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
}


class Expression(NamedTuple):
    """An expression tree; ``operation`` is "" for a leaf, which is a name or an integer."""

    operation: str
    parts: tuple[Expression, ...] = ()
    leaf: str | int = 0

    def build(self, symbols: Mapping[str, Size]) -> Size:
        """Calculate with sizes or integers in the place of the names."""
        if self.operation:
            left, right = (part.build(symbols) for part in self.parts)
            return OPERATIONS[self.operation](left, right)
        return symbols[self.leaf] if isinstance(self.leaf, str) else self.leaf


def expressions(operations: str) -> st.SearchStrategy[Expression]:
    """Draw expression trees over the operations (separated by blanks)."""
    leaves = st.one_of(st.sampled_from(NAMES), st.integers(-6, 6))
    return st.recursive(
        leaves.map(lambda leaf: Expression("", leaf=leaf)),
        lambda inner: st.builds(
            Expression, st.sampled_from(operations.split()), st.tuples(inner, inner)
        ),
        max_leaves=8,
    )


SYMBOLS: Mapping[str, Size] = {name: symbol(name) for name in NAMES}
VALUES = st.fixed_dictionaries({name: st.integers(-20, 20) for name in NAMES})
POLYNOMIALS = expressions("+ - *").map(lambda expression: expression.build(SYMBOLS))


def built(expression: Expression) -> Size:
    """Build with symbols; what divides by a constant 0 is not a case."""
    try:
        return expression.build(SYMBOLS)
    except ZeroDivisionError:
        assume(condition=False)
        raise


SIZES = expressions("+ - * // %").map(built)


class TestArithmetic:
    @given(expressions("+ - * // %"), VALUES)
    def test_agrees_with_integers(self, expression: Expression, values: dict[str, int]) -> None:
        try:
            expected = expression.build(values)
        except ZeroDivisionError:
            assume(condition=False)
        assert evaluate(expression.build(SYMBOLS), values) == expected

    @given(SIZES, SIZES, SIZES)
    def test_ring_laws_hold_by_identity(self, a: Size, b: Size, c: Size) -> None:
        def same(left: Size, right: Size) -> bool:
            return left is right or (isinstance(left, int) and left == right)

        assert same(a + b, b + a)
        assert same(a * b, b * a)
        assert same((a + b) + c, a + (b + c))
        assert same((a * b) * c, a * (b * c))
        assert same(a * (b + c), a * b + a * c)
        assert same(a - b, a + -b)
        assert same(a + 0, a)
        assert same(1 * a, a)
        assert a - a == 0
        assert type(a - a) is int

    @given(POLYNOMIALS, POLYNOMIALS)
    def test_exact_division_inverts_multiplication(self, a: Size, b: Size) -> None:
        assume(b != 0)
        assert exact_quotient(a * b, b) == a
        assert (a * b) // b == a
        assert (a * b) % b == 0

    @given(POLYNOMIALS, POLYNOMIALS)
    def test_exact_quotient_is_a_quotient_or_none(self, a: Size, b: Size) -> None:
        quotient = exact_quotient(a, b)
        if quotient is not None:
            assert quotient * b == a
        else:
            assume(b != 0)
            names = sympy.symbols(NAMES)
            whole, rest = sympy.div(as_sympy(a), as_sympy(b), *names, domain="QQ")
            coefficients = sympy.Poly(whole, *names).coeffs()
            assert rest != 0 or not all(each.is_integer for each in coefficients)

    @given(POLYNOMIALS, POLYNOMIALS)
    def test_equality_is_that_of_sympy(self, a: Size, b: Size) -> None:
        assert (a == b) is (as_sympy(a) == as_sympy(b))
        assert as_sympy(a * b) == sympy.expand(as_sympy(a) * as_sympy(b))
        assert as_sympy(a + b) == sympy.expand(as_sympy(a) + as_sympy(b))

    def test_polynomial_quotients(self) -> None:
        assert (n * n - m * m) // (n - m) is n + m
        assert (6 * n * m * m) // (3 * m) is 2 * n * m
        assert exact_quotient(n * n * n - 1, n - 1) is n * n + n + 1
        assert exact_quotient(6 * n, n) == 6
        assert exact_quotient(0, n) == 0
        assert exact_quotient(12, 4) == 3

    def test_no_exact_quotient(self) -> None:
        assert exact_quotient(n, 2) is None
        assert exact_quotient(n, m) is None
        assert exact_quotient(n * n + 1, n + 1) is None
        assert exact_quotient(7, n) is None
        assert exact_quotient(7, 2) is None
        assert exact_quotient(n, 0) is None

    def test_a_quotient_of_thousands_of_terms_is_not_searched_to_its_end(self) -> None:
        symbols = [symbol(f"s{index}") for index in range(6)]
        dividend = product(product([each] * 5) - 1 for each in symbols)
        divisor = product(each - 1 for each in symbols)  # 5**6 terms in the quotient
        assert exact_quotient(dividend, divisor) is None
        size = dividend // divisor
        assert parse_size(str(size)) is size
        assert evaluate(size, {f"s{index}": 2 for index in range(6)}) == 31**6

    def test_quotients_with_remainder_are_interned(self) -> None:
        assert str((7 * n) // 2) == "((7*n)//2)"
        assert (7 * n) // 2 is (n * 7) // 2
        assert n // 2 * 2 is not n
        assert str(n // (m + 1)) == "(n//(m + 1))"
        assert str(7 // n) == "(7//n)"
        assert n % 2 is n - n // 2 * 2

    def test_equal_quotients_are_one_object(self) -> None:
        assert (2 * n + 1) // 2 is n
        assert (n + 4) // 2 is n // 2 + 2
        assert (4 * n) // 6 is (2 * n) // 3
        assert n // -2 is (-n) // 2
        assert ((n + 1) // 2 + 1) // 2 is (n + 3) // 4
        assert (n * k) // (m * -2) is (-n * k) // (2 * m)
        assert evaluate((n // 2 * 3) // 2, {"n": 3}) == 1  # 3*n//4 is 2: not one of the laws
        assert evaluate((n // 2 + m) // 2, {"n": 2, "m": 3}) == 2

    def test_constants_are_integers(self) -> None:
        for constant in (n - n, n // n, n * 0, (n + 3) - n, (2 * n) % 2, exact_quotient(n, n)):
            assert type(constant) is int

    def test_division_by_zero(self) -> None:
        for divide in (operator.floordiv, operator.mod):
            with pytest.raises(ZeroDivisionError, match="divided by 0"):
                divide(n, 0)
            with pytest.raises(ZeroDivisionError, match="divided by 0"):
                divide(n, n - n)

    def test_numpy_integers_and_bools_count_as_integers(self) -> None:
        assert n * np.int64(3) is 3 * n
        assert np.int64(3) * n is 3 * n
        assert np.int32(7) - n is 7 - n
        assert np.int64(7) // n is 7 // n
        assert n % np.int64(2) is n % 2
        assert str(n * True) == "n"
        assert str(n + True) == "n + 1"

    def test_product(self) -> None:
        assert product(()) == 1
        assert product((2, 3)) == 6
        assert product((n, 3, m, 2)) is 6 * m * n
        assert product(iter((n, 0))) == 0

    @pytest.mark.parametrize("other", [1.5, "n", None, [1]])
    def test_other_operands_are_refused(self, other: object) -> None:
        for operation in OPERATIONS.values():
            with pytest.raises(TypeError):
                operation(n, other)  # type: ignore[arg-type]
            if not isinstance(other, (str, list)):
                with pytest.raises(TypeError):
                    operation(other, n)  # type: ignore[arg-type]

    def test_operands_that_know_sizes_get_their_turn(self) -> None:
        class Traced:
            __hash__ = None

            def __rmul__(self, size: Size) -> tuple[str, Size]:
                return "traced", size

        assert n * Traced() == ("traced", n)

    def test_a_size_divided_in_a_loop_ends_in_an_error(self) -> None:
        sizes: list[Size] = [n]

        def divide_on() -> None:
            for _ in range(1000):
                sizes.append((3 * sizes[-1] + 1) // m)

        with pytest.raises(ShapeError, match="integer length"):
            divide_on()
        deepest = sizes[-1]
        assert evaluate(deepest, {"n": 1, "m": 1}) > 0
        assert parse_size(str(deepest)) is deepest


class TestObject:
    def test_equality_is_identity(self) -> None:
        assert symbol("n") is n
        assert n + 1 is 1 + n
        assert len({n + 1, 1 + n, n}) == 2
        assert n != 3
        assert n - 2 != n - 3
        assert n != "n"

    def test_truth(self) -> None:
        assert bool(n)

    @pytest.mark.parametrize("compare", [operator.lt, operator.le, operator.gt, operator.ge])
    def test_no_order(self, compare: Callable[[object, object], object]) -> None:
        for left, right in ((n, 3), (3, n), (n, m), (2 * n, n)):
            with pytest.raises(TypeError, match="only known when the function runs"):
                compare(left, right)

    @pytest.mark.parametrize("use", [int, float, range, operator.index, math.sqrt])
    def test_no_value(self, use: Callable[[object], object]) -> None:
        with pytest.raises(TracingError, match=r"2\*n is only known when the function runs"):
            use(2 * n)

    def test_immutable(self) -> None:
        with pytest.raises(AttributeError, match="shared"):
            n.terms = ()
        with pytest.raises(AttributeError):
            n.label = "batch"  # type: ignore[attr-defined]
        with pytest.raises(TypeError, match="symbol"):
            Dim()

    @given(SIZES)
    def test_copies_are_the_object(self, size: Size) -> None:
        assert copy.copy(size) is size
        assert copy.deepcopy([size])[0] is size
        restored = pickle.loads(pickle.dumps(size))
        assert restored == size
        assert isinstance(size, int) or restored is size

    @pytest.mark.parametrize("name", ["", "1n", "n m", "n-1", "for", "None", "a.b", " n"])
    def test_symbol_names(self, name: str) -> None:
        with pytest.raises(DimSyntaxError, match="identifier") as caught:
            symbol(name)
        assert caught.value.column == 1

    def test_symbol_names_are_normalised_as_python_does(self) -> None:
        assert symbol("\ufb01") is symbol("fi")  # one ligature, and two letters
        assert str(symbol("\u03bd")) == "\u03bd"

    def test_threads_intern_one_object(self) -> None:
        workers = 32
        barrier = threading.Barrier(workers, timeout=60)

        def work(_: int) -> list[Size]:
            barrier.wait()
            made: list[Size] = []
            for index in range(60):
                a, b = symbol(f"thread_{index}"), symbol(f"thread_{index + 1}")
                made += [a, a + b, a * b - 1, (a * a - b * b) // (a - b), (a + 1) // 2 + b]
            return made

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            with ThreadPoolExecutor(workers) as pool:
                rows = list(pool.map(work, range(workers)))
        finally:
            sys.setswitchinterval(interval)
        for same in zip(*rows, strict=True):
            assert len({id(size) for size in same}) == 1


class TestSubstitution:
    @given(SIZES, SIZES, SIZES, VALUES)
    def test_substitute_then_evaluate(
        self, size: Size, a: Size, b: Size, values: dict[str, int]
    ) -> None:
        try:
            inner = {**values, "a": evaluate(a, values), "b": evaluate(b, values)}
            expected = evaluate(size, inner)
            result = evaluate(substitute(size, {"a": a, "b": b}), values)
        except ZeroDivisionError:
            assume(condition=False)
        assert result == expected

    @given(SIZES)
    def test_substituting_nothing_or_itself(self, size: Size) -> None:
        assert substitute(size, {}) == size
        assert substitute(size, SYMBOLS) == size

    def test_substitution_is_simultaneous(self) -> None:
        assert substitute(n - 2 * m, {"n": m, "m": n}) is m - 2 * n
        assert substitute(n // 2, {"n": 4 * m}) is 2 * m
        assert substitute(n * m, {"n": 3, "m": 4}) == 12
        assert substitute(7, {"n": 3}) == 7

    def test_substituting_a_zero_divisor(self) -> None:
        with pytest.raises(ZeroDivisionError):
            substitute(n // m, {"m": 0})
        with pytest.raises(ZeroDivisionError):
            evaluate(7 // (n - m), {"n": 2, "m": 2})

    def test_symbols(self) -> None:
        assert symbols_of(7) == frozenset()
        assert symbols_of(n * m - n + 1) == {"n", "m"}
        assert symbols_of((n // (m + 1)) // k * 3) == {"n", "m", "k"}

    def test_evaluate_rounds_down(self) -> None:
        assert evaluate((7 * n) // 2, {"n": 3}) == 10
        assert evaluate((1 - n) // 2, {"n": 4}) == -2
        assert evaluate(5, {}) == 5

    def test_evaluate_without_a_value(self) -> None:
        with pytest.raises(ShapeError, match=r"m\*n \+ k needs a value for k and m; given: n"):
            evaluate(n * m + k, {"n": 3})


def as_sympy(size: Size) -> sympy.Expr:
    """Read the printed form by SymPy, names forced to be symbols."""
    return sympy.parse_expr(str(size), {name: sympy.Symbol(name) for name in NAMES})


class TestText:
    def test_canonical_order(self) -> None:
        assert str(2 + 2 * n) == "2*n + 2"
        assert str(n * m - 1) == "m*n - 1"
        assert str(1 - n) == "-n + 1"
        assert str(m + n * n + n * m - n) == "m*n + n*n + m - n"
        assert repr(3 * n) == "3*n"
        assert f"{n - 1}" == "n - 1"

    @given(SIZES)
    def test_parse_returns_the_object(self, size: Size) -> None:
        parsed = parse_size(str(size))
        assert parsed == size
        assert type(parsed) is type(size)

    @given(SIZES, VALUES)
    def test_text_is_python(self, size: Size, values: dict[str, int]) -> None:
        try:
            expected = evaluate(size, values)
        except ZeroDivisionError:
            assume(condition=False)
        assert eval(str(size), {}, dict(values)) == expected  # noqa: S307  (text that we printed)

    @pytest.mark.parametrize(
        ("text", "size"),
        [
            ("12", 12),
            ("-12", -12),
            (" n ", n),
            ("2*n+2", 2 * n + 2),
            ("2 * (n + 1)", 2 * n + 2),
            ("n - m - k", n - m - k),
            ("n - (m - k)", n - m + k),
            ("7*n//2", (7 * n) // 2),
            ("7*(n//2)", 7 * (n // 2)),
            ("-n//2", (-n) // 2),
            ("--n", n),
            ("2*-n", -2 * n),
            ("n//m//k", n // m // k),
            ("(n)", n),
            ("n - n", 0),
            ("3*4 // 5", 2),
            ("batch_size*2", 2 * symbol("batch_size")),
        ],
    )
    def test_grammar(self, text: str, size: Size) -> None:
        assert parse_size(text) == size

    @pytest.mark.parametrize(
        ("text", "column", "reason"),
        [
            ("", 1, "the end of the text"),
            ("  ", 3, "the end of the text"),
            ("n +", 4, "the end of the text"),
            ("n + * m", 5, r"found '\*'"),
            ("2n", 2, "found 'n'"),
            ("n m", 3, "found 'm'"),
            ("n(m)", 2, r"found '\('"),
            ("+n", 1, r"found '\+'"),
            ("n / 2", 3, "found '/'"),
            ("n ** 2", 4, r"found '\*'"),
            ("n % 2", 3, "found '%'"),
            ("(n", 1, "never closed"),
            ("n + (m*(k)", 5, "never closed"),
            ("n)", 2, "without"),
            ("()", 2, r"found '\)'"),
            ("n + for", 5, "identifier"),
            ("1.5", 2, r"found '\.'"),
            ("1_000", 2, "found '_000'"),
            ("n.shape", 2, r"found '\.'"),
            ("__import__('os').getcwd()", 11, r"found '\('"),
            ("'n'", 1, "identifier"),
            ("\u00b2", 1, "identifier"),
            ("\u0663", 1, "identifier"),
            ("n//0", 2, "by zero|by 0"),
            ("5//(n - n)", 2, "by zero|by 0"),
            ("n + " + "9" * 5000, 5, "digits"),
        ],
    )
    def test_errors_give_the_column(self, text: str, column: int, reason: str) -> None:
        with pytest.raises(DimSyntaxError, match=reason) as caught:
            parse_size(text)
        assert caught.value.column == column
        assert str(caught.value).startswith(f"column {column}: ")
        assert isinstance(caught.value, UnigradError)
        assert isinstance(caught.value, ValueError)

    def test_errors_travel_between_processes(self) -> None:
        error = pickle.loads(pickle.dumps(DimSyntaxError("what", 3)))
        assert (str(error), error.reason, error.column) == ("column 3: what", "what", 3)

    @given(st.text(alphabet="nm07+-*/()% \t\n_.\u00b2\ufb01", max_size=30))
    def test_any_text_is_a_size_or_a_syntax_error(self, text: str) -> None:
        try:
            size = parse_size(text)
        except DimSyntaxError as error:
            assert 1 <= error.column <= len(text) + 1  # noqa: PT017  (either outcome is right)
        else:
            assert parse_size(str(size)) is size or isinstance(size, int)

    @pytest.mark.parametrize(
        "text",
        [
            "(" * 201 + "n" + ")" * 201,
            "(" * 9_000,
            "n" * 10_001,
            "*".join(f"(a{index} + b{index})" for index in range(500)),
            "*".join(["(a + b)"] * 1000),
            "n//m" + "//k" * 200,
        ],
    )
    def test_hostile_text_is_refused(self, text: str) -> None:
        with pytest.raises(DimSyntaxError):
            parse_size(text)

    def test_long_honest_text_is_read(self) -> None:
        assert parse_size("(" * 200 + "n" + ")" * 200) is n
        assert parse_size("-" * 9_000 + "n") is n
        assert parse_size("+".join(["n"] * 5_000)) is 5_000 * n
        assert parse_size("*".join(["n"] * 1_000)) is product([n] * 1_000)

    def test_a_division_without_end_is_left_as_a_quotient(self) -> None:
        text = "*".join(["a"] * 60) + "//(a - b - c - d)"
        size = parse_size(text)
        assert symbols_of(size) == {"a", "b", "c", "d"}
        assert parse_size(str(size)) is size
