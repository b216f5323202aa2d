"""The accelerator of this folder, from Python on a PYNQ board.

    from penni import Accelerator
    with Accelerator() as accelerator:              # loads penni.bit of this folder
        results = accelerator.predict(images)       # uint8 (N, H, W, C) -> float32 (N, classes)

From a shell: `python3 penni.py --help`. Raw pixels go in: mean and deviation are part of the first layer. README.md in this
folder says more. Needs PYNQ 3.0 or later; nothing else but numpy.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from penni_board import MOST_BYTES, AxiDma, Board, BoardError, Channel, PynqBoard
from penni_core import AcceleratorError, Core, Counters, Model

HERE = Path(__file__).resolve().parent
BATCH = 64  # images of one transfer, unless it is said otherwise
PATIENCE = 1.0, 10.0  # seconds, and times what is predicted, until a transfer is given up
LONGEST_NAP = 1e-3  # seconds between two looks at a transfer


class AcceleratorTimeout(AcceleratorError, TimeoutError):
    """A transfer did not end in time. The message tells what the accelerator's counters say; it has been reset."""


@dataclass(frozen=True)
class Throughput:
    """What `throughput_test` measured. The clock is measured with a watch; the share of the time in which the accelerator
    was starved or blocked is the DMA engine's and the processor's."""

    images: int
    seconds: float
    clock_mhz: float
    counters: Counters
    predicted_cycles: int

    @property
    def images_per_second(self) -> float:
        return self.images / self.seconds

    @property
    def cycles_per_image(self) -> float:
        """Of the whole, with all that is around the accelerator."""
        return self.counters.cycles / self.images

    @property
    def hardware_cycles(self) -> float:
        """Per image, in which the accelerator could go on: busy, neither starved nor blocked."""
        return (self.counters.busy - self.counters.starved - self.counters.blocked) / self.images

    @property
    def predicted_rate(self) -> float:
        """Images per second at the measured clock, by the model of the pipeline."""
        return self.clock_mhz * 1e6 / self.predicted_cycles

    def __str__(self) -> str:
        counters = self.counters
        share = {name: 100 * getattr(counters, name) / counters.cycles for name in ("busy", "starved", "blocked")}
        return (
            f"{self.images} images in {self.seconds:.3f} s: {self.images_per_second:,.1f} images/s at"
            f" {self.clock_mhz:.2f} MHz (measured)\n"
            f"predicted {self.predicted_rate:,.1f} images/s, {self.predicted_cycles:,} cycles per image; measured"
            f" {self.cycles_per_image:,.0f}, of which {self.hardware_cycles:,.0f} neither starved nor blocked\n"
            f"accelerator busy {share['busy']:.1f} % of the time, starved {share['starved']:.1f} %,"
            f" blocked {share['blocked']:.1f} %"
        )


@dataclass
class _Slot:
    """A pair of buffers: pixels of a batch, its results."""

    pixels: Any
    results: Any


_KEPT: list[tuple[_Slot, ...]] = []  # buffers of an engine that does not stop


class Accelerator:
    """The accelerator in a loaded bitstream. Use it in a `with` statement, or `close` it.

    A call that ends early (an error, a time-out, Ctrl-C, a stream that is left) resets DMA engine and accelerator, and the
    next call works. A new call ends a stream that is still open. Not for several threads at once.
    """

    def __init__(
        self, bitfile: str | Path = HERE / "penni.bit", *, timeout: float | None = None, board: Board | None = None,
        model: Model | None = None,
    ) -> None:  # fmt: skip
        """Load `bitfile`, set its clock and check that it holds this folder's network.

        timeout: seconds until a transfer is given up; None: a second and ten times what is predicted. board: instead of
        PYNQ's. model: instead of what penni.json says. AcceleratorError where the bitstream holds something else.
        """
        self.model = Model.read(HERE / "penni.json") if model is None else model
        self._board = PynqBoard(str(bitfile)) if board is None else board
        self._timeout, self._size = timeout, 0
        self._slots: tuple[_Slot, ...] = ()
        self._run: object | None = None  # of the call that uses the accelerator, or that left it as it was
        self._dma, self._core = AxiDma(self._board), Core(self._board, self.model)
        self._core.set_clock()
        self.reset()

    @property
    def clock_mhz(self) -> float:
        """The accelerator's clock, as the board reads it back."""
        return self._core.clock_mhz

    def __enter__(self) -> Accelerator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop what is under way and give the buffers back. The bitstream stays; a later call allocates anew."""
        if self._run is not None:
            self.reset()
        self._free()

    def __del__(self) -> None:
        if getattr(self, "_slots", ()):
            try:
                self.close()
            except BoardError:
                _KEPT.append(self._slots)  # the engine may still write there

    # ---- what it computes --------------------------------------------------------------------------------------------

    def logits(self, images: np.ndarray, batch: int = BATCH) -> np.ndarray:
        """images uint8 (N, H, W, C) -> integer results int32 (N, *result); `model.logit_scale` is what a step is worth.

        batch: images of one transfer. ValueError for other images.
        """
        images = self._checked(images)
        size = self._limited(batch)
        parts = (images[start : start + size] for start in range(0, len(images), size))
        found = list(self._batches(parts, size))
        return np.concatenate(found) if found else np.empty((0, *self.model.result), np.int32)

    def predict(self, images: np.ndarray, batch: int = BATCH) -> np.ndarray:
        """images uint8 (N, H, W, C) -> float32 (N, *result)."""
        return self._scaled(self.logits(images, batch))

    def classify(self, images: np.ndarray) -> np.ndarray:
        """images uint8 (N, H, W, C) -> numbers of the most likely classes, int64 (N,)."""
        self._check_vector()
        return self.logits(images).argmax(axis=1)

    def topk(
        self, images: np.ndarray, labels: Sequence[str] | None = None, k: int = 5
    ) -> list[list[tuple[str | int, float]]]:
        """The k most likely classes of each image, the first the most likely: (label, logit); (number, logit) without labels.

        images uint8 (N, H, W, C). Equal logits: the lower number first.
        """
        self._check_vector()
        (classes,) = self.model.result
        if labels is not None and len(labels) != classes:
            raise ValueError(f"{len(labels)} labels for {classes} classes")
        names: Sequence[str | int] = range(classes) if labels is None else labels
        rows = self.predict(images)
        best = np.argsort(-rows, axis=1, kind="stable")[:, :k]
        return [[(names[i], float(row[i])) for i in order] for row, order in zip(rows, best)]

    def stream(self, images: Iterable[np.ndarray], batch: int = 1) -> Iterator[np.ndarray]:
        """One result, float32 (*result), for each image, uint8 (H, W, C), in their order.

        While one batch is computed the next is fetched from `images`, so the first result comes when 2 * batch images have
        been fetched. Leave it early as any generator: the accelerator is then reset.
        """
        size, source = self._limited(batch), iter(images)

        def parts() -> Iterator[np.ndarray]:
            while part := list(itertools.islice(source, size)):
                yield self._checked(np.stack(part))

        for results in self._batches(parts(), size):
            yield from self._scaled(results)

    def validate(self) -> str:
        """Run the images of validate.npz and compare every result. A line that says so; AcceleratorError where one differs."""
        with np.load(HERE / "validate.npz", allow_pickle=False) as archive:
            images, expected = archive["images"], archive["expected"]
        found = self.logits(images)
        wrong = np.argwhere(found != expected)
        if len(wrong):
            image, *place = map(int, wrong[0])
            where = f"result {tuple(place)} of image {image}"
            raise AcceleratorError(
                f"{len(wrong)} of {expected.size} results differ, the first is {where}: {found[tuple(wrong[0])]}, not"
                f" {expected[tuple(wrong[0])]}; timing may not be met: look at the slack that 'penni-hls build' told"
            )
        return f"{len(images)} images, {expected.size} results: all as expected"

    def throughput_test(self, images: int = 1024, batch: int = BATCH) -> Throughput:
        """Run `images` random images and measure: clock, rate, and where the time goes. `print` what it gives."""
        size = self._limited(batch)
        count = -(-images // size)
        part = np.random.default_rng(0).integers(0, 256, (size, *self.model.image), np.uint8)
        for _ in self._batches((part for _ in range(2)), size):
            pass  # buffers are there and caches warm
        before, start = self.counters(), self._board.now()
        for _ in self._batches((part for _ in range(count)), size):
            pass
        seconds, counters = self._board.now() - start, self.counters() - before
        return Throughput(count * size, seconds, counters.cycles / seconds / 1e6, counters, self.model.cycles_per_image)

    # ---- what it tells -----------------------------------------------------------------------------------------------

    def counters(self) -> Counters:
        """What the accelerator has counted since the bitstream was loaded."""
        return self._core.counters()

    def operator_counters(self) -> dict[str, tuple[int, int]]:
        """(starved, blocked) cycles of each operator, modulo 2^32; {} unless the project was generated with --counters."""
        return self._core.operator_counters()

    def reset(self) -> None:
        """Stop the DMA engine and empty the accelerator, whatever they are doing. Calls do this themselves after an error."""
        self._core.hold_reset()
        self._dma.reset()
        self._core.release()
        self._dma.run()
        self._run = None

    # ---- how it works ------------------------------------------------------------------------------------------------

    def _batches(self, parts: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
        """Each part, uint8 (n <= size, H, W, C), through the accelerator: int32 (n, *result), in order.

        While one part is computed, the next is copied and sent; the engine has one send and one receive for each.
        """
        self._prepare(size)
        run = self._run = object()
        begun, before = self.counters(), 0  # images of the part whose receive is under way; 0: there is none
        try:
            for index, part in enumerate(parts):
                self._check_run(run)
                new, old = self._slots[index % 2], self._slots[1 - index % 2]
                new.pixels[: len(part)] = part
                new.pixels.flush()
                if before:
                    self._wait(self._dma.send, before, begun)
                self._dma.send.start(new.pixels, part.nbytes)
                if before:
                    self._wait_results(before, begun)
                self._dma.receive.start(new.results, len(part) * self._result_bytes)
                if before:
                    yield self._taken(old, before)
                    self._check_run(run)
                before = len(part)
            if before:
                self._wait(self._dma.send, before, begun)
                self._wait_results(before, begun)
            self._run = None
        finally:
            if self._run is run:
                self._recover()
        if before:
            yield self._taken(self._slots[index % 2], before)

    def _prepare(self, size: int) -> None:
        """An idle accelerator, and buffers for `size` images. They stay until `close`: no transfer outlives its buffer."""
        if self._run is not None:
            self.reset()
        if size > self._size:
            self._free()
            self._slots = tuple(
                _Slot(
                    self._board.allocate((size, *self.model.image), np.uint8),
                    self._board.allocate((size, *self.model.result), np.int32),
                )
                for _ in range(2)
            )
            self._size = size

    def _free(self) -> None:
        slots, self._slots, self._size = self._slots, (), 0
        for slot in slots:
            slot.pixels.freebuffer()
            slot.results.freebuffer()

    def _recover(self) -> None:
        """Reset after a call that has ended early; where that fails, the next call tries again and tells."""
        try:
            self.reset()
        except BoardError:
            pass

    def _check_run(self, run: object) -> None:
        if self._run is not run:
            raise AcceleratorError(
                "another call has ended this stream; open one stream at a time, and finish or close it"
            )

    def _taken(self, slot: _Slot, images: int) -> np.ndarray:
        """A copy of the results of the first images of a slot."""
        slot.results.invalidate()
        return np.array(slot.results[:images])

    def _wait_results(self, images: int, begun: Counters) -> None:
        self._wait(self._dma.receive, images, begun)
        got, due = self._dma.receive.received(), images * self._result_bytes
        if got != due:
            raise AcceleratorError(
                f"{got} bytes of results for {images} images, not {due}; {self._state(begun)}; make the bitstream anew"
            )

    def _wait(self, channel: Channel, images: int, begun: Counters) -> None:
        """Until a transfer of so many images has ended."""
        predicted = (images * self.model.cycles_per_image + self.model.latency) / (self.clock_mhz * 1e6)
        start, pause = self._board.now(), min(predicted / 200, LONGEST_NAP)
        limit = PATIENCE[0] + PATIENCE[1] * predicted if self._timeout is None else self._timeout
        while not channel.done():
            (self._dma.receive if channel is self._dma.send else self._dma.send).done()  # no error there, either
            if self._board.now() - start > limit:
                what = "send pixels" if channel is self._dma.send else "receive results"
                raise AcceleratorTimeout(
                    f"the DMA engine did not {what} of {images} images within {limit:.3g} s: {self._state(begun)}"
                )
            self._board.sleep(pause)

    def _state(self, begun: Counters) -> str:
        return f"{self._core.state(begun)}; {self._dma}"

    def _checked(self, images: np.ndarray) -> np.ndarray:
        images, shape = np.asarray(images), self.model.image
        if images.dtype != np.uint8 or images.shape[1:] != shape:
            raise ValueError(
                f"images are {images.dtype} {images.shape}; uint8 (N, {', '.join(map(str, shape))}) is needed"
            )
        return images

    def _limited(self, batch: int) -> int:
        """Images of one transfer: what was asked for, or as many as the DMA engine can count."""
        if batch < 1:
            raise ValueError(f"a batch of {batch} images; at least 1 is needed")
        return max(1, min(batch, MOST_BYTES // max(math.prod(self.model.image), self._result_bytes)))

    def _check_vector(self) -> None:
        if len(self.model.result) > 1:
            raise ValueError(f"the result is a map {self.model.result}, not a value per class; use predict")

    @property
    def _result_bytes(self) -> int:
        return 4 * math.prod(self.model.result)

    def _scaled(self, logits: np.ndarray) -> np.ndarray:
        return logits.astype(np.float32) * np.float32(self.model.logit_scale)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="penni.py", description="The accelerator of this folder, on a PYNQ board.")
    parser.add_argument("images", nargs="?", help="an .npz file with 'images', uint8 (N, H, W, C)")
    parser.add_argument(
        "results", nargs="?", help="an .npz file to write, with 'results', float32; else classes are printed"
    )
    parser.add_argument(
        "--bitfile", default=str(HERE / "penni.bit"), help="the bitstream, with its .hwh file beside it"
    )
    parser.add_argument("--validate", action="store_true", help="run validate.npz and compare every result")
    parser.add_argument("--throughput", type=int, metavar="N", help="run N random images and print rate and counters")
    given = parser.parse_args(arguments)
    if given.images is None and not given.validate and given.throughput is None:
        parser.error("what to do? IMAGES.npz, --validate or --throughput N")
    try:
        with Accelerator(given.bitfile) as accelerator:
            if given.images is not None and given.results is None:
                accelerator._check_vector()
            print(f"{accelerator.model.name} at {accelerator.clock_mhz:.2f} MHz", file=sys.stderr)
            if given.validate:
                print(accelerator.validate())
            if given.throughput is not None:
                print(accelerator.throughput_test(given.throughput))
            if given.images is not None:
                with np.load(given.images, allow_pickle=False) as archive:
                    images = archive["images"]
                if given.results is None:
                    print(*accelerator.classify(images), sep="\n")
                else:
                    np.savez(given.results, results=accelerator.predict(images))
    except (OSError, KeyError, ValueError, BoardError) as error:
        sys.exit(f"penni.py: {error}")


if __name__ == "__main__":
    main()
