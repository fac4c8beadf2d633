"""Each constant has its dtype; numbers beside an array take the array's."""

import unigrad as ug


def model(x, count, flag):
    half = x * 0.1 + float("inf") * ug.isnan(x)
    exact = ug.where(flag, -0.0, float("nan"))
    whole = count // 3 + 7
    return half, exact, whole, ug.full((2,), 1.5, dtype="float16"), ug.eye(2), ug.arange(3)


def source(target):
    like = ("float32[2]", "int32[2]", "bool[2]")
    return ug.function(model).source(target, *like)
