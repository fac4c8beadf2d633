"""What the user chose: the target, how to differentiate, which conventions, the default float.

A choice can be made in seven places, and the nearest one to the call wins: call argument,
:func:`use`, :func:`configure`, environment, project file, user file, default. This room alone
knows them, so that every other room asks one question, :func:`current`, and so that
:func:`origins` can say where each answer came from. It sits below the ops because creation
functions need the default float. It never writes a file and reads none before the first question.
"""

from unigrad.config.scope import Origin, configure, current, origins, reload, reset, use
from unigrad.config.settings import (
    Autodiff,
    Conventions,
    FloatName,
    Overrides,
    Settings,
    checked,
    did_you_mean,
    resolve,
)
from unigrad.config.sources import unknown_environment
from unigrad.config.target import Target, canonical_device

__all__ = [
    "Autodiff",
    "Conventions",
    "FloatName",
    "Origin",
    "Overrides",
    "Settings",
    "Target",
    "canonical_device",
    "checked",
    "configure",
    "current",
    "did_you_mean",
    "origins",
    "reload",
    "reset",
    "resolve",
    "unknown_environment",
    "use",
]
