"""What the backends emit a project from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from ..schedule import Schedule
from .rtl.emit import emit_rtl, hand_written
from .shell import Shell


@dataclass(frozen=True, eq=False)
class Design:
    """A planned network with its name and what people are told of it.

    network: one line that describes it. logit_scale: what one step of the results is worth. notes: what the user should
    know of how the numbers were chosen. shell: what is chosen of the ports to the board.
    """

    name: str
    network: str
    schedule: Schedule
    logit_scale: float
    notes: tuple[str, ...]
    shell: Shell = Shell()

    @cached_property
    def rtl(self) -> dict[str, str]:
        """The files of rtl/ that make the network's top."""
        return emit_rtl(self.schedule, self.shell.counters)

    @cached_property
    def digest(self) -> str:
        """128 bits in hexadecimal: of the network's RTL with its memory images, and of what its results are worth.

        A bitstream holds it, whichever backend it was made by, and so does the driver.
        """
        common, found = hand_written(), hashlib.sha256(repr(self.logit_scale).encode())
        for path in sorted(self.rtl.keys() - common.keys()):
            for text in (path, self.rtl[path]):
                found.update(f"\n{len(text)} {text}".encode())
        return found.hexdigest()[:32]
