"""A project's network under one of the engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import numpy as np

from ..backends.engines import Simulation, engine_of
from ..project import Project, results
from .images import check_images, choose_images

Stage = Callable[[str], None]


def simulate(
    project: Project,
    engine: str,
    images: np.ndarray | None = None,
    *,
    count: int | None = None,
    layer: str | None = None,
    stage: Stage = lambda name: None,
    **options: object,
) -> Simulation:
    """Run `engine` (a name in backends.engines.ENGINES) and compare with the reference.

    images: uint8 (N, H, W, C); None: noise. layer: one operator alone. options: those of the engine, as `bounded=True`.
    """
    chosen = engine_of(engine, options)
    if images is None:
        images, _ = choose_images(project, chosen.count, None, None, count)
    images = check_images(images[:count], project.graph)
    own = {option.name for option in chosen.options}
    given = {name: value for name, value in options.items() if name in own}
    found = chosen.run(project, images, layer, stage=stage, **given)
    if layer is None and not given.get("netlist"):
        results.save(
            project, f"simulate-{engine}", found.as_dict() | {"windows": found.profile and asdict(found.profile)}
        )
    return found
