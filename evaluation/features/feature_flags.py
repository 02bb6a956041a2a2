"""Flags that say which features are measured.

For programs only; the library takes arguments.
"""

import sys
from typing import Optional, Tuple

from absl import flags

from common import command_line
from evaluation.features import image_sets, networks

_FEATURE_NETWORK = flags.DEFINE_string(
    "feature_network",
    None,
    f"TF-Hub handle or SavedModel path; default {networks.DEFAULT_NETWORK}. "
    f"{networks.EMBEDDED_NETWORK!r} has random weights, to try the program without a network.",
)
_LAYER = flags.DEFINE_string("layer", None, f"Of the network; default {networks.DEFAULT_LAYER}.")
_RESIZE = flags.DEFINE_enum("resize", "bilinear", networks.RESIZE_METHODS, "Resize to 299x299.")
_ANTIALIAS = flags.DEFINE_bool("antialias", True, "Filter before making smaller.")
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", 0, "Images in the feature network at once; 0 chooses by memory.", 0, 4096
)
_CACHE_DIR = flags.DEFINE_string(
    "cache_dir", None, 'Where features are kept by content; "" for nowhere.'
)


def extractor(data_dir: str, conditions: Optional[Tuple[str, ...]]) -> networks.FeatureExtractor:
    """Loads the feature network that is asked for.

    Args:
      data_dir: records to compare with; the embedded network may stand in for the
        default one if they are of the demo cases.
      conditions: those to compare.
    """
    name = _FEATURE_NETWORK.value
    if name and name != networks.EMBEDDED_NETWORK and "://" not in name:
        name = command_line.user_path(name)
    is_demo = name is None and image_sets.is_demo_dataset(data_dir, conditions)
    network = networks.choose_network(name, _LAYER.value, is_demo)
    if name is None and network.name == networks.EMBEDDED_NETWORK:
        print(
            "note: TF-GAN's Inception cannot be fetched. As this is demo data, a small embedded\n"
            "network of random weights stands in: ITS DISTANCES ARE NOT FID and compare with no\n"
            "published number.",
            file=sys.stderr,
        )
    cache = networks.default_cache_dir() if _CACHE_DIR.value is None else _CACHE_DIR.value
    return networks.FeatureExtractor(
        network,
        resize=_RESIZE.value,
        antialias=_ANTIALIAS.value,
        batch_size=_BATCH_SIZE.value,
        cache_dir=command_line.user_path(cache) if cache else "",
    )
