"""Feature networks, and the features of image sets.

A feature network takes float32 [N, 299, 299, 3] in [-1, 1] and returns a dictionary
of activations; one from an ONNX file (`onnx_networks`) has a size of its own. A number
made from features means something only together with the network, the layer and the
resize that made them; `FeatureExtractor.protocol` says which, and only `pool_3` of
TF-GAN's own network may be called FID.
"""

import dataclasses
import hashlib
import os
import pathlib
import zipfile
from typing import Any, Callable, Dict, List, Mapping, Optional

import numpy as np
import tensorflow as tf
import tensorflow_gan as tfgan
import tensorflow_hub as hub
from absl import logging

from common import files, progress
from evaluation.features import on_disk
from evaluation.features.image_sets import ImageSet

DEFAULT_NETWORK = tfgan.eval.INCEPTION_TFHUB
DEFAULT_LAYER = tfgan.eval.INCEPTION_FINAL_POOL
EMBEDDED_NETWORK = "embedded"
EMBEDDED_LAYER = "random_224"
INPUT_SIZE = tfgan.eval.INCEPTION_DEFAULT_IMAGE_SIZE
ONNX_SUFFIX = ".onnx"
RESIZE_METHODS = ("bilinear", "bicubic", "lanczos3", "area")

# An image in an Inception-like network, all activations that are alive at once.
_BYTES_PER_IMAGE = 48 << 20
_LARGEST_BATCH = 64


@dataclasses.dataclass(frozen=True)
class FeatureNetwork:
    """A loaded network, one layer of it in use.

    Attributes:
      name: handle, path or `EMBEDDED_NETWORK`.
      layer: key of the activations.
      digest: sha256 of the network's files, or of its weights.
      call: float32 [N, input_size, input_size, 3] in [-1, 1] to float32 [N, d].
      input_size: rows and columns of what it takes.
      settings: what else a number depends on, for the protocol.
    """

    name: str
    layer: str
    digest: str
    call: Callable[[tf.Tensor], tf.Tensor]
    input_size: int = INPUT_SIZE
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def is_canonical(self) -> bool:
        """Whether a Frechet distance of these features may be called FID."""
        return (self.name, self.layer) == (DEFAULT_NETWORK, DEFAULT_LAYER)

    @property
    def is_embedded(self) -> bool:
        """Whether it is the network of random weights, which says nothing of realism."""
        return self.name == EMBEDDED_NETWORK

    @property
    def is_onnx(self) -> bool:
        """Whether it is an ONNX file, which TensorFlow cannot take apart."""
        return self.name.endswith(ONNX_SUFFIX)

    @property
    def title(self) -> str:
        """Network and layer, for tables and plots."""
        return f"{self.layer} of {os.path.basename(self.name.rstrip('/'))}"

    @property
    def distance_name(self) -> str:
        """What to call the Frechet distance of these features."""
        return "FID" if self.is_canonical else f"Frechet distance ({self.title})"


def load_network(name: str = DEFAULT_NETWORK, layer: str = DEFAULT_LAYER) -> FeatureNetwork:
    """Loads a network from a TF-Hub handle or a SavedModel directory.

    Args:
      name: handle, path, or `EMBEDDED_NETWORK`.
      layer: key of the activations.

    Raises:
      ValueError: not to be had, or of another interface.
    """
    if name == EMBEDDED_NETWORK:
        return embedded_network()
    try:
        folder = hub.resolve(name)
        loaded = hub.load(folder)
    except Exception as error:  # hub raises what its resolvers and loaders happen to raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise ValueError(
            f"feature network {name}: cannot be loaded ({reason}); pass another handle or the "
            "path of a SavedModel or ONNX file with --feature_network, and its layer with --layer "
            "(docs/reference/reading_the_numbers.md tells how to get one without a connection), or "
            "try the program with --feature_network=embedded"
        ) from error
    call = _layer_of(loaded, name, layer)
    return FeatureNetwork(name, layer, _digest_of_files(folder), call)


def _layer_of(loaded: Any, name: str, layer: str) -> Callable[[tf.Tensor], tf.Tensor]:
    """Checks the interface on one grey image and returns the layer as a function."""
    probe = tf.zeros([1, INPUT_SIZE, INPUT_SIZE, 3])
    wanted = f"float32 [N, {INPUT_SIZE}, {INPUT_SIZE}, 3] to a dictionary of activations"
    if not callable(loaded):
        raise ValueError(f"feature network {name}: is not callable; it must map {wanted}")
    try:
        outputs = loaded(probe)
    except Exception as error:  # whatever a foreign graph raises for an input it does not take
        raise ValueError(f"feature network {name}: does not map {wanted}") from error
    if not isinstance(outputs, Mapping):
        raise ValueError(f"feature network {name}: returns no dictionary; it must map {wanted}")
    if layer not in outputs:
        known = ", ".join(sorted(outputs))
        raise ValueError(f"feature network {name}: no layer {layer!r}; there are {known}")
    if outputs[layer].shape.rank != 2:
        raise ValueError(
            f"feature network {name}: layer {layer!r} has shape {outputs[layer].shape}, "
            "not [N, dimension]"
        )
    return lambda images: loaded(images)[layer]


def _digest_of_files(folder: str) -> str:
    digest = hashlib.sha256()
    for path in sorted(pathlib.Path(folder).rglob("*")):
        if path.is_file() and path.name != "fingerprint.pb":
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
            digest.update(path.read_bytes())
    return digest.hexdigest()


def embedded_network() -> FeatureNetwork:
    """Makes a small convolutional network of random, fixed weights.

    It needs no download and tells colours, edges and textures apart well enough to
    see a model improve on the demo data. Its numbers compare with nothing outside.
    """
    rng = np.random.default_rng(20191120)
    kernels: List[tf.Tensor] = []
    digest = hashlib.sha256()
    for size, inputs, outputs in ((7, 3, 32), (3, 32, 64), (3, 64, 128)):
        deviation = np.sqrt(2.0 / (size * size * inputs))
        kernel = rng.normal(0.0, deviation, (size, size, inputs, outputs)).astype(np.float32)
        kernels.append(tf.constant(kernel))
        digest.update(kernel.tobytes())

    @tf.function(reduce_retracing=True)
    def call(images: tf.Tensor) -> tf.Tensor:
        x, pooled = images, []
        for kernel, stride in zip(kernels, (4, 2, 2)):
            x = tf.nn.relu(tf.nn.conv2d(x, kernel, stride, "SAME"))
            pooled.append(tf.reduce_mean(x, axis=[1, 2]))
        return tf.concat(pooled, axis=-1)

    return FeatureNetwork(EMBEDDED_NETWORK, EMBEDDED_LAYER, digest.hexdigest(), call)


def choose_network(name: Optional[str], layer: Optional[str], is_demo: bool) -> FeatureNetwork:
    """Loads the network that flags ask for.

    Args:
      name: as given; None for the default.
      layer: as given; None for the default.
      is_demo: whether the images are the procedural demo cases: then, and only
        then, the embedded network stands in for a default that cannot be had.

    Raises:
      ValueError: as of `load_network`.
    """
    if name is not None or not is_demo:
        return load_network(name or DEFAULT_NETWORK, layer or DEFAULT_LAYER)
    try:
        return load_network(DEFAULT_NETWORK, layer or DEFAULT_LAYER)
    except ValueError:
        return embedded_network()


@dataclasses.dataclass(frozen=True)
class FeatureExtractor:
    """A network, and how images reach it.

    Attributes:
      network: from `load_network`.
      resize: method of `tf.image.resize` to the network's size.
      antialias: whether it filters before making smaller; 256 to 299 and the like,
        which make larger, are not touched by it.
      batch_size: images at once; 0 chooses by memory.
      cache_dir: where features are kept by content; "" for nowhere.
    """

    network: FeatureNetwork
    resize: str = "bilinear"
    antialias: bool = True
    batch_size: int = 0
    cache_dir: str = ""

    def __post_init__(self) -> None:
        if self.resize not in RESIZE_METHODS:
            raise ValueError(f"resize {self.resize!r} is not one of {', '.join(RESIZE_METHODS)}")
        if self.batch_size < 0:
            raise ValueError(f"batch_size {self.batch_size} is negative; 0 chooses by memory")

    @property
    def protocol(self) -> Dict[str, Any]:
        """What a number must be printed with."""
        return {
            "feature_network": self.network.name,
            "feature_network_digest": self.network.digest,
            "layer": self.network.layer,
            "comparable_with_published_fid": self.network.is_canonical,
            "input_size": self.network.input_size,
            "resize": self.resize,
            "antialias": self.antialias,
            **self.network.settings,
        }

    def prepare(self, images: tf.Tensor) -> tf.Tensor:
        """Brings images to what the network takes.

        Args:
          images: uint8 [N, H, W, 3].

        Returns:
          float32 [N, input_size, input_size, 3] in [-1, 1].
        """
        size = (self.network.input_size, self.network.input_size)
        resized = tf.image.resize(images, size, self.resize, antialias=self.antialias)
        return tf.clip_by_value(resized / 127.5 - 1.0, -1.0, 1.0)

    def extract(self, images: ImageSet) -> np.ndarray:
        """Computes features, or reads them where they are known.

        Decoding, painting and resizing run ahead of the network. The result does not
        depend on the batch size, but for the rounding of sums.

        Returns:
          float32 [N, d], in a file that is mapped into memory.

        Raises:
          ValueError: features that are not finite.
        """
        key = {**self.protocol, "images": images.digest}
        name = files.digest_of(key)
        path = pathlib.Path(self.cache_dir or ".") / f"{name}.npz"
        if self.cache_dir and path.exists():
            try:
                return _read_cached(path, len(images))
            except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
                logging.warning("%s: damaged (%s); the features are computed again", path, error)
        features = self._compute(images)
        bad = sum(int((~np.isfinite(some).all(axis=1)).sum()) for some in on_disk.blocks(features))
        if bad:
            raise ValueError(
                f"{images.name} images: features ({self.network.title}) of {bad} are not finite"
            )
        if self.cache_dir:
            with files.replacing(path) as temporary, open(temporary, "wb") as file:
                np.savez(file, features=features, digest=_digest_of_features(name, features))
        return features

    def _compute(self, images: ImageSet) -> np.ndarray:
        batch_size = self.batch_size or _largest_batch()
        while True:
            batches = images.dataset().batch(batch_size).map(self.prepare).prefetch(2)
            features, done = None, 0
            try:
                with progress.bar(
                    total=len(images), what=f"features of {images.name} images", unit="images"
                ) as bar:
                    for batch in batches:
                        found = self.network.call(batch).numpy()
                        if features is None:
                            features = on_disk.empty((len(images), found.shape[1]), np.float32)
                        features[done : done + len(found)] = found
                        done += len(found)
                        bar.update(len(found))
                if features is None or done != len(images):
                    raise ValueError(f"{images.name} images: {done} of {len(images)} were read")
                return features
            except tf.errors.ResourceExhaustedError:  # a GPU that is smaller than we think
                if batch_size == 1:
                    raise
                batch_size //= 2


def _digest_of_features(name: str, features: np.ndarray) -> str:
    """Identifies features of the images and the protocol that a file's name stands for."""
    digest = hashlib.sha256(f"{name} {features.dtype} {features.shape}".encode())
    for start in range(0, len(features), _LARGEST_BATCH):
        digest.update(features[start : start + _LARGEST_BATCH].tobytes())
    return digest.hexdigest()


def _read_cached(path: pathlib.Path, number: int) -> np.ndarray:
    """Reads features that were kept.

    Raises:
      ValueError, OSError, EOFError, KeyError, BadZipFile: they are not what was kept.
    """
    features = on_disk.stored(path, "features")
    with np.load(path) as kept:
        digest = str(kept["digest"])
    if len(features) != number or digest != _digest_of_features(path.stem, features):
        raise ValueError("its digest does not fit")
    return features


def _largest_batch() -> int:
    """Returns how many images fit into half of the memory that is free."""
    try:
        available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 16
    return int(min(max(available // 2 // _BYTES_PER_IMAGE, 1), _LARGEST_BATCH))
