"""A small checkpoint: quick to make, to quantize and to simulate."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def small_state_dict(
    widths: tuple[int, int, int] = (4, 6, 8), bases: int = 3, density: float = 0.3, classes: int = 10
) -> dict:
    """A ResNet-8 for 32x32 pixels as the public PENNI code saves one: float32 arrays by key, option-A shortcuts."""
    rng = np.random.default_rng(7)
    state: dict[str, np.ndarray] = {}

    def conv(name: str, cin: int, cout: int) -> None:
        state[f"{name}.basis"] = rng.standard_normal((bases, 9)).astype(np.float32)
        coefs = rng.standard_normal((cout * cin, bases)) * (rng.random((cout * cin, bases)) < density)
        state[f"{name}.coefs"] = coefs.astype(np.float32)

    def norm(name: str, channels: int) -> None:
        state[f"{name}.weight"] = rng.uniform(0.5, 1.5, channels).astype(np.float32)
        state[f"{name}.bias"] = rng.uniform(-0.3, 0.3, channels).astype(np.float32)
        state[f"{name}.running_mean"] = rng.uniform(-0.2, 0.2, channels).astype(np.float32)
        state[f"{name}.running_var"] = rng.uniform(0.5, 4.0, channels).astype(np.float32)

    conv("conv1", 3, widths[0])
    norm("bn1", widths[0])
    cin = widths[0]
    for stage, width in enumerate(widths, 1):
        conv(f"layer{stage}.0.conv1", cin, width)
        norm(f"layer{stage}.0.bn1", width)
        conv(f"layer{stage}.0.conv2", width, width)
        norm(f"layer{stage}.0.bn2", width)
        cin = width
    state["linear.weight"] = rng.standard_normal((classes, cin)).astype(np.float32)
    state["linear.bias"] = rng.standard_normal(classes).astype(np.float32)
    return state


def save_checkpoint(state: dict, path: Path) -> Path:
    import torch

    torch.save({name: torch.from_numpy(values) for name, values in state.items()}, path)
    return path
