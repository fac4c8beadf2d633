"""A graph that is built by hand: declared inputs, named outputs."""

import unigrad as ug

with ug.graph("difference_of_squares") as graph:
    a, b = ug.input("a", "float64[n]"), ug.input("b", "float64[n]")
    d = a - b
    e = a + b
    graph.output(y=d * e, d=d)


def source(target):
    return graph.source(target)
