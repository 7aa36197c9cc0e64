"""The condition of an image: compression, softness, noise. A module for each estimator; `estimate_condition` asks them all."""

from manyheads_shared.estimates.estimate import estimate_condition

__all__ = ["estimate_condition"]
