"""Source text of functions that emitted files need and TensorFlow does not have under one name.

Those that a file uses are written at its head: it imports TensorFlow and nothing else.
"""

from __future__ import annotations

__all__ = ["APART", "ELIMINATION", "TO_INTEGER", "VALUES"]

VALUES = '''
def size_of(x, axis):
    """The size of one axis: a number, or a tensor where it is not known while a graph is built."""
    size = x.shape[axis]
    return tf.shape(x)[axis] if size is None else size


def floor_divide(x, y):
    """x // y of integers, and 0 where y is 0."""
    quotient = x // tf.where(y != 0, y, 1)
    return tf.where(y != 0, quotient, 0)


def remainder(x, y):
    """x % y of integers, and 0 where y is 0."""
    rest = x % tf.where(y != 0, y, 1)
    return tf.where(y != 0, rest, 0)


def fmod(x, y):
    """The remainder of integers with the sign of x, and 0 where y is 0."""
    rest = tf.truncatemod(x, tf.where(y != 0, y, 1))
    return tf.where(y != 0, rest, 0)


def quotient(x, y):
    """x // y, an integer however the division rounds, and x / y where y is 0."""
    rest = tf.truncatemod(x, y)
    turned = (rest != 0) & ((rest < 0) != (y < 0))
    whole = tf.round((x - rest) / y) - tf.cast(turned, x.dtype)
    return tf.where(y == 0, x / y, whole)


def integer_power(x, y):
    """x ** y of integers, cut to an integer; 0 for a negative power of 0.

    By squaring where XLA may compile it, which reads six bits of y, and where there is no power.
    """
    if tf.executing_eagerly() and not x.dtype.is_unsigned:
        inverse = tf.where(tf.abs(x) == 1, x ** (y & 1), 0)
        return tf.where(y < 0, inverse, x ** tf.maximum(y, 0))
    power, square, left = tf.ones_like(x + y), x, y
    for _ in range(8 * x.dtype.size):
        power = tf.where(left & 1 != 0, power * square, power)
        square, left = square * square, tf.bitwise.right_shift(left, 1)
    if x.dtype.is_unsigned:
        return power
    return tf.where((y < 0) & (tf.abs(x) != 1), tf.zeros_like(power), power)


def sign(x):
    """The sign of x, and 0 of -0.0."""
    return tf.where(x == 0, tf.zeros_like(x), tf.sign(x))


def half_power(x, y):
    """x ** 0.5 or x ** -0.5; in a graph TensorFlow takes the root, which -0.0 and -inf have not."""
    positive = tf.where((x == 0) | (x == -math.inf), tf.abs(x), x)
    return tf.sqrt(positive) if y > 0 else tf.math.rsqrt(positive)


def left_shift(x, y):
    """x * 2**y, which is 0 where y is no number of bits."""
    inside = (y >= 0) & (y < 8 * x.dtype.size)
    return tf.where(inside, tf.bitwise.left_shift(x, tf.where(inside, y, 0)), 0)


def right_shift(x, y):
    """floor(x / 2**y), also where y is no number of bits."""
    inside = (y >= 0) & (y < 8 * x.dtype.size)
    beyond = tf.cast(x >= 0, x.dtype) - 1
    return tf.where(inside, tf.bitwise.right_shift(x, tf.where(inside, y, 0)), beyond)


def dense(x):
    """x; its cotangent becomes a tensor, and no IndexedSlices, which few derivatives take."""
    return tf.reshape(x, tf.shape(x))


def trunc(x):
    """x without its fraction."""
    return tf.where(x < 0, tf.math.ceil(x), tf.floor(x))


def cbrt(x):
    """The real cube root: a power, and a step of Newton's method."""
    root = tf.sign(x) * tf.abs(x) ** (1 / 3)
    closer = root - (root - x / (root * root)) / 3.0
    return tf.where((root == 0) | tf.math.is_inf(root), root, closer)


def hypot(x, y):
    """sqrt(x * x + y * y) without overflow, and infinite beside an infinity."""
    a, b = tf.abs(x), tf.abs(y)
    longer, shorter = tf.where(a > b, a, b), tf.where(a > b, b, a)
    ratio = shorter / tf.where(longer != 0, longer, 1.0)
    infinite = tf.math.is_inf(a) | tf.math.is_inf(b)
    return tf.where(~infinite, longer * tf.sqrt(1.0 + ratio * ratio), math.inf)


def maximum(x, y):
    """The larger of two; compiled by XLA, TensorFlow's own loses a NaN in y."""
    larger = tf.maximum(x, y)
    return larger if tf.executing_eagerly() else tf.where(tf.math.is_nan(y), y, larger)


def minimum(x, y):
    """The smaller of two; compiled by XLA, TensorFlow's own loses a NaN in y."""
    smaller = tf.minimum(x, y)
    return smaller if tf.executing_eagerly() else tf.where(tf.math.is_nan(y), y, smaller)


def fmax(x, y):
    """The larger of two, ignoring NaN."""
    larger = tf.where(tf.math.is_nan(y), x, tf.maximum(x, y))
    return tf.where(tf.math.is_nan(x), y, larger)


def fmin(x, y):
    """The smaller of two, ignoring NaN."""
    smaller = tf.where(tf.math.is_nan(y), x, tf.minimum(x, y))
    return tf.where(tf.math.is_nan(x), y, smaller)


def either(x, y, wins, nan_wins):
    """maximum or minimum, fmax or fmin; equal operands, and two NaN, share the cotangent."""
    a, b = tf.math.is_nan(x), tf.math.is_nan(y)
    if not nan_wins:
        a, b = b, a
    first, second = wins(x, y) | (a & ~b), wins(y, x) | (b & ~a)
    return tf.where(first, x, tf.where(second, y, 0.5 * x + 0.5 * y))


def root_of_squares(x, native):
    """The root of a sum of squares; at 0 it is 0 times the root of 1, and so is its derivative."""
    zero = tf.cast(x == 0, x.dtype)
    return native(x + zero) * (1.0 - zero)


def root_of_powers(x, y):
    """x ** y of a sum of powers; at 0 its derivative is 0."""
    return root_of_squares(x, lambda base: base ** y)


def clip_below(x, lower):
    """max(x, lower); at the bound x gets all of the cotangent, at NaN nothing does."""
    beyond = tf.where(x < lower, lower, tf.stop_gradient(maximum(x, lower)))
    return tf.where(x >= lower, x, beyond)


def clip_above(x, upper):
    """min(x, upper); at the bound x gets all of the cotangent, at NaN nothing does."""
    beyond = tf.where(x > upper, upper, tf.stop_gradient(minimum(x, upper)))
    return tf.where(x <= upper, x, beyond)


def signbit(x):
    """Whether the sign bit is set."""
    return tf.bitcast(x, {2: tf.int16, 4: tf.int32, 8: tf.int64}[x.dtype.size]) < 0


def copysign(x, y):
    """The magnitude of x with the sign of y."""
    return tf.where(signbit(x) == signbit(y), x, -x)


def heaviside(x, y):
    """0 for negative x, 1 for positive x, y at 0, and NaN of NaN."""
    step = tf.where(~tf.math.is_nan(x), tf.cast(x > 0, x.dtype), math.nan)
    return tf.where(x == 0, y, step)


def variance(x, axis, correction, keepdims):
    """The variance by parts, for any number of elements; NaN where the correction leaves none."""
    axes = list(axis) if isinstance(axis, tuple) else [axis]
    centred = x - tf.reduce_mean(x, axis=axes, keepdims=True)
    total = tf.reduce_sum(tf.square(centred), axis=axes, keepdims=keepdims)
    freedom = tf.cast(tf.reduce_prod([size_of(x, i) for i in axes]), x.dtype) - correction
    return total / tf.where(freedom > 0, freedom, math.nan)


def logaddexp(x, y):
    """log(exp(x) + exp(y)) without overflow."""
    apart = tf.where(x != y, x - y, 0.0)
    return tf.where(x > y, x, y) + tf.math.log1p(tf.exp(-tf.abs(apart)))


def logaddexp2(x, y):
    """log2(2**x + 2**y) without overflow."""
    apart = tf.where(x != y, x - y, 0.0)
    return tf.where(x > y, x, y) + tf.math.log1p(2.0 ** -tf.abs(apart)) / 0.6931471805599453


def erf(x):
    """The error function; of large numbers TensorFlow's own is NaN."""
    return tf.math.erf(tf.where(tf.abs(x) > 27.0, 27.0 * tf.sign(x), x))


def digamma(x):
    """The logarithmic derivative of the gamma function, infinite at 0."""
    return tf.where(x == 0, -1.0 / x, tf.math.digamma(x))


def softmax(x, axis):
    """tf.nn.softmax, where a row that has none is NaN throughout."""
    shares = tf.nn.softmax(x, axis=axis)
    total = tf.stop_gradient(tf.reduce_sum(shares, axis=axis, keepdims=True))
    return shares + (total - total)


def whole_power(x, y):
    """x ** y for a whole number y, whose derivatives beyond the y-th are 0 at 0, too."""
    zero = x == 0
    power, square, n = tf.ones_like(x), tf.where(zero, x, 0.0), int(tf.get_static_value(y))
    while n:
        power, square, n = power * square if n % 2 else power, square * square, n // 2
    return tf.where(zero, power, tf.where(~zero, x, 1.0) ** y)


def cotangent_derivative(n, x):
    """pi ** (n + 1) times the n-th derivative of a cotangent, which is a polynomial in it."""
    cotangent = 1 / tf.tan(math.pi * (x - tf.round(x)))
    terms = [0, 1]
    for _ in range(n):
        slopes = [power * term for power, term in enumerate(terms)][1:]
        terms = [-a - b for a, b in zip(slopes + [0, 0], [0, 0] + slopes)]
    turn = sum(term * cotangent**power for power, term in enumerate(terms) if term)
    return math.pi ** (n + 1) * turn


def polygamma(n, x):
    """The n-th derivative of digamma; TensorFlow adds up as many terms as -x says."""
    if n == 0:
        return digamma(x)
    value = tf.math.polygamma(tf.constant(n, x.dtype), tf.where(x < 0, 1 - x, x))
    value = tf.where(x < 0, (-1) ** n * value - cotangent_derivative(n, x), value)
    value = tf.where(x != math.inf, value, 0.0)
    at_pole = tf.constant(math.inf if n % 2 else math.nan, x.dtype)
    value = tf.where((x < 0) & (x == tf.floor(x)), at_pole, value)
    return value if n % 2 else tf.where(x == 0, -1.0 / x, value)


def xlogy(x, y):
    """x * log(y), 0 where x is 0, and NaN where y is."""
    return tf.where(tf.math.is_nan(y), y, tf.math.xlogy(x, y))


def xlog1py(x, y):
    """x * log1p(y), 0 where x is 0, and NaN where y is."""
    return tf.where(tf.math.is_nan(y), y, tf.math.xlog1py(x, y))


def extremum(native, x, axis=None, keepdims=False):
    """tf.reduce_max or tf.reduce_min, which lose a NaN when they are compiled by XLA."""
    value = native(x, axis=axis, keepdims=keepdims)
    if tf.executing_eagerly():
        return value
    hidden = tf.reduce_any(tf.math.is_nan(x), axis=axis, keepdims=keepdims)
    return value * tf.where(hidden, tf.constant(math.nan, x.dtype), 1.0)


def index_of(native, x, axis=None, keepdims=False):
    """tf.argmax or tf.argmin along one axis or of all elements; the first NaN comes first."""
    flat, along = (tf.reshape(x, (-1,)), 0) if axis is None else (x, axis)
    index = native(flat, axis=along)
    if x.dtype.is_floating:
        unknown = tf.math.is_nan(flat)
        first = tf.argmax(tf.cast(unknown, tf.int8), axis=along)
        index = tf.where(tf.reduce_any(unknown, axis=along), first, index)
    if not keepdims:
        return index
    return tf.reshape(index, [1] * x.shape.rank) if axis is None else tf.expand_dims(index, axis)


def iota(shape, axis, dtype):
    """The index along one axis of each element."""
    sides = [-1 if i == axis else 1 for i in range(len(shape))]
    count = tf.cast(tf.range(shape[axis]), dtype)
    return tf.broadcast_to(tf.reshape(count, sides), shape)


def place_at(x, key, shape):
    """Zeros of a shape with x at an index."""
    begin, end, strides, open_ends, new_axes, integers = [], [], [], 0, 0, 0
    for i, entry in enumerate(key):
        start, stop, step = 0, 1, 1
        if entry is None:
            new_axes |= 1 << i
        elif isinstance(entry, slice):
            start, stop, step = entry.start, entry.stop, entry.step or 1
            if stop is None:
                stop, open_ends = 0, open_ends | 1 << i
        else:
            start, stop, integers = entry, entry + 1, integers | 1 << i
        begin.append(start)
        end.append(stop)
        strides.append(step)
    if not key:
        return x
    return tf.raw_ops.StridedSliceGrad(
        shape=shape, begin=begin, end=end, strides=strides, dy=x,
        end_mask=open_ends, new_axis_mask=new_axes, shrink_axis_mask=integers,
    )


def add_at(x, indices, axis, size):
    """Zeros with x added at indices along one axis."""
    rank, count = x.shape.rank, indices.shape.rank
    order = [*range(axis, axis + count), *range(axis), *range(axis + count, rank)]
    sums = tf.math.unsorted_segment_sum(tf.transpose(x, order), indices, size)
    return tf.transpose(sums, [*range(1, axis + 1), 0, *range(axis + 1, rank - count + 1)])


def poisoned(x, failed):
    """x, with NaN in the matrices that failed: times NaN, so that their derivatives are NaN too."""
    factor = tf.where(failed, tf.constant(math.nan, x.dtype), 1.0)
    return x * factor[..., tf.newaxis, tf.newaxis]


def cholesky(x):
    """The lower factor, NaN for a matrix that is not positive definite."""
    factor = tf.linalg.cholesky(x)
    return poisoned(factor, tf.reduce_any(tf.math.is_nan(tf.linalg.diag_part(factor)), axis=-1))


def solve(a, b):
    """x with a @ x = b for matrices b, NaN where a is singular."""
    sign, size = tf.linalg.slogdet(a)
    failed = (sign == 0) | tf.math.is_nan(sign * size)
    identity = tf.eye(tf.shape(a)[-1], dtype=a.dtype)
    a = tf.where(failed[..., tf.newaxis, tf.newaxis], identity, a)  # else TensorFlow raises
    if a.shape[:-2] != b.shape[:-2]:
        batch = tf.broadcast_dynamic_shape(tf.shape(a)[:-2], tf.shape(b)[:-2])
        a = tf.broadcast_to(a, tf.concat([batch, tf.shape(a)[-2:]], axis=0))
        b = tf.broadcast_to(b, tf.concat([batch, tf.shape(b)[-2:]], axis=0))
    return poisoned(tf.linalg.solve(a, b), failed)


def solve_triangular(a, b, lower, transpose, unit_diagonal):
    """x with a @ x = b for triangular a, NaN where a is singular."""
    diagonal = tf.linalg.diag_part(a)
    if unit_diagonal:
        a = tf.linalg.set_diag(a, tf.ones_like(diagonal))
    x = tf.linalg.triangular_solve(a, b, lower=lower, adjoint=transpose)
    if unit_diagonal:
        return x
    return poisoned(x, tf.reduce_any(diagonal == 0, axis=-1))
'''

APART = '''
def kept_apart(x):
    """x, kept from what it is divided by: XLA makes a / b / c a / (b * c), which overflows."""
    return tf.where(abs(x) <= math.inf, x, x + 1.0)
'''

TO_INTEGER = '''
def to_integer(x, dtype):
    """x cast as C does: what 32 or 64 signed bits do not hold is the smallest they do."""
    if x.dtype.size < 4:
        x = tf.cast(x, tf.float32)
    bits = tf.int32 if dtype.max < 2**31 else tf.int64
    high = x >= 2.0**63 if dtype == tf.uint64 else None
    if high is not None:
        x = tf.where(high, x - 2.0**63, x)
    inside = (x < -float(bits.min)) & (x > float(bits.min) - 1)
    whole = tf.cast(tf.where(inside, tf.cast(x, bits), bits.min), dtype)
    return whole if high is None else whole ^ tf.where(high, tf.constant(1 << 63, dtype), 0)
'''

ELIMINATION = '''
def solve(a, b):
    """x with a @ x = b for matrices b, NaN where a is singular.

    By elimination: XLA's own solution has a value there, and its determinant is not to be had.
    """
    if a.shape[:-2] != b.shape[:-2]:
        batch = tf.broadcast_dynamic_shape(tf.shape(a)[:-2], tf.shape(b)[:-2])
        a = tf.broadcast_to(a, tf.concat([batch, tf.shape(a)[-2:]], axis=0))
        b = tf.broadcast_to(b, tf.concat([batch, tf.shape(b)[-2:]], axis=0))
    if a.shape[-1] == 0:
        return b
    size = tf.shape(a)[-1]
    places = tf.range(size)

    def eliminate(k, rows):
        column = tf.gather(rows, k, axis=-1)
        below = tf.where(places >= k, tf.abs(column), -1.0)
        pivot = tf.argmax(below, axis=-1, output_type=tf.int32)
        first = tf.gather(rows, k, axis=-2)
        chosen = tf.gather(rows, pivot, axis=-2, batch_dims=rows.shape.rank - 2)
        here = (places == k)[:, tf.newaxis]
        there = (places == pivot[..., tf.newaxis])[..., tf.newaxis]
        rows = tf.where(there, first[..., tf.newaxis, :], rows)
        rows = tf.where(here, chosen[..., tf.newaxis, :], rows)
        head = tf.gather(chosen, k, axis=-1)[..., tf.newaxis]
        factors = tf.gather(rows, k, axis=-1) / tf.where(head != 0, head, 1.0)
        factors = tf.where(places > k, factors, 0.0)[..., tf.newaxis]
        return k + 1, rows - factors * chosen[..., tf.newaxis, :]

    rows = tf.concat([a, b], axis=-1)
    _, rows = tf.while_loop(lambda k, _: k < size, eliminate, (0, rows))
    upper, right = rows[..., :size], rows[..., size:]
    x = tf.linalg.triangular_solve(upper, right, lower=False)
    regular = tf.abs(tf.linalg.diag_part(upper)) > 0  # neither 0 nor NaN
    return poisoned(x, ~tf.reduce_all(regular, axis=-1))
'''
