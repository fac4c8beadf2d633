"""Fits logistic regression by Newton's method, from zero, with products of the Hessian.

SciPy's ``Newton-CG`` asks for the Hessian times a vector: forward mode over reverse mode. At zero
weights the two scores of each row are equal, where a derivative is easily right to first order
alone; with second derivatives of 0 there, the method would stop where it starts, and call it a
success.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import OptimizeResult, minimize
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

import unigrad as ug


@ug.function
def loss(parameters, X, y):
    """Mean negative log-likelihood of labels 0 and 1.

    The likelihood is a softmax of two scores: ``z`` for the label 1 and ``-z`` for the label 0.
    """
    weights, intercept = parameters[:-1], parameters[-1]
    z = 0.5 * (X @ weights + intercept)
    return ug.mean(ug.logaddexp(z, -z) - (2 * y - 1) * z)


@ug.function
def hessian_times(parameters, direction, X, y):
    """The Hessian of the loss times a direction."""
    gradient = ug.grad(lambda at: loss(at, X, y))
    return ug.jvp(gradient, (parameters,), (direction,))[1]


def main() -> OptimizeResult:
    """Fit ten columns of scikit-learn's breast-cancer data; return what SciPy returns."""
    data = load_breast_cancer()
    X, y = StandardScaler().fit_transform(data.data[:, :10]), data.target.astype(np.float64)
    fit = minimize(
        ug.value_and_grad(loss),
        x0=np.zeros(X.shape[1] + 1),
        args=(X, y),
        jac=True,
        hessp=hessian_times,
        method="Newton-CG",
        options={"xtol": 1e-10},
    )
    accuracy = np.mean((X @ fit.x[:-1] + fit.x[-1] > 0) == (y > 0))
    print(f"{fit.nit} steps, loss {fit.fun:.4f}, accuracy {accuracy:.3f}")
    return fit


if __name__ == "__main__":
    main()
