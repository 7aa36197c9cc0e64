"""Where in the image a score comes from: class activation maps, exact for both read-outs.

With global average pooling the CAM is sum_c w_c * map_c (Zhou et al. 2016); its mean over positions plus the bias is the
logit. With flatten the weight of each position is its own, and the sum over positions plus the bias is the logit. Neither
needs a gradient. No clipping, no rescaling: what to show is for the report to decide.
"""

from torch import Tensor

from manyheads_shared.networks import Head


def class_activation_map(head: Head, maps: Tensor) -> Tensor:
    """Localise one head's logit.

    Args:
        head: the detector or a head.
        maps: float32 (N, C, h, w), from `head.maps`.

    Returns:
        float32 (N, h, w), in logits. `gap`: mean + bias = logit; `flatten`: sum + bias = logit.
    """
    weight = head.decision.weight[0]
    if head.architecture.readout == "gap":
        return (maps * weight[:, None, None]).sum(dim=1)
    return (maps * weight.view(maps.shape[1:])).sum(dim=1)
