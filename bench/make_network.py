"""A PENNI network of a given shape for hardware figures, without training: for cycles and resources, not for accuracy.

    python bench/make_network.py --arch vgg16 -d 5 --sparsity 0.98 -o build/vgg16.penni

Seeded random weights are decomposed into `d` bases per layer and pruned by magnitude, as `penni-hls compress --score
magnitude` does it, until `sparsity` of the coefficients and 1x1 weights are zero; channels that nothing reads or writes
are removed. The statistics of BatchNorm are those of random images. Which coefficients are zero is thus a matter of
chance, evenly in all layers; trained networks keep more in the first layers and fewer in the last.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import nn

from penni_hls.compression.count import count
from penni_hls.compression.decompose import decompose
from penni_hls.compression.prune import apply_masks, by_score, magnitude_scores, parameter_prices, sparse_matrices
from penni_hls.compression.shrink import shrink
from penni_hls.data import CIFAR10_MEAN, CIFAR10_STD
from penni_hls.recipes.storage import store
from penni_hls.zoo.models import ARCHITECTURES, build

SHAPE = (3, 32, 32)
BATCHES, BATCH = 2, 64  # of random images, for the statistics of BatchNorm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", choices=ARCHITECTURES, default="vgg16")
    parser.add_argument("-d", type=int, default=5, help="bases per layer")
    parser.add_argument("--sparsity", type=float, default=0.98, help="the share of coefficients that are zero")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, required=True, help=".penni, .pt or .safetensors")
    options = parser.parse_args()
    model, (kept, of) = random_network(options.arch, options.d, options.sparsity, options.seed)
    store(options.output, model, CIFAR10_MEAN, CIFAR10_STD)
    counted = count(model, SHAPE)
    print(
        f"{options.output}: {options.arch}, d = {options.d}, untrained, for hardware figures only: {kept:,} of {of:,}"
        f" coefficients ({100 * (1 - kept / of):.1f} % zero), {counted.sparse_macs / 1e6:.2f} M sparse MACs"
    )


def random_network(arch: str, d: int, sparsity: float, seed: int) -> tuple[nn.Module, tuple[int, int]]:
    """The network, in evaluation mode; its non-zero coefficients and 1x1 weights, and how many there were to prune."""
    if not 0 <= sparsity < 1:
        raise SystemExit(f"sparsity {sparsity}: it is a share, at least 0 and below 1")
    torch.manual_seed(seed)
    model = decompose(build(arch), d)
    size = sum(matrix.numel() for matrix in sparse_matrices(model).values())
    prices = parameter_prices(count(model, SHAPE))
    apply_masks(model, by_score(magnitude_scores(model), prices, (1 - sparsity) * size))
    record_statistics(model)
    small = shrink(model, torch.zeros(1, *SHAPE)).eval()
    return small, (sum(int(matrix.count_nonzero()) for matrix in sparse_matrices(small).values()), size)


@torch.no_grad()
def record_statistics(model: nn.Module) -> None:
    """Give each BatchNorm the mean and variance that it sees in random images, normalised as CIFAR-10's."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
    model.train()
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (CIFAR10_MEAN, CIFAR10_STD))
    for _ in range(BATCHES):
        model((torch.rand(BATCH, *SHAPE) - mean) / std)
    model.eval()


if __name__ == "__main__":
    main()
