"""The embedded demo data set: drawn and preprocessed where none is given."""

import pathlib

import ml_collections

from preprocessing.data import records
from preprocessing.demo import cases as demo_cases
from preprocessing.sharding import pipeline

NUM_CASES = 320
DEMO_SIZE, OTHER_SIZE = 64, 256  # of crops, by configuration, where none is given
CROPS_PER_PHOTOGRAPH = 3


def make_dataset(folder: str, config: ml_collections.ConfigDict, num_cases: int = NUM_CASES) -> str:
    """Draws the demo cases and makes records of them, once.

    Args:
      folder: for cases and records; what is complete there is used again.
      config: of the training that follows; its image size is the crops'.
      num_cases: consultations to draw.

    Returns:
      The directory of the records.
    """
    root = pathlib.Path(folder)
    cases_csv = root / f"cases_{num_cases}" / "cases.csv"
    if not cases_csv.exists():
        demo_cases.write_demo_cases(str(cases_csv.parent), num_cases=num_cases, overwrite=True)
    default = DEMO_SIZE if config.name == "demo" else OTHER_SIZE
    image_size = config.model.image_size or default
    data_dir = root / f"records_{num_cases}_{image_size}"
    if (data_dir / "dataset.json").exists():
        records.read_info(str(data_dir))
        return str(data_dir)
    settings = pipeline.Settings(image_size=image_size, crops_per_photograph=CROPS_PER_PHOTOGRAPH)
    pipeline.preprocess(str(cases_csv), str(data_dir), settings, overwrite=True)
    return str(data_dir)
