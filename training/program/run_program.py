#!/usr/bin/env python3
"""Trains an exported program on any device that JAX knows, with JAX, NumPy and Pillow alone.

  python3 PROGRAM/run_program.py PROGRAM --output_dir=OUT [--steps=N] [--seconds=S]
  python3 PROGRAM/run_program.py PROGRAM --output_dir=OUT --resume
  python3 PROGRAM/run_program.py PROGRAM --output_dir=OUT --features
  python3 PROGRAM/run_program.py PROGRAM --bench=30

`//training:export_program` wrote PROGRAM, and this file with it. What it writes to OUT
goes home with `//training:import_program`. The training is a function of the program
and the step: stopped and resumed, it is the same on one type of device. With --seconds
alone the schedule's length is measured: it ends when the time does.
"""

import argparse
import json
import math
import pathlib
import signal
import sys
import threading
import time
import zipfile
from typing import Optional

import jax
import numpy as np
from PIL import Image

# Beside this file, wherever it was copied to.
from runner import crops, features
from runner.batches import Batches
from runner.device import TESTED, Program, ProgramError, read_meta, say

_MARKER = "output.json"
_TIMED = 10**9  # steps; a schedule whose end is not known yet


class Output:
    """What a training writes: checkpoints, losses, sample grids."""

    def __init__(self, folder: pathlib.Path, program: Program, resume: bool, keep: int):
        """Begins an output or, to `resume`, brings the program to its last checkpoint.

        Raises:
          ProgramError: it is not empty, or not of this program.
        """
        self.folder, self.program, self.keep = folder, program, keep
        self._marker = {"program": program.digest, "jax": jax.__version__}
        if resume:
            if not (folder / _MARKER).is_file():
                raise ProgramError(f"{folder}: nothing to resume; it has no {_MARKER}")
            try:
                found = json.loads((folder / _MARKER).read_text())
            except ValueError as error:
                raise ProgramError(f"{folder / _MARKER}: damaged ({error})") from error
            if found["program"] != program.digest:
                raise ProgramError(f"{folder}: was made by another program than this one")
            self._marker = {**found, **self._marker}
            self._restore(self.checkpoints())
        elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ProgramError(
                f"{folder}: not empty; choose another --output_dir, or --resume what is there"
            )
        for name in ("checkpoints", "samples"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._write_marker()
        path, step = folder / "metrics.jsonl", program.step
        lines = path.read_text().splitlines(True) if path.exists() else []
        # Not those of steps that will be taken again, nor one cut short by a kill.
        whole = [line for line in lines if line.endswith("\n")]
        path.write_text("".join(line for line in whole if json.loads(line)["step"] <= step))

    def restore_average(self) -> None:
        """Brings the averaged generator to the last that was saved.

        Raises:
          ProgramError: there is none.
        """
        if not self.checkpoints() and not self._restore([self._average] * self._average.is_file()):
            raise ProgramError(f"{self.folder}: no checkpoint to paint with")

    def check_trainable(self) -> None:
        """Raises ProgramError if only the averaged generator was saved."""
        if self._average.is_file() and not self.checkpoints():
            raise ProgramError(f"{self._average}: cannot be trained on; it is no checkpoint")

    @property
    def _average(self) -> pathlib.Path:
        return self.folder / "ema.npz"

    def _restore(self, paths: list[pathlib.Path]) -> bool:
        """Takes the last of the files that is whole; returns whether there is one.

        Raises:
          ProgramError: there are files, but none is whole.
        """
        for path in reversed(paths):
            try:
                with np.load(path) as arrays:
                    self.program.restore(arrays)
                return True
            except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
                damage = f"{path}: cannot be read ({error})"
                say(damage)
        if paths:
            raise ProgramError(damage)
        return False

    def _write_marker(self) -> None:
        (self.folder / _MARKER).write_text(json.dumps(self._marker) + "\n")

    def checkpoints(self) -> list[pathlib.Path]:
        """Returns the checkpoints, oldest first."""
        return sorted((self.folder / "checkpoints").glob("step_*.npz"))

    def describe(self, clock: "Clock") -> None:
        """Records how the end of the schedule was found."""
        how = "measured from --seconds" if clock.timed else "given"
        self._marker |= {"total_steps": clock.total, "schedule": how}
        self._write_marker()

    def save(self) -> pathlib.Path:
        """Writes all variables; the oldest checkpoints go."""
        path = self.folder / "checkpoints" / f"step_{self.program.step:09d}.npz"
        features.write_npz(path, self.program.arrays())
        for old in self.checkpoints()[: -self.keep]:
            old.unlink()
        return path

    def save_average(self) -> pathlib.Path:
        """Writes the averaged generator (and encoder) alone, in half floats, and the step."""
        halves = {
            name: value.astype(np.float16) if value.dtype == np.float32 else value
            for name, value in self.program.arrays().items()
            if name.startswith("ema_") or name in ("step", "total_steps")
        }
        features.write_npz(self._average, halves)
        return self._average

    def log(self, step: int, images_per_second: float) -> dict[str, float]:
        """Writes a line of losses, which begin anew.

        Raises:
          ProgramError: one of them is not finite.
        """
        means = finite(step, self.program.means(reset=True))
        means["images_per_second"] = images_per_second
        for player in ("generator", "discriminator"):
            rate = self.program.get(f"{player}_learning_rate")
            means[f"{player}_learning_rate"] = float(rate)
        with open(self.folder / "metrics.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **means}) + "\n")
        return means

    def draw(self, step: int) -> None:
        """Draws a grid of map, photograph and generated image."""
        with np.load(self.program.folder / "shown.npz") as shown:
            maps = shown["maps"]
            found = [shown[f"image_{n}"].tobytes() for n in range(len(maps))]
        images = [np.asarray(crops.decode(jpeg)) for jpeg in found]
        rows = zip(maps, images, self.program.paint(maps, np.arange(len(maps))))
        triples = [np.concatenate(row, axis=1) for row in rows]
        triples += [np.full_like(triples[0], 255)] * (-len(triples) % 4)
        lines = [np.concatenate(triples[at : at + 4], axis=1) for at in range(0, len(triples), 4)]
        path = self.folder / "samples" / f"step_{step:07d}.png"
        Image.fromarray(np.concatenate(lines)).save(path)


def finite(step: int, means: dict[str, float]) -> dict[str, float]:
    """Returns the means if all are finite.

    Raises:
      ProgramError: names the step and what is not.
    """
    bad = [f"{name} = {value}" for name, value in means.items() if not math.isfinite(value)]
    if bad:
        raise ProgramError(
            f"training diverged at or shortly before step {step}: {', '.join(bad)}; the last "
            "checkpoint is kept"
        )
    return means


def train(program: Program, batches: Batches, output: Output, args: argparse.Namespace) -> None:
    """Trains until --steps or --seconds are over, or Ctrl-C; saves at the end."""
    clock = Clock(program, args.seconds, args.steps)
    step, batch = program.step, program.meta["batch_size"]
    say(f"steps {step:,} to {clock.said()}, batches of {batch}")
    stopped = threading.Event()

    def stop(*_: object) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, before)  # a second Ctrl-C does not wait

    before = signal.signal(signal.SIGINT, stop)
    bar, stream = _Bar(), batches.stream(step)
    since = (step, time.monotonic())
    try:
        while not clock.is_over(step) and not stopped.is_set():
            program.call("train_step", *next(stream))
            step += 1
            if step % 20 == 0 or clock.is_due():
                program.wait()  # else the queue of steps grows without end
                clock.adjust(step)
            if step % args.log_every == 0:
                program.wait()
                now = time.monotonic()
                means = output.log(step, (step - since[0]) * batch / (now - since[1]))
                since = (step, now)
                bar.say(f"G {means['generator']:.2f} D {means['discriminator']:.2f}")
            bar.update(step, clock.total)
            if step % args.sample_every == 0:
                output.draw(step)
            if step % args.checkpoint_every == 0:
                finite(step, program.means(reset=False))
                output.save()
    finally:
        stream.close()
        signal.signal(signal.SIGINT, before)
        bar.close()
    finite(step, program.means(reset=False))
    if not stopped.is_set():
        clock.finish(step)
    output.describe(clock)
    average_alone = args.ema_only and not stopped.is_set()  # else it could not be resumed
    saved = output.save_average() if average_alone else output.save()
    output.draw(step)
    say(f"{step:,} of {int(program.get('total_steps')):,} steps; {saved}")
    if stopped.is_set():
        say("stopped; go on with the same command and --resume")
        sys.exit(130)


class Clock:
    """When a training ends, and its learning rate's schedule with it.

    Attributes:
      start: step that it began with.
      total: step that it ends with, as far as is known.
    """

    def __init__(self, program: Program, seconds: Optional[float], steps: Optional[int]):
        """Begins.

        Args:
          program: its `total_steps` is set.
          seconds: at most; without `steps`, the schedule is made to end then.
          steps: in all; by default, the program's own.

        Raises:
          ProgramError: it has taken more than `steps`.
        """
        self._program, self._seconds = program, seconds
        self.start, self._began = program.step, time.monotonic()
        self._first: Optional[tuple[int, float]] = None
        self._adjusted = -math.inf
        if steps and steps < self.start:
            raise ProgramError(f"--steps={steps}: {self.start:,} are taken already")
        self.timed = bool(seconds) and not steps
        self.total = _TIMED if self.timed else steps or int(program.get("total_steps"))
        program.set("total_steps", self.total)

    def said(self) -> str:
        """Returns the end in words."""
        return f"what {self._seconds:,.0f} s allow" if self.timed else f"{self.total:,}"

    def is_over(self, step: int) -> bool:
        """Tells whether to stop before the next step."""
        late = bool(self._seconds) and time.monotonic() - self._began >= (self._seconds or 0)
        return late or step >= self.total

    def is_due(self) -> bool:
        """Tells whether the end was not adjusted for half a second."""
        return time.monotonic() - self._adjusted > 0.5

    def adjust(self, step: int) -> None:
        """Moves the end of a timed schedule to where the rate so far leads.

        The first step, which compiles, is no part of the rate.
        """
        now = self._adjusted = time.monotonic()
        if self._first is None:
            self._first = (step, now)
        elif self.timed:
            rate = (step - self._first[0]) / max(now - self._first[1], 1e-9)
            left = (self._seconds or 0) - (now - self._began)
            self.total = step + max(math.ceil(rate * left), 1)
            self._program.set("total_steps", self.total)

    def finish(self, step: int) -> None:
        """Says that a timed schedule has come to its end."""
        if self.timed:
            self.total = step
            self._program.set("total_steps", step)


class _Bar:
    """A line of progress on a terminal; a line every 15 s elsewhere."""

    def __init__(self) -> None:
        self._said = ""
        self._every = 0.5 if sys.stderr.isatty() else 15.0
        self._last = time.monotonic()
        self._begin: Optional[tuple[int, float]] = None

    def say(self, text: str) -> None:
        self._said = text

    def update(self, step: int, total: int) -> None:
        now = time.monotonic()
        if self._begin is None:
            self._begin = (step, now)
        if now - self._last < self._every:
            return
        self._last = now
        rate = (step - self._begin[0]) / max(now - self._begin[1], 1e-9)
        left = (total - step) / rate / 60 if rate else math.inf
        end = "\r" if sys.stderr.isatty() else "\n"
        line = f"{step:,}/{total:,} steps, {rate:.1f}/s, {left:.0f} min left, {self._said}"
        print(line.ljust(78), end=end, file=sys.stderr, flush=True)

    def close(self) -> None:
        if sys.stderr.isatty():
            print(file=sys.stderr)


def bench(program: Program, batches: Batches, steps: int) -> dict[str, float]:
    """Measures training steps; prints and returns images/s."""
    stream, size = batches.stream(0), program.meta["batch_size"]
    program.call("train_step", *next(stream))
    program.wait()
    fixed, times = next(stream), []
    for _ in range(steps):
        started = time.perf_counter()
        program.call("train_step", *fixed)
        program.wait()
        times.append(time.perf_counter() - started)
    rates = {"one by one": size / float(np.median(times))}
    for name, source in (("queued", None), ("with data", stream)):
        started = time.perf_counter()
        for _ in range(steps):
            program.call("train_step", *(fixed if source is None else next(source)))
        program.wait()
        rates[name] = steps * size / (time.perf_counter() - started)
    stream.close()
    memory = program.memory("peak_bytes_in_use")
    used = "" if math.isnan(memory) else f", {memory / 2**30:.1f} GiB"
    named = ", ".join(f"{rate:,.1f} {name}" for name, rate in rates.items())
    print(f"batches of {size}: images/s {named}{used}", flush=True)
    return rates


def main() -> None:
    """Reads the command line and trains."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--output_dir", type=pathlib.Path)
    parser.add_argument("--resume", action="store_true", help="go on with what OUT holds")
    parser.add_argument("--steps", type=int, help="in all; moves the schedule's end too")
    parser.add_argument(
        "--seconds", type=float, help="at most; without --steps, the schedule's end"
    )
    parser.add_argument("--bench", type=int, metavar="N", help="only measure N steps")
    parser.add_argument("--ema_only", action="store_true", help="bring back half floats only")
    parser.add_argument(
        "--features",
        action=argparse.BooleanOptionalAction,
        help="paint and measure OUT's last checkpoint, without training; after training this is "
        "done anyway where PROGRAM has a feature network, unless --no-features",
    )
    parser.add_argument(
        "--streamed", action="store_true", help="keep the crops in the machine's own memory"
    )
    parser.add_argument("--keep", type=int, default=3, help="checkpoints")
    for name in ("log_every", "checkpoint_every", "sample_every"):
        parser.add_argument(f"--{name}", type=int, help="steps; default: the configuration's")
    args = parser.parse_args()
    if not args.bench and not args.output_dir:
        parser.error("--output_dir is missing")
    for name, value in vars(args).items():
        if type(value) in (int, float) and not 0 < value <= 1_000_000_000:
            parser.error(f"--{name}={value} is not positive, or over 1,000,000,000")
    try:
        _run(args)
    except (ProgramError, OSError) as error:
        sys.exit(f"error: {error}")
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        sys.exit(
            "error: too little memory on the device; export with a lower "
            "--config.training.batch_size, or --config.model.base_filters"
        )


def _run(args: argparse.Namespace) -> None:
    meta, _ = read_meta(args.program)
    for name in ("log_every", "checkpoint_every", "sample_every"):
        setattr(args, name, getattr(args, name) or meta["training"][name])
    if jax.__version__ not in TESTED:
        say(f"warning: JAX {jax.__version__}; tested with {', '.join(TESTED)}")
    device = jax.local_devices()[0]
    note = "; no accelerator is seen" if device.platform == "cpu" else ""
    say(f"{device.device_kind} ({device.platform}), precision {meta['precision']}{note}")
    say(f"{args.program} holds photographs of people: treat it, and what comes of it, as such")
    program = Program(args.program, device)
    if args.bench:
        bench(program, Batches(program, args.streamed), args.bench)
        return
    if args.features:
        output = Output(args.output_dir, program, True, args.keep)
        output.restore_average()
    else:
        output = Output(args.output_dir, program, args.resume, args.keep)
        output.check_trainable()
        train(program, Batches(program, args.streamed), output, args)
    with_features = args.features is not False and bool(features.networks(program))
    if with_features or args.features:
        features.measure(program, output.folder)
    command = f"--program={program.folder} --output={output.folder} --workdir=runs/imported"
    say(
        f"Next, where the project is:\n  bazel run //training:import_program -- {command}"
        + (" --ema_only" if args.ema_only else "")
        + (
            "\n  bazel run //evaluation:fid -- --data_dir=RECORDS --generated_features="
            f"{output.folder}/features_NETWORK.npz"
            if with_features
            else ""
        )
    )


if __name__ == "__main__":
    main()
