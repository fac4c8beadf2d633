"""Fits logistic regression on scikit-learn's breast-cancer data, by SciPy's own minimiser.

``scipy.optimize.minimize(jac=True)`` wants a function that returns a value and its gradient:
that is what ``ug.value_and_grad`` makes of the loss, on whatever target the settings name. The
result is compared with scikit-learn's own fit of the same model.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import unigrad as ug


@ug.function
def loss(parameters, X, y, penalty):
    """Mean negative log-likelihood of the labels, and a penalty on the weights' squares.

    ``parameters`` holds a weight for each column of ``X``, then the intercept, which is free.
    """
    weights, intercept = parameters[:-1], parameters[-1]
    z = X @ weights + intercept
    misfit = ug.mean(-ug.nn.log_sigmoid(-z) - y * z)
    return misfit + 0.5 * penalty * ug.sum(weights * weights)


def load_data() -> tuple[np.ndarray, np.ndarray]:
    """Return 569 rows of 30 measurements, each column with mean 0 and deviation 1, and labels."""
    data = load_breast_cancer()
    return StandardScaler().fit_transform(data.data), data.target.astype(np.float64)


def fit(X: np.ndarray, y: np.ndarray, penalty: float) -> np.ndarray:
    """Minimise the loss from zero; return the weights and, last, the intercept."""
    result = minimize(
        ug.value_and_grad(loss),
        x0=np.zeros(X.shape[1] + 1),
        args=(X, y, penalty),
        jac=True,
        method="BFGS",
        options={"gtol": 1e-9, "maxiter": 1000},
    )
    return result.x


def main(penalty: float = 0.01) -> tuple[np.ndarray, np.ndarray]:
    """Fit with unigrad and with scikit-learn; return both sets of parameters."""
    X, y = load_data()
    ours = fit(X, y, penalty)

    # scikit-learn weighs the summed misfit by C against 0.5 * |weights|^2
    model = LogisticRegression(C=1 / (penalty * len(y)), solver="newton-cholesky", tol=1e-10)
    model.fit(X, y)
    theirs = np.append(model.coef_[0], model.intercept_[0])

    accuracy = np.mean((X @ ours[:-1] + ours[-1] > 0) == (y > 0))
    print(f"accuracy {accuracy:.3f}, {len(ours)} parameters")
    print(f"largest difference from scikit-learn: {np.max(np.abs(ours - theirs)):.1e}")
    return ours, theirs


if __name__ == "__main__":
    main()
