"""Parameters and multiply-accumulates (MACs) of a network: the one definition, without torch.

Two conventions. The paper counts, for a decomposed layer, Ho*Wo*(C_in*d*kh*kw + nnz) MACs, and as parameters non-zero
coefficients and bases: names with `paper_` and `all_`. An accelerator does not compute basis maps that no coefficient
reads, and needs biases and BatchNorm as well: names without, and with `read_`. Indices count in `bits` only.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2


@dataclass(frozen=True, kw_only=True)
class LayerCount:
    """The weights of one convolution or linear layer. MACs are per image.

    inputs, outputs: channels. kernel: rows, columns; (1, 1) for a linear layer. pixels: Ho*Wo, 1 for a linear layer.
    dense: weights that a dense layer of this shape has. nonzero: coefficients (decomposed) or weights that are not 0.
    bases: d, 0 for a layer that is not decomposed. read_maps: basis maps (input channel, basis) that some coefficient
    reads. name: the layer's in its network, "" where it stands alone.
    """

    inputs: int
    outputs: int
    kernel: tuple[int, int]
    pixels: int
    dense: int
    nonzero: int
    bases: int = 0
    read_maps: int = 0
    name: str = ""

    @property
    def taps(self) -> int:
        """kh*kw."""
        return self.kernel[0] * self.kernel[1]

    @property
    def all_maps(self) -> int:
        """C_in*d."""
        return self.inputs * self.bases

    @property
    def stored(self) -> int:
        """Coefficients (decomposed) or weights, zeros included."""
        return self.dense // self.taps * self.bases if self.bases else self.dense

    @property
    def basis(self) -> int:
        """Numbers in the bases, zeros included."""
        return self.bases * self.taps

    @property
    def dense_macs(self) -> int:
        return self.pixels * self.dense

    @property
    def sparse_macs(self) -> int:
        """One for each pixel and each coefficient or weight that is not 0."""
        return self.pixels * self.nonzero

    @property
    def all_basis_macs(self) -> int:
        """Ho*Wo*C_in*d*kh*kw: basis convolutions, as the paper counts them."""
        return self.pixels * self.all_maps * self.taps

    @property
    def read_basis_macs(self) -> int:
        """As `all_basis_macs`, of the maps that are read."""
        return self.pixels * self.read_maps * self.taps

    @property
    def paper_macs(self) -> int:
        return self.all_basis_macs + self.sparse_macs

    @property
    def macs(self) -> int:
        return self.read_basis_macs + self.sparse_macs

    @property
    def index_bits(self) -> int:
        """A column index for each non-zero and one end-of-row bit."""
        columns = self.stored // self.outputs
        return self.nonzero * (max(1, ceil(log2(columns))) + 1)


@dataclass(frozen=True)
class Count:
    """Layers with weights, and `other`: all other parameters (biases, BatchNorm's scale and shift). Counts add up."""

    layers: tuple[LayerCount, ...] = ()
    other: int = 0

    def __add__(self, more: Count) -> Count:
        return Count(self.layers + more.layers, self.other + more.other)

    @property
    def paper_parameters(self) -> int:
        """Non-zero weights and coefficients, and bases."""
        return sum(layer.nonzero + layer.basis for layer in self.layers)

    @property
    def parameters(self) -> int:
        """As `paper_parameters`, with biases and BatchNorm's scale and shift."""
        return self.paper_parameters + self.other

    @property
    def dense_parameters(self) -> int:
        """What the same shapes have when dense."""
        return sum(layer.dense for layer in self.layers) + self.other

    @property
    def dense_macs(self) -> int:
        return sum(layer.dense_macs for layer in self.layers)

    @property
    def sparse_macs(self) -> int:
        return sum(layer.sparse_macs for layer in self.layers)

    @property
    def read_basis_macs(self) -> int:
        return sum(layer.read_basis_macs for layer in self.layers)

    @property
    def paper_macs(self) -> int:
        """Sparse MACs and those of all basis maps."""
        return sum(layer.paper_macs for layer in self.layers)

    @property
    def macs(self) -> int:
        """Sparse MACs and those of the basis maps that are read."""
        return sum(layer.macs for layer in self.layers)

    def bits(self, coefficient: int = 8, basis: int = 8, other: int = 32) -> int:
        """Storage with everything in it: coefficients, sparse with indices or dense, whichever is smaller; bases; all
        else at `other` bits."""
        weights = sum(
            min(layer.nonzero * coefficient + layer.index_bits, layer.stored * coefficient) + layer.basis * basis
            for layer in self.layers
        )
        return weights + self.other * other
