"""Flags that say which features are measured.

For programs only; the library takes arguments.
"""

import sys
from typing import ContextManager, List, Optional, Tuple

from absl import flags

from common import command_line, files
from evaluation.features import networks
from evaluation.features.networks import FeatureExtractor
from preprocessing.data import records

_FEATURE_NETWORK = flags.DEFINE_string(
    "feature_network",
    None,
    "TF-Hub handle, path of a SavedModel or of an ONNX file (NET.onnx; NET.yaml beside it says "
    f"size, mean, deviation and output); default {networks.DEFAULT_NETWORK}. "
    f"{networks.EMBEDDED_NETWORK!r} has random weights, to try the program without a network. "
    "//evaluation:fid takes several, with commas between.",
)
_LAYER = flags.DEFINE_string(
    "layer",
    None,
    f"Of the network; default {networks.DEFAULT_LAYER}; with several networks one for each, or "
    "none. Of an ONNX file the output; OUTPUT[0] is the first token of [N, tokens, dimension].",
)
_NETWORK_SIZE = flags.DEFINE_integer(
    "network_size", None, "Rows and columns that an ONNX file takes.", 16, 2048
)
_NETWORK_MEAN = flags.DEFINE_list(
    "network_mean", None, "What it takes away from red, green and blue in 0..1."
)
_NETWORK_DEVIATION = flags.DEFINE_list("network_deviation", None, "What it divides them by then.")
_RESIZE = flags.DEFINE_enum(
    "resize", "bilinear", networks.RESIZE_METHODS, "Resize to the network's size."
)
_ANTIALIAS = flags.DEFINE_bool("antialias", True, "Filter before making smaller.")
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", 0, "Images in the feature network at once; 0 chooses by memory.", 0, 4096
)
_CACHE_DIR = flags.DEFINE_string(
    "cache_dir", None, 'Where features are kept by content; "" for nowhere.'
)


def passed_on(several: bool) -> List[str]:
    """Returns the flags that were given, for another program.

    Args:
      several: whether that takes several networks; otherwise it gets the first.
    """
    given = []
    for flag in flags.FLAGS.flags_by_module_dict()[__name__]:
        if flag.present and flag.name in ("feature_network", "layer") and not several:
            given.append(f"--{flag.name}={flag.value.split(',')[0]}")
        elif flag.present:
            given.append(flag.serialize())
    return given


def extractor(data_dir: str, conditions: Optional[Tuple[str, ...]]) -> FeatureExtractor:
    """Loads the feature network that is asked for; arguments and errors as of `extractors`."""
    found = extractors(data_dir, conditions, several=False)
    return found[0]


def extractors(
    data_dir: str, conditions: Optional[Tuple[str, ...]], several: bool = True
) -> List[FeatureExtractor]:
    """Loads the feature networks that are asked for, in this order.

    Args:
      data_dir: records to compare with; the embedded network may stand in for the
        default one if they are of the demo cases.
      conditions: those to compare.
      several: whether there may be more than one.

    Raises:
      ValueError: one cannot be had, they are too many, or flags do not fit them.
    """
    names = _FEATURE_NETWORK.value.split(",") if _FEATURE_NETWORK.value else [None]
    layers = _LAYER.value.split(",") if _LAYER.value else [None] * len(names)
    if len(names) > 1 and not several:
        raise ValueError(f"--feature_network={_FEATURE_NETWORK.value}: this program takes one")
    if len(names) != len(layers) or len(set(zip(names, layers))) < len(names):
        raise ValueError(
            f"--feature_network={_FEATURE_NETWORK.value} --layer={_LAYER.value}: one layer for "
            "each network is needed, and none twice"
        )
    return [_extractor(*one, data_dir, conditions) for one in zip(names, layers)]


def stoppable() -> ContextManager[None]:
    """Ends a program that measures by features quietly on Ctrl-C, and says what is kept."""
    kept = "nothing is kept" if _cache_dir() == "" else f"finished features are in {_cache_dir()}"
    return command_line.stoppable(f"the same command begins again; {kept}")


def _cache_dir() -> str:
    cache = files.user_cache_dir("features") if _CACHE_DIR.value is None else _CACHE_DIR.value
    return command_line.user_path(cache) if cache else ""


def _network(name: Optional[str], layer: Optional[str], is_demo: bool) -> networks.FeatureNetwork:
    settings = {
        "size": _NETWORK_SIZE.value,
        "mean": _NETWORK_MEAN.value,
        "deviation": _NETWORK_DEVIATION.value,
    }
    if name and name.endswith(networks.ONNX_SUFFIX):
        from evaluation.features import onnx_networks  # takes a second to load

        return onnx_networks.load_network(name, {**settings, "output": layer})
    if unused := [f"--network_{field}" for field, value in settings.items() if value is not None]:
        raise ValueError(f"{', '.join(unused)}: for a --feature_network that is an ONNX file")
    return networks.choose_network(name, layer, is_demo)


def _extractor(
    name: Optional[str],
    layer: Optional[str],
    data_dir: str,
    conditions: Optional[Tuple[str, ...]],
) -> FeatureExtractor:
    if name and name != networks.EMBEDDED_NETWORK and "://" not in name:
        name = command_line.user_path(name)
    network = _network(
        name, layer, name is None and records.is_demo_dataset(data_dir, "test", conditions)
    )
    if name is None and network.name == networks.EMBEDDED_NETWORK:
        print(
            "note: TF-GAN's Inception cannot be fetched. As this is demo data, a small embedded\n"
            "network of random weights stands in: ITS DISTANCES ARE NOT FID and compare with no\n"
            "published number.",
            file=sys.stderr,
        )
    return FeatureExtractor(
        network,
        resize=_RESIZE.value,
        antialias=_ANTIALIAS.value,
        batch_size=_BATCH_SIZE.value,
        cache_dir=_cache_dir(),
    )
