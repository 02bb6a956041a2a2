"""Several machines that train one model, by TF_CONFIG.

Each worker runs the same command. All of them define the same global batches, of which each
reads its own part, and take the same steps; the chief, the first of them, writes.
"""

import contextlib
import json
import os
import re
import tempfile
from typing import Any, Iterator, Mapping, Optional

import numpy as np
import tensorflow as tf
from absl import logging

from training import run_directory

_VARIABLE = "TF_CONFIG"
_EXAMPLE = (
    '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", "index": 0}}'
)
_JOBS = ("chief", "worker")  # in the order in which TensorFlow numbers them


def _addresses(cluster: Mapping[str, Any]) -> dict[str, list[str]]:
    """Returns the addresses of each job.

    Raises:
      ValueError: other jobs, or addresses that are none.
    """
    unknown = [name for name in cluster if name not in _JOBS]
    if unknown:
        raise ValueError(f"cluster has {', '.join(unknown)}; it takes chief and worker")
    found = {}
    for job in _JOBS:
        listed = cluster.get(job, [])
        if not isinstance(listed, list):
            raise ValueError(f"cluster.{job} is no list of addresses")
        for address in listed:
            if not isinstance(address, str) or not re.fullmatch(r"\S+:\d{1,5}", address):
                raise ValueError(f"cluster.{job}: {address!r} is not host:port")
        found[job] = listed
    everyone = sum(found.values(), [])
    if not everyone:
        raise ValueError("it names no cluster")
    if len(found["chief"]) > 1:
        raise ValueError(f"cluster.chief names {len(found['chief'])}; there is one")
    twice = sorted({one for one in everyone if everyone.count(one) > 1})
    if twice:
        raise ValueError(f"cluster names {twice[0]} twice")
    return found


def _read(text: str) -> int:
    """Returns the number of workers that a TF_CONFIG names.

    Raises:
      ValueError: it is not as TensorFlow wants it.
    """
    try:
        stated = json.loads(text)
    except ValueError as error:
        raise ValueError(f"invalid JSON ({error})") from error
    if not isinstance(stated, dict) or not isinstance(stated.get("cluster"), dict):
        raise ValueError("it names no cluster")
    addresses = _addresses(stated["cluster"])
    task = stated.get("task")
    if not isinstance(task, dict) or task.get("type") not in _JOBS:
        raise ValueError("task.type is neither chief nor worker")
    number = len(addresses[task["type"]])
    index = task.get("index")
    if not isinstance(index, int) or not 0 <= index < number:
        raise ValueError(f"task.index {index!r} is none of cluster.{task['type']}'s {number}")
    return sum(len(listed) for listed in addresses.values())


def count_workers(environment: Mapping[str, str] = os.environ) -> int:
    """Returns how many workers the environment names; 1 where it names none.

    Raises:
      ValueError: TF_CONFIG is not as TensorFlow wants it.
    """
    text = environment.get(_VARIABLE, "").strip()
    if not text or text == "{}":
        return 1
    try:
        return _read(text)
    except ValueError as error:
        raise ValueError(f"{_VARIABLE}: {error}; such as {_EXAMPLE}") from error


def make_strategy(batch_size: int) -> Optional[tf.distribute.Strategy]:
    """Joins the workers that TF_CONFIG names, and waits for them.

    To be called before TensorFlow computes anything.

    Args:
      batch_size: of all workers together.

    Returns:
      The strategy over them; None where there are no others.

    Raises:
      ValueError: TF_CONFIG is not as TensorFlow wants it, or the workers cannot share a
        batch equally.
    """
    number = count_workers()
    if number == 1:
        return None
    if batch_size % number:
        raise ValueError(
            f"training.batch_size {batch_size} is not a multiple of the {number} workers of "
            f"{_VARIABLE}, which share a batch equally"
        )
    logging.warning("waiting until all %d workers of %s have been started", number, _VARIABLE)
    with others_named():
        return tf.distribute.MultiWorkerMirroredStrategy()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Tells whether this process is the one that writes."""
    return bool(strategy.extended.should_checkpoint)


@contextlib.contextmanager
def others_named() -> Iterator[None]:
    """Turns TensorFlow's errors about a worker that is gone into one that says what to do.

    TensorFlow finds it out by a closed connection, or within ten seconds by its silence.

    Raises:
      OSError: one of the others has ended, or cannot be reached.
    """
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
        if count_workers() == 1:
            raise
        tasks = re.findall(r"/job:(\w+)/(?:replica:\d+/)?task:(\d+)", error.message)
        named = " ".join(tasks[0]) if tasks else "another"
        raise OSError(
            f"lost the worker {named}: it has ended or cannot be reached; what it printed says "
            "why. Start all workers again with the same commands, and they go on at the last "
            "checkpoint"
        ) from error


def exchange(strategy: tf.distribute.Strategy, text: str) -> list[str]:
    """Waits for all workers and returns what each of them says, the chief first."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return [text]
    # As floats, which can be sent between devices of all kinds.
    said = np.frombuffer(text.encode() + b"\0", np.uint8).astype(np.float32)
    every = strategy.gather(strategy.run(lambda: tf.constant(said)), axis=0)
    texts = every.numpy().astype(np.uint8).tobytes().decode().split("\0")[:-1]
    return texts[:: len(texts) // count_workers()]  # each of its replicas has said it


def check_agreement(strategy: tf.distribute.Strategy, description: Mapping[str, Any]) -> None:
    """Waits for all workers, and makes sure that all do the same.

    The records may lie in other folders, and their digest is compared.

    Raises:
      ValueError: what differs between two descriptions.
    """
    dataset = {**description["dataset"], "directory": ""}
    told = exchange(strategy, json.dumps({**description, "dataset": dataset}))
    chief, *others = map(json.loads, told)
    for number, other in enumerate(others, start=1):
        lines = run_directory.differences_between(other, chief)
        if lines:
            raise ValueError(
                f"the workers differ: between the chief and worker {number}, {'; '.join(lines)}"
            )


@contextlib.contextmanager
def output_folder(strategy: tf.distribute.Strategy, folder: str) -> Iterator[str]:
    """Gives the chief a folder to write to, and the others one that is removed afterwards.

    All workers must save checkpoints, since what they average lies on all of them.
    """
    if is_chief(strategy):
        yield folder
    else:
        with tempfile.TemporaryDirectory(prefix="dermgan-worker-") as temporary:
            yield temporary
