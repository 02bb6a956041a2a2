"""Begins a run with another's networks: fine-tuning.

Weights are taken over by their names where their shapes are equal: for other data,
conditions or sizes, that is most of them. The vectors of conditions go by the
conditions' names; what the other run does not have begins as ever. Optimizers, step and
schedule are those of a new run.
"""

import dataclasses
import re
from typing import Iterator

import tensorflow as tf

from common import addresses
from model.dermgan import DermGAN
from training import model_factory, run_directory

_NUMBERED = re.compile(r"\bdense(_\d+)?\b")  # named in the order of their making
_CONDITIONS = "conditions:0"
_LEAST = 0.5


@dataclasses.dataclass(frozen=True)
class Source:
    """Whose networks a run begins with.

    Attributes:
      run_dir: the other run.
      step: of its checkpoint.
      path: of the checkpoint.
      conditions: of its taxonomy.
    """

    run_dir: str
    step: int
    path: str
    conditions: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """Returns what `config.json` says of it."""
        return {"run_dir": addresses.address_of(self.run_dir), "step": self.step}


def find(run_dir: str) -> Source:
    """Returns the last whole checkpoint of a run as a source.

    Raises:
      ValueError: no such run, or no checkpoint.
    """
    description = run_directory.read_description(run_dir)
    step, path = run_directory.newest_checkpoint(run_dir)
    return Source(run_dir, step, path, tuple(description["dataset"]["taxonomy"]))


def _networks(model: DermGAN) -> Iterator[tuple[str, tf.keras.Model]]:
    yield "generator", model.generator
    yield "ema_generator", model.ema_generator
    if model.encoder and model.ema_encoder:
        yield "encoder", model.encoder
        yield "ema_encoder", model.ema_encoder
    for view, judges in model.discriminators.items():
        for judge in judges:
            yield f"{view}/{judge.name}", judge


def _named(network: tf.keras.Model) -> dict[str, tf.Variable]:
    """Weights by a name that is the same in every process."""
    order: dict[str, str] = {}
    named = {}
    for weight in network.weights:
        name = _NUMBERED.sub(
            lambda found: order.setdefault(found[0], f"dense{len(order)}"), weight.name
        )
        named[name] = weight
    return named


def take_over(model: DermGAN, source: Source, conditions: tuple[str, ...]) -> str:
    """Gives a model the weights of another run.

    Args:
      model: a new one.
      source: from `find`.
      conditions: of the model's taxonomy.

    Returns:
      What was taken over, in a line.

    Raises:
      ValueError: the checkpoint is unreadable, or fits less than half of the generator.
    """
    description = run_directory.read_description(source.run_dir)
    other = model_factory.of_description(description)
    try:
        networks = {name: network for name, network in _networks(other) if "/" not in name}
        checkpoint = tf.train.Checkpoint(**networks, discriminators=other.discriminators)
        checkpoint.restore(source.path).assert_existing_objects_matched().expect_partial()
    except (tf.errors.OpError, ValueError, AssertionError) as error:
        raise ValueError(f"{source.path}: not usable ({str(error).splitlines()[0]})") from error
    theirs = {name: _named(network) for name, network in _networks(other)}
    shared = [name for name in conditions if name in source.conditions]
    taken = {name: 0 for name, _ in _networks(model)}
    for name, network in _networks(model):
        for key, weight in _named(network).items():
            value = theirs.get(name, {}).get(key)
            if value is None:
                continue
            if key.endswith(_CONDITIONS) and value.shape[1:] == weight.shape[1:]:
                rows = [conditions.index(one) for one in shared]
                if rows:
                    found = tf.gather(value, [source.conditions.index(one) for one in shared])
                    weight.assign(
                        tf.tensor_scatter_nd_update(weight, [[row] for row in rows], found)
                    )
                taken[name] += len(rows) * int(weight.shape[-1])
            elif value.shape == weight.shape:
                weight.assign(tf.cast(value, weight.dtype))
                taken[name] += int(tf.size(weight))
    share = taken["generator"] / model.generator.count_params()
    if share < _LEAST:
        raise ValueError(
            f"{source.run_dir}: only {share:.0%} of the generator's weights fit this "
            "configuration; --init_from takes a run of the same widths"
        )
    judges = sum(network.count_params() for name, network in _networks(model) if "/" in name)
    judged = sum(count for name, count in taken.items() if "/" in name) / judges
    named = f"{len(shared)} of {len(conditions)} conditions by name"
    return (
        f"begins with {share:.0%} of the generator's and {judged:.0%} of the discriminators' "
        f"weights from {source.run_dir}, step {source.step:,}; {named}"
    )
