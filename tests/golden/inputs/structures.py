"""Dicts, lists, tuples, None and settings go in and come out."""

import unigrad as ug


def model(parameters, batch, kind):
    first, second = parameters["layers"]
    x, y = batch
    hidden = ug.nn.relu(x * first["w"] + first["b"]) if kind == "relu" else x
    error = second["w"] * hidden - y
    return ug.mean(error**2), {"error": error, "nothing": None, "kind": kind}


def source(target):
    like = (
        {"layers": [{"w": "float64[]", "b": "float64[]"}, {"w": "float64[]", "b": "float64[]"}]},
        ("float64[n]", "float64[n]"),
        "relu",
    )
    return ug.value_and_grad(model, has_aux=True).source(target, *like)
