"""The variables of a training by name: what an exported program carries out and back."""

import tensorflow as tf

from model.dermgan import DermGAN


def bare(variable: tf.Variable) -> tf.Variable:
    """Returns the variable that a graph captures, of one wrapped for mixed precision."""
    return getattr(variable, "_variable", variable)


def by_name(model: DermGAN) -> dict[str, tf.Variable]:
    """Returns all that a training step reads or changes.

    Networks and optimizers are numbered in Keras' own order, which the configuration
    alone decides; the rest has the names by which a runner finds it.
    """
    groups = {"generator": model.generator.weights, "ema_generator": model.ema_generator.weights}
    if model.encoder and model.ema_encoder:
        groups.update(encoder=model.encoder.weights, ema_encoder=model.ema_encoder.weights)
    for view, networks in model.discriminators.items():
        for scale, network in enumerate(networks):
            groups[f"{view}_discriminator_{scale}"] = network.weights
    named: dict[str, tf.Variable] = {"total_steps": model.total_steps}
    if model.moves:
        named["moves_strength"] = model.moves.strength
    for player in ("generator", "discriminator"):
        optimizer = getattr(model, f"{player}_optimizer")
        kept = {id(optimizer.iterations), id(optimizer.learning_rate)}
        groups[f"{player}_optimizer"] = [v for v in optimizer.variables if id(v) not in kept]
        named["step" if player == "generator" else f"{player}_step"] = optimizer.iterations
        named[f"{player}_learning_rate"] = optimizer.learning_rate
    for metric in model.metrics:
        named[f"metric/{metric.name}/total"] = metric.total
        named[f"metric/{metric.name}/count"] = metric.count
    for group, variables in groups.items():
        named.update({f"{group}/{number:03d}": one for number, one in enumerate(variables)})
    return {name: bare(variable) for name, variable in named.items()}
