"""input: the raw pixels as they enter the accelerator. No hardware of its own: it names the top's input port."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..graph import TensorSpec


@dataclass(frozen=True)
class Input:
    spec: TensorSpec

    stem: ClassVar[str] = "input"

    @property
    def in_specs(self) -> tuple[TensorSpec, ...]:
        return ()

    @property
    def out_spec(self) -> TensorSpec:
        return self.spec
