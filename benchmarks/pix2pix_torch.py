"""Plain pix2pix in PyTorch: images/s of a training step on a GPU.

  python3 benchmarks/pix2pix_torch.py --batch_size=16 [--compile] [--image_size=256]

Isola et al. 2017, section 6.1, with its two losses (GAN, l1), in bfloat16 with what makes
PyTorch quick: channels-last memory, fused Adam, cuDNN's own choice of algorithm. Needs
PyTorch alone. The last line is JSON.
"""

import argparse
import json
import statistics
import time

import torch
from torch import nn
from torch.nn import functional

_FULL = 8  # widest layers, in base filters


def block(inputs: int, outputs: int, up: bool, norm: bool = True) -> nn.Sequential:
    """Activation, 4x4 convolution of stride 2 (transposed: up) and normalization."""
    convolution = (nn.ConvTranspose2d if up else nn.Conv2d)(inputs, outputs, 4, 2, 1, bias=not norm)
    activation = nn.ReLU() if up else nn.LeakyReLU(0.2)
    layers = [activation, convolution] + ([nn.InstanceNorm2d(outputs)] if norm else [])
    return nn.Sequential(*layers)


class Generator(nn.Module):
    """The U-Net, halved down to one pixel."""

    def __init__(self, size: int, base: int = 64):
        super().__init__()
        levels = size.bit_length() - 1
        widths = [base * min(2**level, _FULL) for level in range(levels)]
        self.first = nn.Conv2d(3, base, 4, 2, 1)
        self.down = nn.ModuleList(
            block(one, two, False, norm=number < levels - 2)
            for number, (one, two) in enumerate(zip(widths, widths[1:]))
        )
        self.up = nn.ModuleList()
        for level in reversed(range(levels)):
            inputs = widths[level] * (1 if level == levels - 1 else 2)
            self.up.append(block(inputs, widths[level - 1] if level else 3, True, norm=level > 0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps a semantic map to an image."""
        skips = [self.first(x)]
        for layer in self.down:
            skips.append(layer(skips[-1]))
        x = self.up[0](skips.pop())
        for number, layer in enumerate(self.up[1:]):
            if number < 3:
                x = functional.dropout(x, 0.5)
            x = layer(torch.cat([x, skips.pop()], 1))
        return torch.tanh(x)


def discriminator(base: int = 64) -> nn.Sequential:
    """The PatchGAN of 70x70, on map and image side by side."""
    return nn.Sequential(
        nn.Conv2d(6, base, 4, 2, 1),
        block(base, 2 * base, False),
        block(2 * base, 4 * base, False),
        nn.LeakyReLU(0.2),
        nn.Conv2d(4 * base, 8 * base, 4, 1, 1, bias=False),
        nn.InstanceNorm2d(8 * base),
        nn.LeakyReLU(0.2),
        nn.Conv2d(8 * base, 1, 4, 1, 1),
    )


def measure(batch: int, size: int, compiled: bool, steps: int) -> dict[str, float]:
    """Returns images/s one by one and queued, memory and the seconds of the first step."""
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    form = {"device": "cuda", "memory_format": torch.channels_last}
    painter, judge = Generator(size).to(**form), discriminator().to(**form)
    optimizers = [
        torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999), fused=True)
        for network in (painter, judge)
    ]
    paint, decide = (torch.compile(n) if compiled else n for n in (painter, judge))
    maps, images = (torch.rand(batch, 3, size, size).to(**form) * 2 - 1 for _ in range(2))

    def game(logits: torch.Tensor, real: bool) -> torch.Tensor:
        return functional.softplus(-logits if real else logits).float().mean()

    def step() -> None:
        with torch.autocast("cuda", torch.bfloat16):
            fake = paint(maps)
            shown = [torch.cat([maps, one], 1) for one in (images, fake.detach())]
            loss = (game(decide(shown[0]), True) + game(decide(shown[1]), False)) / 2
        optimizers[1].zero_grad(set_to_none=True)
        loss.backward()
        optimizers[1].step()
        judge.requires_grad_(False)
        with torch.autocast("cuda", torch.bfloat16):
            fooled = game(decide(torch.cat([maps, fake], 1)), True)
            loss = fooled + 100 * (images - fake).abs().mean()
        optimizers[0].zero_grad(set_to_none=True)
        loss.backward()
        optimizers[0].step()
        judge.requires_grad_(True)

    def seconds(count: int) -> float:
        torch.cuda.synchronize()
        started = time.perf_counter()
        for _ in range(count):
            step()
        torch.cuda.synchronize()
        return time.perf_counter() - started

    first = seconds(1)
    seconds(5)
    single = statistics.median(seconds(1) for _ in range(steps))
    queued = seconds(steps) / steps
    return {
        "one_by_one": batch / single,
        "queued": batch / queued,
        "gib": torch.cuda.max_memory_allocated() / 2**30,
        "compile_seconds": first,
    }


def main() -> None:
    """Reads the command line and measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--image_size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    print(json.dumps(measure(args.batch_size, args.image_size, args.compile, args.steps)))


if __name__ == "__main__":
    main()
