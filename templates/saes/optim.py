"""Adam without torch.optim, whose import also imports torch's compiler: that takes two seconds of every training."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


def adam(parameters: Iterable[Tensor], lr: float, betas: tuple[float, float]) -> torch.optim.Adam | Adam:
    """Adam for these parameters: torch's own on a GPU, where trainings take long, else the class below."""
    parameters = list(parameters)
    if parameters[0].device.type == "cpu":
        return Adam(parameters, lr, betas)
    return torch.optim.Adam(parameters, lr=lr, betas=betas, fused=True)


class Adam:
    """torch's Adam (arXiv 1412.6980) on a CPU, with its `param_groups` and `state`; calls its fused kernel directly."""

    def __init__(self, parameters: list[Tensor], lr: float, betas: tuple[float, float], eps: float = 1e-8) -> None:
        self.param_groups: list[dict[str, Any]] = [{"params": parameters, "lr": lr, "betas": betas, "eps": eps}]
        self.state = {
            p: {"step": torch.tensor(0.0), "exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
            for p in parameters
        }

    def zero_grad(self) -> None:
        for parameter in self.state:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        group = self.param_groups[0]
        moved = [parameter for parameter in self.state if parameter.grad is not None]
        if not moved:
            return
        states = [self.state[parameter] for parameter in moved]
        steps = [state["step"].add_(1) for state in states]
        first, second = group["betas"]
        torch._fused_adam_(
            moved,
            [_as_stored(parameter) for parameter in moved],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            steps,
            lr=group["lr"],
            beta1=first,
            beta2=second,
            weight_decay=0.0,
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
        )


def _as_stored(parameter: Tensor) -> Tensor:
    """The gradient in the parameter's memory layout, which the kernel expects."""
    grad = parameter.grad
    assert grad is not None
    return grad if grad.stride() == parameter.stride() else torch.empty_like(parameter).copy_(grad)
