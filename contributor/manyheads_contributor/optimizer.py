"""Adam (Kingma and Ba 2015), as torch computes it, without torch's class of the same name.

That class loads the compiler that comes with torch before its first step: 3 to 12 seconds in which a small training does
nothing. The function and kernel below it are the same, and so are the weights.
"""

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

MOMENTS = ("step", "exp_avg", "exp_avg_sq")


class Adam:
    """Adam over the parameters of a network, no weight decay.

    Args:
        network: on its device, in its memory format.
        betas: decay of the mean and of the mean square of gradients.
        eps: added to the root of the latter.
    """

    def __init__(self, network: nn.Module, *, betas: tuple[float, float], eps: float) -> None:
        self.parameters: list[Tensor] = list(network.parameters())
        self.state = [
            {
                "step": torch.zeros((), device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),  # in memory as the parameter: the kernel walks all in one order
                "exp_avg_sq": torch.zeros_like(parameter),
            }
            for parameter in self.parameters
        ]
        self._betas, self._eps = betas, eps

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move every parameter by its gradient."""
        gradients: list[Tensor] = []
        for parameter in self.parameters:
            assert parameter.grad is not None  # the loss depends on all of them
            gradients.append(parameter.grad)
        steps, means, squares = ([moments[name] for moments in self.state] for name in MOMENTS)
        adam(
            self.parameters,
            gradients,
            means,
            squares,
            [],
            steps,
            fused=True,
            amsgrad=False,
            beta1=self._betas[0],
            beta2=self._betas[1],
            lr=learning_rate,
            weight_decay=0.0,
            eps=self._eps,
            maximize=False,
        )
