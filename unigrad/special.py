"""Special functions."""

from unigrad.ops.special import digamma, erf, erfc, gammaln, polygamma, xlog1py, xlogy

__all__ = ["digamma", "erf", "erfc", "gammaln", "polygamma", "xlog1py", "xlogy"]
