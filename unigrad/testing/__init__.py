"""What tests of unigrad, of its backends and of code written with it need.

Scenarios are records of functions and points; checks hold a target against them. A backend's author
runs ``check`` on every scenario; a model's author runs ``check_grads`` on the model.
"""

from unigrad.testing.checks import (
    bundle,
    check,
    check_gradient,
    check_grads,
    check_value,
    compare,
    probe,
)
from unigrad.testing.reference import evaluate
from unigrad.testing.scenarios import Scenario, model_scenarios, op_scenarios, scenarios

__all__ = [
    "Scenario", "bundle", "check", "check_gradient", "check_grads", "check_value", "compare",
    "evaluate", "model_scenarios", "op_scenarios", "probe", "scenarios",
]  # fmt: skip
