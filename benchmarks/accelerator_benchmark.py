r"""Training steps of exported programs on an accelerator, beside pix2pix in PyTorch.

  python3 benchmarks/accelerator_benchmark.py PROGRAM... [--minutes=8]

Runs where the accelerator is, with the Python that has JAX (and PyTorch, for the peer;
without, its lines are left out). Each contender has a process of its own, one after the
other on the same card. Make the programs before, where the project is:

  for b in 1 16 64; do bazel run //training:export_program -- --config=paper \\
    --data_dir=R --output_dir=paper$b --config.training.batch_size=$b \\
    --config.training.precision=mixed_bfloat16; done
"""

import argparse
import importlib.util
import json
import pathlib
import re
import subprocess
import sys
import time
from typing import Optional

_HEADS = ("one by one", "queued", "with data", "GiB", "compile s", "x pix2pix in PyTorch")
_PEER = pathlib.Path(__file__).with_name("pix2pix_torch.py")


def run(command: list[str], seconds: float) -> Optional[str]:
    """Returns what a command prints; None, and why, where it fails or takes too long."""
    try:
        found = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=max(seconds, 1),
        )
    except subprocess.TimeoutExpired:
        print(f"left out, no time: {' '.join(command)}", flush=True)
        return None
    if found.returncode:
        print(f"failed: {' '.join(command)}\n{found.stdout[-600:]}", flush=True)
        return None
    return found.stdout


def read_bench(text: str) -> dict[str, float]:
    """Reads what the runner's --bench prints."""
    numbers = {
        name: float(value.replace(",", ""))
        for value, name in re.findall(r"([\d,.]+) (one by one|queued|with data|GiB)", text)
    }
    compiled = re.search(r"train_step: compiled in (\d+) s", text)
    return {**numbers, "compile s": float(compiled[1]) if compiled else float("nan")}


def main() -> None:
    """Reads the command line, measures and prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("programs", nargs="+", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--steps", type=int, default=30)
    args = parser.parse_args()
    end = time.monotonic() + 60 * args.minutes
    rows: dict[tuple[int, str], dict[str, float]] = {}
    batches = set()
    for folder in args.programs:
        meta = json.loads((folder / "program.json").read_text())
        batches.add((meta["batch_size"], meta["image_size"]))
        command = [sys.executable, str(folder / "run_program.py"), str(folder)]
        text = run([*command, f"--bench={args.steps}"], end - time.monotonic())
        if text:
            print(text.strip(), flush=True)
            rows[(meta["batch_size"], folder.name)] = read_bench(text)
    torch = importlib.util.find_spec("torch") is not None
    for batch, size in sorted(batches) if torch else ():
        for flags in ([], ["--compile"]):
            peer = [sys.executable, str(_PEER), f"--batch_size={batch}", f"--image_size={size}"]
            text = run([*peer, *flags], end - time.monotonic())
            if text:
                found = json.loads(text.strip().splitlines()[-1])
                keys = ("one_by_one", "queued", "gib", "compile_seconds")
                name = f"pix2pix PyTorch {'compiled' if flags else 'eager'}"
                heads = ("one by one", "queued", "GiB", "compile s")
                rows[(batch, name)] = dict(zip(heads, (found[key] for key in keys)))
    print(table(rows))


def table(rows: dict[tuple[int, str], dict[str, float]]) -> str:
    """Returns a line per contender, images/s by its best peer of the same batch beside it."""
    lines = [f"{'batch':>5} {'':28}" + "".join(f"{head:>12}" for head in _HEADS)]
    for (batch, name), row in sorted(rows.items()):
        peers = [other["queued"] for (b, n), other in rows.items() if b == batch and "PyTorch" in n]
        if peers:
            row = {**row, _HEADS[-1]: row["queued"] / max(peers)}
        cells = [f"{row[head]:12,.2f}" if head in row else " " * 11 + "-" for head in _HEADS]
        lines.append(f"{batch:>5} {name:28}" + "".join(cells))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
