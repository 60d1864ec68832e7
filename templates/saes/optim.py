"""Adam on the CPU without torch's compiler: building `torch.optim.Adam` imports it, two seconds of every training."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


def adam(parameters: Iterable[Tensor], lr: float, betas: tuple[float, float]) -> torch.optim.Adam | Adam:
    """torch's fused one on a GPU, where two seconds are nothing; the same steps to rounding on the CPU."""
    parameters = list(parameters)
    if parameters[0].device.type == "cpu":
        return Adam(parameters, lr, betas)
    return torch.optim.Adam(parameters, lr=lr, betas=betas, fused=True)


class Adam:
    """As torch's (arXiv 1412.6980), with its `param_groups` and `state`."""

    def __init__(self, parameters: list[Tensor], lr: float, betas: tuple[float, float], eps: float = 1e-8) -> None:
        self.param_groups = [{"params": parameters, "lr": lr, "betas": betas, "eps": eps}]
        self.state = {
            p: {"step": 0, "exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)} for p in parameters
        }

    def zero_grad(self) -> None:
        for parameter in self.state:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        group = self.param_groups[0]
        first, second = group["betas"]
        for parameter, state in self.state.items():
            grad = parameter.grad
            if grad is None:
                continue
            state["step"] += 1
            mean, square = state["exp_avg"], state["exp_avg_sq"]
            mean.lerp_(grad, 1 - first)
            square.mul_(second).addcmul_(grad, grad, value=1 - second)
            below = square.sqrt().div_((1 - second ** state["step"]) ** 0.5).add_(group["eps"])
            parameter.addcdiv_(mean, below, value=-group["lr"] / (1 - first ** state["step"]))
