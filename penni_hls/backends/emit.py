"""A planned design -> every file of its project. What a backend emits stands in its own folder; here they are listed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .board.driver import emit_driver
from .board.readme import emit_readme
from .design import Design
from .hls.emit import emit_hls
from .rtl.accelerator import emit_accelerator
from .rtl.sim import emit_sim
from .vivado.emit import emit_vivado

Files = Mapping[str, str | bytes]
EMITTERS: tuple[Callable[[Design], Files], ...] = (
    lambda design: emit_hls(design.schedule), lambda design: design.rtl, emit_accelerator,
    lambda design: emit_sim(design.schedule), emit_vivado, emit_driver, emit_readme,
)  # fmt: skip


def emit(design: Design) -> dict[str, bytes]:
    """Every file of the project, by its path in it."""
    parts = (emitter(design) for emitter in EMITTERS)
    return {path: text.encode() if isinstance(text, str) else text for part in parts for path, text in part.items()}
