"""The plan of a federated training: every number, who takes part, and what is refused. Signed before the first round.

A plan is to a federation what a recipe is to a training. What the numbers do is for the modules that use them.
A plan that trusts nobody is written in version 1. Specification: docs/formats/federation.md.
"""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from manyheads_shared.architectures import get_architecture
from manyheads_shared.degradations import get_profile
from manyheads_shared.document import Count, Document, Ordinal, Value
from manyheads_shared.errors import ManyheadsError
from manyheads_shared.federation.privacy import spent_epsilon
from manyheads_shared.federation.strategy import COORDINATE_WISE, ROBUST, TRUSTING, StrategyName, check_party_count
from manyheads_shared.manifest import DigestField, Name, Preprocessing, Time

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
Rate = Annotated[float, Field(gt=0, le=1)]


class Party(Value):
    """One owner who takes part, by the node that Flower's SuperLink knows."""

    name: Name
    node: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,19}$")]  # SuperNode id: beyond what a JSON number holds
    max_examples: Ordinal  # images the party may claim to train on; agreed on when it joins


class Privacy(Value):
    """Differential privacy of whole parties: clip every update, add Gaussian noise to their sum."""

    clip_norm: Positive  # L2 norm that an update is cut down to
    noise_multiplier: Positive  # noise on the sum of updates, in clip norms
    delta: Annotated[float, Field(gt=0, lt=0.1)]


class Plan(Document):
    """Every number of one federated training."""

    FORMAT: ClassVar[str] = "manyheads.federation-plan/1"

    # what comes out
    name: Name  # of the primary
    version: Name
    architecture: Name
    preprocessing: Preprocessing
    initial: DigestField  # of the tensors that training starts from
    seed: Count

    # what a party does in a round
    rounds: Annotated[int, Field(ge=1, le=10_000)]
    local_steps: Annotated[int, Field(ge=1, le=100_000)]  # of a party's optimiser in a round, however many images it has
    batch_size: Annotated[int, Field(ge=2, le=65_536)]
    learning_rate: Rate
    schedule: Literal["constant", "cosine"]  # over all steps of all rounds
    adam_beta1: Share
    adam_beta2: Share
    adam_epsilon: Positive
    positive_weight: Literal["none", "balanced"]  # of a party's own images
    degradation: Name
    batch_norm_images: Ordinal  # that a party measures the statistics of batch norm over
    precision: Literal["float32", "bfloat16"]
    proximal_strength: Annotated[float, Field(ge=0)]  # fedprox's mu; 0 with every other strategy

    # who counts for how much
    parties: Annotated[tuple[Party, ...], Field(min_length=1, max_length=10_000)]
    weighting: Literal["equal", "examples"]
    influence_cap: Annotated[float, Field(gt=0, le=1)]  # of one party, whatever its images
    quorum: Ordinal  # accepted updates without which there is no round
    round_seconds: Ordinal  # to wait for updates

    # what is refused
    min_examples: Ordinal
    norm_factor: Annotated[float, Field(gt=1, le=1000)]  # times the median norm of the round's updates

    # how updates become one
    strategy: StrategyName
    faulty_parties: Count  # that the strategy withstands
    server_learning_rate: Positive  # factor on the change that came of a round; with fedadam its learning rate
    server_beta1: Share  # this and the next two are fedadam's
    server_beta2: Share
    server_epsilon: Positive  # tau

    privacy: Privacy | None
    created: Time

    @model_validator(mode="after")
    def _check(self) -> Self:
        """Refuse values that do not go together; pydantic turns the ValueError into its own."""
        self._check_network()
        self._check_parties()
        self._check_strategy()
        self._check_privacy()
        return self

    def _check_network(self) -> None:
        try:
            architecture = get_architecture(self.architecture)
            get_profile(self.degradation)
        except ManyheadsError as error:
            raise ValueError(str(error)) from error
        if architecture.representation != "pixel" or self.preprocessing.representation != "pixel":
            raise ValueError("expected a pixel primary; the statistics of a dct one are of all images, and no party has those")
        if self.preprocessing.image_size is None:
            raise ValueError("expected a fixed image_size; parties with images of other sizes could not train together")

    def _check_parties(self) -> None:
        for what, values in (("name", [p.name for p in self.parties]), ("node", [p.node for p in self.parties])):
            if len(set(values)) != len(values):
                raise ValueError(f"expected parties with a {what} each, one is there twice")
        if self.quorum > len(self.parties):
            raise ValueError(f"quorum: expected at most {len(self.parties)}, the number of parties, got {self.quorum}")
        if self.influence_cap * self.quorum < 1 - 1e-9:
            raise ValueError(f"influence_cap {self.influence_cap:g}: {self.quorum} parties of at most that much are no whole")

    def _check_strategy(self) -> None:
        check_party_count(self.strategy, len(self.parties), self.faulty_parties)  # a round checks what came
        if (self.strategy == "fedprox") != (self.proximal_strength > 0):
            raise ValueError("proximal_strength above 0 goes with fedprox, and only with it")
        if (self.strategy in TRUSTING) != (self.trusted is not None):
            raise ValueError("trusted_party goes with trust, and only with it: name the maintainer's own party")
        if self.strategy in COORDINATE_WISE + TRUSTING and self.weighting != "equal":
            raise ValueError(f"{self.strategy} knows no weights; expected weighting equal")

    def _check_privacy(self) -> None:
        if self.privacy is None:
            return
        if self.strategy in ROBUST + TRUSTING or self.strategy == "fedadam" or self.weighting != "equal":
            raise ValueError("privacy: the noise is made for a plain mean; expected fedavg or fedprox, and weighting equal")
        spent_epsilon(self.privacy.noise_multiplier, self.rounds, self.privacy.delta)  # refuses noise that promises nothing

    @property
    def trusted(self) -> Party | None:
        """The party that the others are held against; None with strategies that trust nobody."""
        return None

    @property
    def steps(self) -> int:
        """Steps of a party's optimiser in the whole training."""
        return self.rounds * self.local_steps

    def party_of(self, node: str) -> Party | None:
        """The party of a node; None for a stranger."""
        return next((party for party in self.parties if party.node == node), None)


class TrustingPlan(Plan):
    """As `Plan`, for the strategy `trust`. Version 2."""

    FORMAT: ClassVar[str] = "manyheads.federation-plan/2"

    format: Literal["manyheads.federation-plan/2"]
    trusted_party: Name  # the maintainer's own, on public images

    @property
    def trusted(self) -> Party | None:
        """See `Plan.trusted`."""
        return next((party for party in self.parties if party.name == self.trusted_party), None)

    def _check_parties(self) -> None:
        super()._check_parties()
        if self.trusted is None:
            raise ValueError(f"trusted_party: expected one of the plan's parties, got {self.trusted_party}")
