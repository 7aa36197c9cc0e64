"""The condition of an image: compression, softness, noise. A module for each estimator; `estimate_condition` asks them all."""

from manyheads_client.conditions.estimate import estimate_condition

__all__ = ["estimate_condition"]
