"""The strategies by name: what each needs of the number of parties. An aggregation whose promise does not hold is an error.

The arithmetic is in `aggregation`. Blanchard et al. 2017 (Krum), El Mhamdi et al. 2018 (Bulyan), Yin et al. 2018 (median,
trimmed mean), McMahan et al. 2017 (FedAvg), Li et al. 2020 (FedProx), Reddi et al. 2021 (FedAdam), Cao et al. 2021 (FLTrust).
"""

from typing import Literal

StrategyName = Literal["fedavg", "fedprox", "fedadam", "median", "trimmed-mean", "krum", "multi-krum", "bulyan", "trust"]

MEANS = ("fedavg", "fedprox", "fedadam")
SELECTIONS = ("krum", "multi-krum")  # whole updates are chosen
COORDINATE_WISE = ("median", "trimmed-mean", "krum", "multi-krum", "bulyan")  # no weights: one party is as good as another
ROBUST = COORDINATE_WISE
TRUSTING = ("trust",)  # updates are held against that of a trusted party, however many are faulty


def parties_needed(strategy: StrategyName, faulty: int) -> int:
    """The fewest updates with which a strategy withstands `faulty` of them."""
    match strategy:
        case "median" | "trimmed-mean":
            return 2 * faulty + 1
        case "krum" | "multi-krum":
            return 2 * faulty + 3
        case "bulyan":
            return 4 * faulty + 3
        case "trust":
            return 2  # the trusted party and another
        case _:
            return 1


def check_party_count(strategy: StrategyName, count: int, faulty: int) -> None:
    """Refuse what would be a robust strategy in name only.

    Raises:
        ValueError: too few updates, or a number of faulty parties that makes no sense with the strategy.
    """
    if strategy in ROBUST and faulty < 1:
        raise ValueError(f"{strategy} with no faulty party withstands none; expected faulty_parties of at least 1, or fedavg")
    if strategy in TRUSTING and faulty:
        raise ValueError(f"{strategy} counts no faulty parties, however many there are; expected faulty_parties 0")
    if strategy not in ROBUST and faulty:
        raise ValueError(f"{strategy} withstands no faulty party; expected faulty_parties 0, or a robust strategy")
    if count < (needed := parties_needed(strategy, faulty)):
        raise ValueError(f"{strategy} against {faulty} faulty parties needs {needed} updates, got {count}")
