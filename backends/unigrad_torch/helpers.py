"""Source text of functions that emitted files need and PyTorch does not have under one name.

Those that a file uses are written at its head: it imports torch and nothing else. Nothing branches
on a value, so that everything runs under ``vmap``, under ``torch.compile`` and on the meta device.
"""

from __future__ import annotations

__all__ = ["TRANSFORMS", "VALUES"]

VALUES = '''
def sign(x):
    """-1, 0 or 1, and NaN of NaN."""
    return torch.where(torch.isnan(x), math.nan, torch.sign(x))


def floor_divide(x, y):
    """x // y of integers, and 0 where y is 0."""
    zero = y == 0
    return torch.where(zero, 0, x // torch.where(zero, 1, y))


def remainder(x, y):
    """x % y of integers, and 0 where y is 0."""
    zero = y == 0
    return torch.where(zero, 0, x % torch.where(zero, 1, y))


def fmod(x, y):
    """The remainder of integers with the sign of x, and 0 where y is 0."""
    zero = y == 0
    return torch.where(zero, 0, torch.fmod(x, torch.where(zero, 1, y)))


def cbrt(x):
    """The real cube root: a power, and a step of Newton's method where it does not underflow."""
    if x.dtype.itemsize < 4:
        return cbrt(x.to(torch.float32)).to(x.dtype)
    root = torch.copysign(torch.abs(x) ** (1 / 3), x)
    closer = root - (root * root * root - x) / (3.0 * root * root)
    limits = torch.finfo(x.dtype)
    exact = (torch.abs(x) > limits.tiny / limits.eps) & torch.isfinite(x)
    return torch.where(exact, closer, root)


def heaviside(x, y):
    """0 for negative x, 1 for positive x, y at 0, and NaN of NaN."""
    step = torch.where(torch.isnan(x), math.nan, (x > 0).to(x.dtype))
    return torch.where(x == 0, y, step)


def cotangent_derivative(n, x):
    """pi ** (n + 1) times the n-th derivative of a cotangent, which is a polynomial in it."""
    cotangent = 1 / torch.tan(math.pi * (x - torch.round(x)))
    terms = [0, 1]
    for _ in range(n):
        slopes = [power * term for power, term in enumerate(terms)][1:]
        terms = [-a - b for a, b in zip(slopes + [0, 0], [0, 0] + slopes)]
    turn = sum(term * cotangent**power for power, term in enumerate(terms) if term)
    return math.pi ** (n + 1) * turn


def polygamma(n, x):
    """The n-th derivative of digamma; at a pole its limit, or NaN where the two sides differ."""
    if n == 0:
        return torch.digamma(x)
    pole = (x < 0) & (x == torch.floor(x))
    y = torch.where(x < 0, 1 - x, x)
    if n == 1 and x.dtype.itemsize > 2:  # its own is right to nine digits
        zeta = torch.special.zeta(2.0, torch.where(x == 0, math.inf, y))
        value = torch.where(x == 0, math.inf, zeta)
    else:
        value = torch.polygamma(n, y)
    value = torch.where(x < 0, (-1) ** n * value - cotangent_derivative(n, x), value)
    value = torch.where(x == math.inf, 0.0, value)
    if n and n % 2 == 0:  # a pole of which the sign of 0 tells the side
        value = torch.where(x == 0, torch.copysign(torch.full_like(x, math.inf), -x), value)
    return torch.where(pole, math.inf if n % 2 else math.nan, value)


def integer_power(x, y):
    """x ** y of integers, cut to an integer; 0 for a negative power of 0."""
    inverse = torch.where(torch.abs(x) == 1, x ** (y & 1), 0)
    return torch.where(y < 0, inverse, x ** torch.clamp(y, min=0))


def half_power(x, y):
    """x ** 0.5 or x ** -0.5: PyTorch takes the root, which -0.0 and -inf have not."""
    positive = torch.where((x == 0) | (x == -math.inf), torch.abs(x), x)
    return torch.sqrt(positive) if y > 0 else torch.rsqrt(positive)


def absolute(x):
    """abs(x); its derivative at NaN is NaN."""
    return torch.abs(x * torch.where(torch.isnan(x), math.nan, torch.ones_like(x)))


def relu(x):
    """x where positive, else 0; its derivative at NaN is 0."""
    return torch.where(x > 0, x, torch.relu(x.detach()))


def nan_first(x, y, native):
    """maximum or minimum; a NaN operand gets all of the cotangent, two get half of it each."""
    a, b = torch.isnan(x).to(x.dtype), torch.isnan(y).to(x.dtype)
    poisoned = 0.5 * (1.0 + a - b) * x + 0.5 * (1.0 + b - a) * y
    return torch.where(a + b > 0, poisoned, native(x, y))


def nan_last(x, y, native, at_ties):
    """fmax or fmin; equal operands, and two NaN, get half of the cotangent each."""
    found = torch.where(torch.isnan(x) & torch.isnan(y), 0.5 * x + 0.5 * y, native(x, y))
    return torch.where(x == y, at_ties(x, y), found)


def root_of_squares(x, native):
    """The root of a sum of squares; at 0 it is 0 times the root of 1, and so is its derivative."""
    zero = (x == 0).to(x.dtype)
    return native(x + zero) * (1.0 - zero)


def root_of_powers(x, y):
    """x ** y of a sum of powers; at 0 its derivative is 0."""
    return root_of_squares(x, lambda base: base ** y)


def clip_below(x, lower):
    """max(x, lower); at the bound x gets all of the cotangent, at NaN nothing does."""
    beyond = torch.where(x < lower, lower, torch.maximum(x.detach(), lower.detach()))
    return torch.where(x >= lower, x, beyond)


def clip_above(x, upper):
    """min(x, upper); at the bound x gets all of the cotangent, at NaN nothing does."""
    beyond = torch.where(x > upper, upper, torch.minimum(x.detach(), upper.detach()))
    return torch.where(x <= upper, x, beyond)


def prod(x, axes, keepdims):
    """The product over one axis or several, one after the other."""
    for axis in reversed(axes) if isinstance(axes, tuple) else (axes,):
        x = x.prod(axis, keepdim=keepdims)
    return x


def variance(x, axes, correction, keepdims):
    """The variance by parts, for any number of elements and of axes."""
    axes = axes if isinstance(axes, tuple) else (axes,)
    freedom = math.prod([x.shape[axis] for axis in axes])
    centred = x - x.mean(axes, keepdim=True) if axes else x - x
    squares = torch.square(centred)
    total = squares.sum(axes, keepdim=keepdims) if axes else squares
    rest = freedom - correction if freedom > correction else math.nan
    return total / torch.full_like(total, rest)


def standard_deviation(x, axes, correction, keepdims):
    """torch.std; its derivative is 0 where all elements are equal, whatever rounding leaves."""
    axes = axes if isinstance(axes, tuple) else (axes,)
    least = found = variance(x, axes, correction, keepdims)
    if axes:
        least = torch.minimum(found, x.amax(axes, keepdims) - x.amin(axes, keepdims))
    zero = (least == 0).to(x.dtype)
    return torch.sqrt(found + zero) * (1.0 - zero)


def iota(shape, axis, dtype, device=None):
    """The index along one axis of each element."""
    sides = [1] * len(shape)
    sides[axis] = shape[axis]
    return torch.arange(shape[axis], dtype=dtype, device=device).reshape(sides).expand(shape)


def place_at(x, key, shape):
    """Zeros of a shape with x at an index."""
    whole = x.new_zeros(shape)
    whole[key] = x
    return whole


def take(x, indices, axis):
    """Elements of x along one axis, at integers of any shape and dtype."""
    flat = torch.index_select(x, axis, indices.reshape(-1).to(torch.int64))
    return flat.reshape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


def add_at(x, indices, axis, size):
    """Zeros with x added at indices along one axis."""
    before, after = x.shape[:axis], x.shape[axis + indices.ndim :]
    flat = x.reshape((*before, indices.numel(), *after))
    whole = x.new_zeros((*before, size, *after))
    return whole.index_add(axis, indices.reshape(-1).to(torch.int64), flat)


def in_float32(function, *arguments):
    """Half precision is computed in single precision inside."""
    wide = [one.to(torch.float32) if torch.is_tensor(one) else one for one in arguments]
    return function(*wide).to(arguments[0].dtype)


def poisoned(x, failed):
    """x, with NaN in the matrices that failed: times NaN, so that their derivatives are NaN too."""
    return x * torch.where(failed, math.nan, 1.0).to(x.dtype)[..., None, None]


def cholesky(x):
    """The lower factor, NaN for a matrix that is not positive definite."""
    factor, info = torch.linalg.cholesky_ex(x)
    return poisoned(factor, info != 0)


def solve(a, b):
    """x with a @ x = b for matrices b, NaN where a is singular."""
    if b.ndim < a.ndim:  # else it could be taken for a batch of vectors
        b = b[(None,) * (a.ndim - b.ndim)]
    x, info = torch.linalg.solve_ex(a, b)
    return poisoned(x, info != 0)


def solve_by_factors(a, b):
    """The same in two steps: of one step PyTorch's second forward derivative is wrong."""
    factors, pivots, info = torch.linalg.lu_factor_ex(a)
    if b.ndim < a.ndim:
        b = b[(None,) * (a.ndim - b.ndim)]
    x = torch.linalg.lu_solve(factors, pivots, b)
    return poisoned(x, info != 0)


def solve_triangular(a, b, lower, transpose, unit_diagonal):
    """x with a @ x = b for triangular a, NaN where a is singular."""
    if transpose:
        a = a.mT
    x = torch.linalg.solve_triangular(
        a, b, upper=lower == transpose, unitriangular=unit_diagonal
    )
    if unit_diagonal:
        return x
    return poisoned(x, (a.diagonal(dim1=-2, dim2=-1) == 0).any(-1))
'''

TRANSFORMS = '''
def pull_back(function, wrt, seeds, *operands):
    """The outputs of a function, then the cotangents of its operands wrt.

    The last operands are the cotangents of its outputs seeds.
    """
    if not wrt or not seeds or not plain(operands):
        return pull_back_in_general(function, wrt, seeds, *operands)
    count = len(operands) - len(seeds)
    inputs, chosen = list(operands[:count]), []
    for i in wrt:
        # An alias, so that the same tensor at another place does not count.
        x = inputs[i] = inputs[i].detach().requires_grad_()
        chosen.append(x)
    outputs = function(*inputs)
    found = gradients(outputs, chosen, seeds, operands[count:], False)
    return (*[y.detach() for y in outputs], *found)


def plain(operands):
    """Whether nothing of the caller's differentiates, compiles, or forbids a tape."""
    if (
        torch.compiler.is_compiling()
        or torch._C._functorch.peek_interpreter_stack() is not None
        or forward_ad._current_level >= 0
        or not torch.is_grad_enabled()
        or torch.is_inference_mode_enabled()
    ):
        return False
    for x in operands:
        if x.__class__ is not float and (x.requires_grad or x.is_inference()):
            return False
    return True


def gradients(outputs, chosen, seeds, cotangents, recorded):
    """The cotangents of the chosen inputs, zeros for those that do not matter."""
    live, weights = [], []
    for i, g in zip(seeds, cotangents):
        y = outputs[i]
        if y.requires_grad:
            live.append(y)
            weights.append(filled(g, y))
    if not live:
        return [torch.zeros_like(x) for x in chosen]
    # What torch.autograd.grad calls: its checks of arguments take as long as a small model.
    found = torch.autograd.Variable._execution_engine.run_backward(
        tuple(live), tuple(weights), recorded, recorded, tuple(chosen),
        allow_unreachable=True, accumulate_grad=False,
    )
    return [torch.zeros_like(x) if g is None else g for g, x in zip(found, chosen)]


def pull_back_in_general(function, wrt, seeds, *operands):
    """The same inside transforms, on a tape, without grad, or with nothing to differentiate."""
    inputs = list(operands[: len(operands) - len(seeds)])
    if not wrt or not seeds:
        return (*function(*inputs), *[torch.zeros_like(inputs[i]) for i in wrt])
    if torch.compiler.is_compiling() or torch._C._functorch.peek_interpreter_stack() is not None:
        return pull_back_by_transform(function, wrt, seeds, inputs, operands[len(inputs) :])
    if torch.is_inference_mode_enabled() or inputs[wrt[0]].is_inference():
        with torch.inference_mode(False):
            copies = [x.clone() if torch.is_tensor(x) else x for x in operands]
            return pull_back(function, wrt, seeds, *copies)
    tensors = [x for x in operands if torch.is_tensor(x)]
    followed = torch.is_grad_enabled() and any(x.requires_grad for x in tensors)
    recorded = forward_ad._current_level >= 0 or followed
    for i in wrt:
        alias = inputs[i].view_as(inputs[i]) if recorded else inputs[i].detach()
        inputs[i] = alias if recorded and alias.requires_grad else alias.requires_grad_()
    with torch.enable_grad():
        outputs = function(*inputs)
    chosen = [inputs[i] for i in wrt]
    found = gradients(outputs, chosen, seeds, operands[-len(seeds) :], recorded)
    return (*(outputs if recorded else [y.detach() for y in outputs]), *found)


def pull_back_by_transform(function, wrt, seeds, inputs, cotangents):
    """The same by torch.func, which alone works inside its own transforms and when compiled."""

    def of_chosen(*chosen):
        values = list(inputs)
        for i, x in zip(wrt, chosen):
            values[i] = x
        outputs = function(*values)
        return tuple([outputs[i] for i in seeds]), outputs

    chosen = [inputs[i] for i in wrt]
    seeded, pull, outputs = torch.func.vjp(of_chosen, *chosen, has_aux=True)
    return (*outputs, *pull(tuple([filled(g, y) for g, y in zip(cotangents, seeded)])))


def push_forward(function, wrt, *operands):
    """The outputs of a function, then their tangents.

    The last operands are the tangents of its operands wrt.
    """
    count = len(operands) - len(wrt)
    inputs, tangents = operands[:count], operands[count:]
    if not wrt:
        outputs = function(*inputs)
        return (*outputs, *[torch.zeros_like(y) for y in outputs])

    def of_chosen(*chosen):
        values = list(inputs)
        for i, x in zip(wrt, chosen):
            values[i] = x
        outputs = function(*values)
        return tuple([y for y in outputs if y.is_floating_point()]) or chosen, outputs

    chosen = tuple([inputs[i] for i in wrt])
    given = tuple([filled(t, x) for x, t in zip(chosen, tangents)])
    _, pushed, outputs = torch.func.jvp(of_chosen, chosen, given, has_aux=True)
    rest = iter(pushed)
    found = [next(rest) if y.is_floating_point() else torch.zeros_like(y) for y in outputs]
    return (*outputs, *found)


def filled(value, x):
    """A cotangent or tangent of x that may be given as a number."""
    return torch.full_like(x, value) if value.__class__ is float else value


def primal(x):
    """A tensor without its tangent of the innermost level of forward mode."""
    functorch = torch._C._functorch
    if not functorch.is_batchedtensor(x):
        return forward_ad.unpack_dual(x, level=0).primal
    level, axis = functorch.maybe_get_level(x), functorch.maybe_get_bdim(x)
    with retrieve_current_functorch_interpreter().lower():
        inner = primal(functorch.get_unwrapped(x))
    return functorch._add_batch_dim(inner, axis, level)


def differentiated(value, pulls, pushes):
    """A function with a derivative of its own, to every order and in every mode."""

    class Compiled(torch.autograd.Function):
        @staticmethod
        def forward(*operands):
            return value(*operands)[0]

        @staticmethod
        def setup_context(ctx, operands, out):
            ctx.save_for_backward(*operands, out)
            ctx.save_for_forward(*operands, out)
            ctx.set_materialize_grads(False)

        @staticmethod
        def backward(ctx, cotangent):
            found = [None] * len(pulls)
            if cotangent is not None:
                for i, pull in enumerate(pulls):
                    if pull is not None and ctx.needs_input_grad[i]:
                        found[i] = pull(*ctx.saved_tensors, cotangent)[0]
            return tuple(found)

    class Differentiated(Compiled):
        generate_vmap_rule = True

        @staticmethod
        def jvp(ctx, *tangents):
            # PyTorch switches forward mode off in here, silently also for the levels around this
            # one: switched on again, on values without a tangent of this level, these are right.
            saved = [primal(x) for x in ctx.saved_tensors]
            found = torch.zeros_like(saved[-1])
            with forward_ad._set_fwd_grad_enabled(True):
                for push, tangent in zip(pushes, tangents):
                    if push is not None and tangent is not None:
                        found = found + push(*saved, tangent)[0]
            return found

    def apply(*operands):
        # torch.compile takes no function with a jvp.
        return (Compiled if torch.compiler.is_compiling() else Differentiated).apply(*operands)

    return apply
'''
