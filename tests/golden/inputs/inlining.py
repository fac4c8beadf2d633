"""What is used once stands where it is used, in as many parentheses as it needs, to a depth."""

import unigrad as ug


def model(a, b, c):
    shared = a - b
    left = (shared - (b - c)) - (-shared) ** 2
    power = (a**b) ** c + a ** (b**c)
    logic = ug.where((a > 0) & ~(b > c), a % (b * c), -(a // b))
    chain = a
    for _ in range(25):
        chain = ug.sin(chain)
    return left * power, logic, chain


def source(target):
    like = ("float64[n]", "float64[n]", "float64[n]")
    return ug.function(model).source(target, *like)
