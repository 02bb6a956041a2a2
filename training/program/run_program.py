#!/usr/bin/env python3
"""Trains an exported program on any device that JAX knows, with JAX, NumPy and Pillow alone.

  python3 PROGRAM/run_program.py PROGRAM --output_dir=OUT [--steps=N] [--seconds=S]
  python3 PROGRAM/run_program.py PROGRAM --output_dir=OUT --resume
  python3 PROGRAM/run_program.py PROGRAM --bench=30

`//training:export_program` wrote PROGRAM, and this file with it. What it writes to OUT
goes home with `//training:import_program`. The training is a function of the program
and the step: stopped and resumed, it is the same on one type of device.
"""

import argparse
import hashlib
import json
import math
import os
import pathlib
import queue
import re
import signal
import sys
import threading
import time
from typing import Any, Generator, Optional

import jax

jax.config.update("jax_enable_x64", True)  # seeds and iterations are of 64 bits

import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

FORMAT_VERSION = 1
TESTED = ("0.10.2",)  # versions of JAX that the project's tests ran with
_SHARE_FOR_DATA = 0.5  # of the device's memory
_PREFETCHED = 4  # batches


class ProgramError(Exception):
    """Something that the user can mend; its message is one line."""


def compile_hlo(path: pathlib.Path, device: Any) -> Any:
    """Compiles a serialized HLO module; all that is private in JAX is in here.

    Returns:
      What takes a list of buffers on the device and returns a list of them.
    """
    from jax._src.interpreters import mlir
    from jax._src.lib import xla_client
    from jaxlib import _jax
    from jaxlib.mlir import ir

    computation = xla_client.XlaComputation(path.read_bytes())
    text = _jax.mlir.xla_computation_to_mlir_module(computation)
    text = text.decode() if isinstance(text, bytes) else text
    # GPUs refuse the copy that marks a variable's way out; a barrier of one value is the same.
    text = re.sub(
        r"mhlo\.copy (%[\w#]+) : (tensor<[^>]*>)",
        r"stablehlo.optimization_barrier \1 : \2",
        text,
    )
    with mlir.make_ir_context():
        module = ir.Module.parse(text)
        executable = device.client.compile_and_load(
            module, _jax.DeviceList((device,)), xla_client.CompileOptions()
        )
    return executable.execute


class Program:
    """A program on a device, with the values of its variables.

    Attributes:
      meta: contents of `program.json`.
      device: where it runs.
      values: buffers on the device, in the order of the program's variables.
    """

    def __init__(self, folder: pathlib.Path, device: Any):
        """Reads and compiles a program.

        Raises:
          ProgramError: no such program, or one of another format.
        """
        self.folder, self.device = folder, device
        self.meta, self.digest = read_meta(folder)
        stored = np.load(folder / "variables.npz")
        self.names = [variable["name"] for variable in self.meta["variables"]]
        self._index = {name: number for number, name in enumerate(self.names)}
        self.values = [
            self._put(stored[f"v{variable['stored']}"]) for variable in self.meta["variables"]
        ]
        self._executables: dict[str, Any] = {}

    def _put(self, array: Any) -> Any:
        return jax.device_put(np.asarray(array), self.device)

    def get(self, name: str) -> np.ndarray:
        """Returns a variable's value; waits for it."""
        return np.asarray(self.values[self._index[name]])

    def set(self, name: str, value: Any) -> None:
        """Changes a variable's value."""
        number = self._index[name]
        like = self.meta["variables"][number]
        self.values[number] = self._put(np.asarray(value, like["dtype"]).reshape(like["shape"]))

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns all values by name."""
        return {name: np.asarray(value) for name, value in zip(self.names, self.values)}

    def restore(self, arrays: Any) -> None:
        """Takes all values from `arrays`."""
        for name in self.names:
            self.set(name, arrays[name])

    def call(self, function: str, *inputs: Any) -> list[Any]:
        """Runs a function of the program; the variables that it changes are changed."""
        parts = self.meta["functions"][function]
        if function not in self._executables:
            started = time.time()
            self._executables[function] = compile_hlo(
                self.folder / f"{function}.hlo.pb", self.device
            )
            say(f"{function}: compiled in {time.time() - started:.0f} s")
        captured = parts["captured"]
        arguments = [*inputs, *(self.values[number] for number in captured)]
        outputs = self._executables[function](arguments)
        for output, parameter in parts["aliases"]:
            self.values[captured[parameter - len(inputs)]] = outputs[output]
        return outputs

    @property
    def step(self) -> int:
        """Number of steps taken."""
        return int(self.get("step"))

    def wait(self) -> None:
        """Waits until the device has done what it was asked for."""
        jax.block_until_ready(self.values)

    def means(self, reset: bool) -> dict[str, float]:
        """Returns the running means of losses and accuracies since they were reset."""
        found = {}
        for name in self.meta["metrics"]:
            total, count = f"metric/{name}/total", f"metric/{name}/count"
            found[name] = float(self.get(total)) / max(float(self.get(count)), 1.0)
            if reset:
                self.set(total, 0)
                self.set(count, 0)
        return found

    def paint(self, maps: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """Paints images, uint8 [N, S, S, 3], of maps of that shape and int64 [N] seeds."""
        size, painted = self.meta["sample_batch"], []
        for start in range(0, len(maps), size):
            rows = np.minimum(np.arange(start, start + size), len(maps) - 1)
            images = self.call("sample", self._put(maps[rows]), self._put(np.int64(seeds[rows])))
            painted.append(np.asarray(images[0]))
        return np.concatenate(painted)[: len(maps)]


def read_meta(folder: pathlib.Path) -> tuple[dict[str, Any], str]:
    """Returns the contents of `program.json` and its digest.

    Raises:
      ProgramError: there is none, or it is of another format.
    """
    path = folder / "program.json"
    if not path.is_file():
        raise ProgramError(f"{folder}: no program; it has no program.json")
    content = path.read_bytes()
    meta = json.loads(content)
    if meta.get("format_version") != FORMAT_VERSION:
        raise ProgramError(
            f"{folder}: a program of format {meta.get('format_version')}, this runner takes "
            f"{FORMAT_VERSION}; use the run_program.py inside it, or export it again"
        )
    return meta, hashlib.sha256(content).hexdigest()


class Batches:
    """Training batches as a function of the step: shuffled, jittered and mirrored."""

    def __init__(self, program: Program):
        """Puts the crops on the device where they fit.

        Raises:
          ProgramError: crops of another size than the program's.
        """
        meta, folder = program.meta, program.folder
        self._size, self._batch = meta["image_size"], meta["batch_size"]
        self._seed, self._mirror = meta["seed"], meta["mirror"]
        self._large = round(self._size * meta["jitter"])
        self._put = program._put
        arrays = [np.load(folder / f"train_{kind}.npy", mmap_mode="r") for kind in KINDS]
        for kind, array in zip(KINDS, arrays):
            shape = (len(arrays[0]), self._size, self._size, 3)
            if array.shape != shape or array.dtype != np.uint8 or len(array) < self._batch:
                raise ProgramError(
                    f"{folder}/train_{kind}.npy: {array.dtype} {list(array.shape)}, the program "
                    f"takes uint8 {list(shape)} of at least {self._batch}"
                )
        self.count, self._arrays = len(arrays[0]), arrays
        memory = (program.device.memory_stats() or {}).get("bytes_limit", math.inf)
        needed = sum(array.nbytes for array in arrays)
        self.on_device = needed < _SHARE_FOR_DATA * memory
        if self.on_device:
            self._arrays = [self._put(array) for array in arrays]
        where = "on the device" if self.on_device else "streamed: too large for the device"
        say(f"{self.count:,} training crops, {needed / 1e6:,.0f} MB, {where}")
        self._pick = jax.jit(self._augment if self.on_device else self._augment_rows)

    def plan(self, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns rows, corners (top, left) and flips of the batch of a step, from 0."""
        epoch, place = divmod(step, self.count // self._batch)
        order = np.random.default_rng((self._seed, 0, epoch)).permutation(self.count)
        rows = order[place * self._batch : (place + 1) * self._batch]
        rng = np.random.default_rng((self._seed, 1, step))
        corners = rng.integers(0, self._large - self._size + 1, (self._batch, 2))
        flips = rng.random(self._batch) < 0.5
        return rows, corners, flips & self._mirror

    def _augment(self, maps: Any, images: Any, rows: Any, corners: Any, flips: Any) -> Any:
        return self._augment_rows(maps[rows], images[rows], corners, flips)

    def _augment_rows(self, maps: Any, images: Any, corners: Any, flips: Any) -> Any:
        """As the project's input pipeline: enlarged, cut, mirrored, both alike."""
        if self._large > self._size:
            large = (len(maps), self._large, self._large, 3)
            enlarged = jax.image.resize(images.astype(jnp.float32), large, "bilinear")
            images = jnp.round(enlarged).astype(jnp.uint8)
            maps = jax.image.resize(maps, large, "nearest")
            side = (self._size, self._size, 3)
            cut = jax.vmap(lambda x, at: jax.lax.dynamic_slice(x, (at[0], at[1], 0), side))
            images, maps = cut(images, corners), cut(maps, corners)
        flips = flips[:, None, None, None]
        return tuple(jnp.where(flips, x[:, :, ::-1], x) for x in (maps, images))

    def _make(self, step: int) -> Any:
        rows, corners, flips = self.plan(step)
        if self.on_device:
            return self._pick(*self._arrays, self._put(rows), self._put(corners), self._put(flips))
        picked = [self._put(array[rows]) for array in self._arrays]
        return self._pick(*picked, self._put(corners), self._put(flips))

    def stream(self, start: int) -> Generator[Any, None, None]:
        """Yields the batches from a step on; a thread makes the next ones meanwhile."""
        made: queue.Queue[Any] = queue.Queue(_PREFETCHED)
        ended = threading.Event()

        def work() -> None:
            step = start
            while not ended.is_set():
                try:
                    batch = self._make(step)
                except Exception as error:  # the other thread raises it
                    batch = error
                while not ended.is_set():
                    try:
                        made.put(batch, timeout=0.2)
                        break
                    except queue.Full:
                        continue
                step += 1

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            while True:
                batch = made.get()
                if isinstance(batch, Exception):
                    raise batch
                yield batch
        finally:
            ended.set()
            thread.join()


KINDS = ("maps", "images")


class Output:
    """What a training writes: checkpoints, losses, sample grids."""

    def __init__(self, folder: pathlib.Path, program: Program, resume: bool, keep: int):
        """Begins an output or, to `resume`, brings the program to its last checkpoint.

        Raises:
          ProgramError: it is not empty, or not of this program.
        """
        self.folder, self.program, self.keep = folder, program, keep
        marker = folder / "output.json"
        if resume:
            if not marker.is_file():
                raise ProgramError(f"{folder}: nothing to resume; it has no output.json")
            if json.loads(marker.read_text())["program"] != program.digest:
                raise ProgramError(f"{folder}: was made by another program than this one")
            found = self.checkpoints()
            if found:
                with np.load(found[-1]) as arrays:
                    program.restore(arrays)
        elif folder.exists() and any(folder.iterdir()):
            raise ProgramError(
                f"{folder}: not empty; choose another --output_dir, or --resume what is there"
            )
        for name in ("checkpoints", "samples"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        marker.write_text(json.dumps({"program": program.digest, "jax": jax.__version__}) + "\n")
        path, step = folder / "metrics.jsonl", program.step
        lines = path.read_text().splitlines(True) if path.exists() else []
        # Not those of steps that will be taken again, nor one cut short by a kill.
        whole = [line for line in lines if line.endswith("\n")]
        path.write_text("".join(line for line in whole if json.loads(line)["step"] <= step))

    def checkpoints(self) -> list[pathlib.Path]:
        """Returns the checkpoints, oldest first."""
        return sorted((self.folder / "checkpoints").glob("step_*.npz"))

    def save(self) -> pathlib.Path:
        """Writes all variables; the oldest checkpoints go."""
        path = self.folder / "checkpoints" / f"step_{self.program.step:09d}.npz"
        _write_npz(path, self.program.arrays())
        for old in self.checkpoints()[: -self.keep]:
            old.unlink()
        return path

    def save_average(self) -> pathlib.Path:
        """Writes the averaged generator alone, in half floats, and the step."""
        halves = {
            name: value.astype(np.float16) if value.dtype == np.float32 else value
            for name, value in self.program.arrays().items()
            if name.startswith("ema_generator/") or name in ("step", "total_steps")
        }
        path = self.folder / "ema.npz"
        _write_npz(path, halves)
        return path

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
        maps, images = (np.load(self.program.folder / f"shown_{kind}.npy") for kind in KINDS)
        rows = zip(maps, images, self.program.paint(maps, np.arange(len(maps))))
        triples = [np.concatenate(row, axis=1) for row in rows]
        triples += [np.full_like(triples[0], 255)] * (-len(triples) % 4)
        lines = [np.concatenate(triples[at : at + 4], axis=1) for at in range(0, len(triples), 4)]
        path = self.folder / "samples" / f"step_{step:07d}.png"
        Image.fromarray(np.concatenate(lines)).save(path)


def _write_npz(path: pathlib.Path, arrays: dict[str, np.ndarray]) -> None:
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        np.savez(file, **arrays)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


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
    if args.steps:
        program.set("total_steps", args.steps)
    total, step = int(program.get("total_steps")), program.step
    say(f"steps {step:,} to {total:,}, batches of {program.meta['batch_size']}")
    stopped = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: stopped.set())
    bar, stream = _Bar(total), batches.stream(step)
    since, started = (step, time.monotonic()), time.monotonic()
    try:
        while step < total and not stopped.is_set():
            if args.seconds and time.monotonic() - started > args.seconds:
                break
            program.call("train_step", *next(stream))
            step += 1
            if step % 20 == 0:
                program.wait()  # else the queue of steps grows without end
            if step % args.log_every == 0:
                program.wait()
                now = time.monotonic()
                taken = (step - since[0]) * program.meta["batch_size"]
                means = output.log(step, taken / (now - since[1]))
                since = (step, now)
                bar.say(f"G {means['generator']:.2f} D {means['discriminator']:.2f}")
            bar.update(step)
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
    saved = output.save_average() if args.ema_only else output.save()
    output.draw(step)
    say(f"{step:,} of {total:,} steps; {saved}")
    if stopped.is_set():
        say("stopped; go on with the same command and --resume")
        sys.exit(130)
    say(
        "Next, where the project is:\n  bazel run //training:import_program -- "
        f"--program={program.folder} --output={output.folder} --workdir=runs/imported"
        + (" --ema_only" if args.ema_only else "")
    )


class _Bar:
    """A line of progress on a terminal; a line every 15 s elsewhere."""

    def __init__(self, total: int):
        self._total, self._said = total, ""
        self._every = 0.5 if sys.stderr.isatty() else 15.0
        self._last = time.monotonic()
        self._begin: Optional[tuple[int, float]] = None

    def say(self, text: str) -> None:
        self._said = text

    def update(self, step: int) -> None:
        now = time.monotonic()
        if self._begin is None:
            self._begin = (step, now)
        if now - self._last < self._every:
            return
        self._last = now
        rate = (step - self._begin[0]) / max(now - self._begin[1], 1e-9)
        left = (self._total - step) / rate / 60 if rate else math.inf
        end = "\r" if sys.stderr.isatty() else "\n"
        line = f"{step:,}/{self._total:,} steps, {rate:.1f}/s, {left:.0f} min left, {self._said}"
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
    memory = (program.device.memory_stats() or {}).get("peak_bytes_in_use")
    used = f", {memory / 2**30:.1f} GiB" if memory else ""
    named = ", ".join(f"{rate:,.1f} {name}" for name, rate in rates.items())
    print(f"batches of {size}: images/s {named}{used}", flush=True)
    return rates


def say(text: str) -> None:
    """Tells the user."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Reads the command line and trains."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--output_dir", type=pathlib.Path)
    parser.add_argument("--resume", action="store_true", help="go on with what OUT holds")
    parser.add_argument("--steps", type=int, help="in all; moves the schedule's end too")
    parser.add_argument("--seconds", type=float, help="at most")
    parser.add_argument("--bench", type=int, metavar="N", help="only measure N steps")
    parser.add_argument("--ema_only", action="store_true", help="bring back half floats only")
    parser.add_argument("--keep", type=int, default=3, help="checkpoints")
    for name in ("log_every", "checkpoint_every", "sample_every"):
        parser.add_argument(f"--{name}", type=int, help="steps; default: the configuration's")
    args = parser.parse_args()
    if not args.bench and not args.output_dir:
        parser.error("--output_dir is missing")
    try:
        _run(args)
    except ProgramError as error:
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
        bench(program, Batches(program), args.bench)
        return
    output = Output(args.output_dir, program, args.resume, args.keep)
    train(program, Batches(program), output, args)


if __name__ == "__main__":
    main()
