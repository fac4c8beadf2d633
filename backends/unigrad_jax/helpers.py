"""Source text of functions that emitted files need and JAX does not have under one name.

Those that a file uses are written at its head: it imports JAX and nothing else. Nothing branches on
a value, so that everything runs under ``jit`` and ``vmap``.
"""

from __future__ import annotations

__all__ = ["TRANSFORMS", "VALUES"]

VALUES = '''
def kept_apart(x):
    """x, kept from what it is divided by: XLA makes a / b / c a / (b * c), which overflows."""
    return jnp.where(abs(x) <= math.inf, x, x + 1.0)


def sign(x):
    """The sign of x, and 0 of -0.0."""
    return jnp.where(x == 0, 0.0, jnp.sign(x))


def floor_divide(x, y):
    """x // y of integers, and 0 where y is 0."""
    return jnp.where(y == 0, 0, x // jnp.where(y == 0, 1, y))


def float_floor_divide(x, y):
    """x // y, and the infinite quotient where y is 0."""
    return jax.lax.stop_gradient(jnp.where(y == 0, x / y, x // y))


def remainder(x, y):
    """x % y of integers, and 0 where y is 0."""
    return jnp.where(y == 0, 0, x % jnp.where(y == 0, 1, y))


def fmod(x, y):
    """The remainder of integers with the sign of x, and 0 where y is 0."""
    return jnp.where(y == 0, 0, jnp.fmod(x, jnp.where(y == 0, 1, y)))


def power(x, y):
    """x ** y of integers, cut to an integer, and 0 for a negative power of 0.

    jnp.power is wrong for large y, and refuses negative ones.
    """
    def step(bit, state):
        result, square = state
        return jnp.where(y >> bit & 1, result * square, result), square * square

    x, y = jnp.broadcast_arrays(x, y)
    found = jax.lax.fori_loop(0, jnp.iinfo(y.dtype).bits, step, (jnp.ones_like(x), x))[0]
    return jnp.where((y < 0) & (jnp.abs(x) != 1), 0, found)


def to_integer(x, dtype):
    """x cast as C does: what 32 or 64 signed bits do not hold is the smallest they do."""
    if x.dtype.itemsize < 4:
        return to_integer(x.astype(jnp.float32), dtype)
    bits = jnp.int32 if jnp.iinfo(dtype).max < 2**31 else jnp.int64
    least = jnp.iinfo(bits).min
    high = x >= 2.0**63 if dtype == jnp.uint64 else None
    if high is not None:
        x = jnp.where(high, x - 2.0**63, x)
    inside = (x < -float(least)) & (x > float(least) - 1)
    whole = jnp.where(inside, x.astype(bits), least).astype(dtype)
    return whole if high is None else whole ^ (high.astype(dtype) << 63)


def absolute(x):
    """jnp.abs; its derivative at 0 is 0, at NaN it is NaN."""
    return x * jnp.sign(x)


def nan_first(x, y, native):
    """maximum or minimum; a NaN operand gets all of the cotangent, two get half of it each."""
    a, b = jnp.isnan(x), jnp.isnan(y)
    poisoned = jnp.where(a & b, 0.5 * x + 0.5 * y, jnp.where(a, x, y))
    return jnp.where(a | b, poisoned, native(x, y))


def nan_last(x, y, native, at_ties):
    """fmax or fmin; equal operands, and two NaN, get half of the cotangent each."""
    found = jnp.where(jnp.isnan(x) & jnp.isnan(y), 0.5 * x + 0.5 * y, native(x, y))
    return jnp.where(x == y, at_ties(x, y), found)


def copysign(x, y):
    """jnp.copysign; its derivative at 0 is 0."""
    turned = jnp.where(jnp.signbit(x) == jnp.signbit(y), x, -x)
    return jnp.where(x == 0, jax.lax.stop_gradient(turned), turned)


def heaviside(x, y):
    """0 for negative x, 1 for positive x, y at 0, and NaN of NaN."""
    step = jnp.where(jnp.isnan(x), jnp.nan, (x > 0).astype(x.dtype))
    return jnp.where(x == 0, y, step)


def log_product(native, x, y):
    """xlogy or xlog1py; NaN of NaN also where x is 0."""
    return jnp.where(jnp.isnan(y), jnp.nan, native(x, y))


def root_of_squares(x, native):
    """The root of a sum of squares; at 0 it is 0 times the root of 1, and so is its derivative."""
    zero = (x == 0).astype(x.dtype)
    return native(x + zero) * (1.0 - zero)


def root_of_powers(x, y):
    """x ** y of a sum of powers; at 0 its derivative is 0."""
    return root_of_squares(x, lambda base: base ** y)


def clip_below(x, lower):
    """max(x, lower); at the bound x gets all of the cotangent, at NaN nothing does."""
    beyond = jnp.where(x < lower, lower, jax.lax.stop_gradient(jnp.maximum(x, lower)))
    return jnp.where(x >= lower, x, beyond)


def clip_above(x, upper):
    """min(x, upper); at the bound x gets all of the cotangent, at NaN nothing does."""
    beyond = jnp.where(x > upper, upper, jax.lax.stop_gradient(jnp.minimum(x, upper)))
    return jnp.where(x <= upper, x, beyond)


def gammaln(x):
    """jax.scipy.special.gammaln, and a series around its roots, where that has no digits left."""
    terms = (
        -5.72865310850801e-07, 1.2159620602745015e-06, -1.982565620739196e-06,
        4.2553702843110484e-06, -9.452938473714576e-06, 2.0535581020500523e-05,
        -4.492443535898787e-05, 9.945371368841632e-05, -0.00022315489463809116,
        0.0005096698119432116, -0.0011927539062598581, 0.0028905103192621994,
        -0.0073855510287714685, 0.02058080842799012, -0.06735230105319759,
        0.32246703342411215, 0.42278433509846713,
    )
    z = jnp.where(x < 1.5, x - 1, x - 2)
    series = terms[0]
    for term in terms[1:]:
        series = series * z + term
    near = z * series - jnp.where(x < 1.5, jnp.log1p(z), 0)
    return jnp.where(jnp.abs(z) <= 0.5, near, jax.scipy.special.gammaln(x))


def digamma(x):
    """The derivative of gammaln; at 0 its limit on the side of the sign."""
    return jnp.where(x == 0, jnp.copysign(jnp.inf, -x), jax.scipy.special.digamma(x))


def polygamma(x, n):
    """The n-th derivative of digamma; at a pole its limit, or NaN where the two sides differ."""
    if n == 0:
        return digamma(x)
    y = jnp.where(x < 0, 1 - x, x)
    value = (-1) ** (n + 1) * math.factorial(n) * jax.scipy.special.zeta(n + 1.0, y)
    # For x < 0 by reflection: the n-th derivative of a cotangent is a polynomial in it.
    cotangent = 1 / jnp.tan(jnp.pi * (x - jnp.round(x)))
    terms = [0, 1]
    for _ in range(n):
        slopes = [power * term for power, term in enumerate(terms)][1:]
        terms = [-a - b for a, b in zip(slopes + [0, 0], [0, 0] + slopes)]
    turn = sum(term * cotangent**power for power, term in enumerate(terms) if term)
    value = jnp.where(x < 0, (-1) ** n * value - jnp.pi ** (n + 1) * turn, value)
    value = jnp.where(x == jnp.inf, 0, value)
    value = jnp.where((x < 0) & (x == jnp.floor(x)), jnp.inf if n % 2 else jnp.nan, value)
    return jnp.where(x == 0, jnp.inf if n % 2 else jnp.copysign(jnp.inf, -x), value)


def standard_deviation(x, axis, correction, keepdims):
    """x.std; its derivative is 0 where all elements are equal, whatever rounding leaves."""
    least = variance = x.var(axis, ddof=correction, keepdims=keepdims)
    if x.size and axis != ():
        spread = x.max(axis, keepdims=keepdims) - x.min(axis, keepdims=keepdims)
        least = jnp.minimum(variance, spread)
    zero = (least == 0).astype(variance.dtype)
    return jnp.sqrt(variance + zero) * (1.0 - zero)


def place_at(x, key, shape):
    """Zeros of a shape with x at an index."""
    return jnp.zeros(shape, x.dtype).at[key].set(x)


def place_apart(x, key, shape):
    """The same for an index with steps, which XLA pads faster than it scatters."""
    steps = [one for one in key if one is not None]
    steps += [slice(None)] * (len(shape) - len(steps))
    sizes, pads, turned = [], [], []
    for axis, (one, size) in enumerate(zip(steps, shape)):
        places = range(size)[one] if isinstance(one, slice) else range(one, one + 1)
        if places.step < 0:
            places = places[::-1]
            turned.append(axis)
        after = size - places[-1] - 1 if places else size
        pads.append((places.start if places else 0, after, places.step - 1 if places else 0))
        sizes.append(len(places))
    return jax.lax.pad(jnp.flip(x.reshape(sizes), turned), jnp.zeros((), x.dtype), pads)


def add_at(x, indices, axis, size):
    """Zeros with x added at indices along one axis."""
    whole = jnp.zeros((*x.shape[:axis], size, *x.shape[axis + indices.ndim :]), x.dtype)
    return whole.at[(slice(None),) * axis + (indices,)].add(x)


def in_float32(function, *arguments):
    """Half precision is computed in single precision inside."""
    wide = [one.astype(jnp.float32) if hasattr(one, "dtype") else one for one in arguments]
    return function(*wide).astype(arguments[0].dtype)


def cholesky(x):
    """The lower factor, NaN for a matrix that is not positive definite."""
    factor = jnp.linalg.cholesky(x, symmetrize_input=False)
    return jnp.where(jnp.isnan(factor[..., -1:, -1:]), jnp.nan, factor)


def in_one_stack(a, b):
    """Matrices a and right sides b with the axes of one stack, but for a single a."""
    stack = jnp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    if a.ndim > 2:
        a = jnp.broadcast_to(a, (*stack, *a.shape[-2:]))
    return a, jnp.broadcast_to(b, (*stack, *b.shape[-2:]))


def solve(a, b):
    """x with a @ x = b for matrices b, NaN where a is singular."""
    lu, _, _ = jax.lax.linalg.lu(jax.lax.stop_gradient(a))  # the one that jnp makes as well
    singular = (jnp.diagonal(lu, axis1=-2, axis2=-1) == 0).any(-1)
    return jnp.where(singular[..., None, None], jnp.nan, jnp.linalg.solve(*in_one_stack(a, b)))


def solve_triangular(a, b, lower, transpose, unit_diagonal):
    """x with a @ x = b for triangular a, NaN where a is singular."""
    x = jax.scipy.linalg.solve_triangular(
        *in_one_stack(a, b), trans=int(transpose), lower=lower, unit_diagonal=unit_diagonal
    )
    if unit_diagonal:
        return x
    singular = (jnp.diagonal(a, axis1=-2, axis2=-1) == 0).any(-1)
    return jnp.where(singular[..., None, None], jnp.nan, x)
'''

TRANSFORMS = '''
def pull_back(function, wrt, seeds, *operands):
    """The outputs of a function, then the cotangents of its operands wrt.

    The last operands are the cotangents of its outputs seeds.
    """
    count = len(operands) - len(seeds)
    inputs, cotangents = operands[:count], operands[count:]
    if not wrt or not seeds:
        return (*function(*inputs), *[jnp.zeros_like(inputs[i]) for i in wrt])

    def of_chosen(*chosen):
        outputs = function(*replaced(inputs, wrt, chosen))
        return [outputs[i] for i in seeds], outputs

    seeded, pull, outputs = jax.vjp(of_chosen, *[inputs[i] for i in wrt], has_aux=True)
    return (*outputs, *pull([filled(g, y) for g, y in zip(cotangents, seeded)]))


def push_forward(function, wrt, *operands):
    """The outputs of a function, then their tangents.

    The last operands are the tangents of its operands wrt.
    """
    count = len(operands) - len(wrt)
    inputs, tangents = operands[:count], operands[count:]
    if not wrt:
        outputs = function(*inputs)
        return (*outputs, *[jnp.zeros_like(y) for y in outputs])

    def of_chosen(*chosen):
        return function(*replaced(inputs, wrt, chosen))

    chosen = [inputs[i] for i in wrt]
    outputs, pushed = jax.jvp(of_chosen, chosen, [filled(t, x) for t, x in zip(tangents, chosen)])
    constant = jax.dtypes.float0  # the dtype of what an integer has for a tangent
    found = [jnp.zeros_like(y) if t.dtype == constant else t for y, t in zip(outputs, pushed)]
    return (*outputs, *found)


def replaced(values, positions, others):
    """A list of values with others at some positions."""
    found = list(values)
    for i, x in zip(positions, others):
        found[i] = x
    return found


def filled(value, x):
    """A cotangent or tangent of x that may be given as a number."""
    return jnp.full_like(x, value) if value.__class__ is float else value


def differentiated(value, pulls, pushes):
    """A function with a derivative of its own, to every order and in every mode."""
    function = jax.custom_jvp(lambda *operands: value(*operands)[0])

    def jvp(operands, tangents):
        out = function(*operands)
        found = jnp.zeros_like(out)
        for push, tangent in zip(pushes, tangents):
            if push is None or isinstance(tangent, jax.custom_derivatives.SymbolicZero):
                continue
            if pulls == pushes:
                # A factor, taken at 1: JAX transposes this, and a factor that a selection discards
                # in a product with the tangent would come back as 0 times what it is.
                found = found + push(*operands, out, jnp.ones((), out.dtype))[0] * tangent
            else:
                found = found + push(*operands, out, tangent)[0]
        return out, found

    function.defjvp(jvp, symbolic_zeros=True)
    return function
'''
