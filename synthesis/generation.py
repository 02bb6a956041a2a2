"""A job of generated images: planned, painted by Apache Beam, described.

OUTPUT holds a data set with a training split only: `crops/` records, `dataset.json`,
`manifest.json` (last: a folder without it is an unfinished job),
and with PNG files also `images/` and `cases.csv`.
"""

import dataclasses
import hashlib
import json
import pathlib
import sys
import threading
from typing import Any, Dict, Iterator, List, Mapping, Sequence

import apache_beam as beam
import numpy as np
from tqdm import tqdm

from preprocessing.data import manifest as cases
from preprocessing.data import records, taxonomy
from preprocessing.sharding import beam_runner, shard_failures
from synthesis import painting
from synthesis.layouts import Layout, LayoutStatistics, vary
from synthesis.painting import ShardPlan, Summary
from synthesis.trained_generator import TrainedGenerator
from synthesis.wanted import Wanted

MANIFEST = "manifest.json"
JOB = "job.json"


@dataclasses.dataclass(frozen=True)
class Job:
    """What to generate.

    Attributes:
      output_dir: folder.
      request: how the user asked, for the manifest.
      layouts: one per map.
      images_per_map: different images of each map.
      seed: of the images.
      png: whether to write PNG files and `cases.csv` as well.
      batch_size: images painted at once.
      images_per_shard: images in one record file; bounds what an interruption costs.
    """

    output_dir: str
    request: Mapping[str, Any]
    layouts: Sequence[Layout]
    images_per_map: int = 1
    seed: int = 0
    png: bool = False
    batch_size: int = 32
    images_per_shard: int = 1024

    def __post_init__(self) -> None:
        for name in ("images_per_map", "batch_size", "images_per_shard"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} is not positive")

    @property
    def count(self) -> int:
        """Returns the number of images."""
        return len(self.layouts) * self.images_per_map


def choose_layouts(
    wanted: Sequence[Wanted],
    sources: Sequence[Layout],
    statistics: Mapping[str, LayoutStatistics],
    image_size: int,
    seed: int,
) -> List[Layout]:
    """Gives every wanted image a layout.

    Boxes that are asked for are taken as they are. Else a layout of the condition, of
    the same skin type where there is one, is taken from the sources and moved about;
    where the sources have none, or are empty, one is drawn from the statistics.

    Args:
      wanted: what each image must show.
      sources: layouts to vary, usually of the validation split.
      statistics: by condition.
      image_size: rows and columns.
      seed: layout i depends on the sources, the seed, i and what i must show alone.
    """
    by_condition: Dict[str, List[Layout]] = {}
    for layout in sources:
        by_condition.setdefault(layout.condition, []).append(layout)
    chosen = []
    for index, one in enumerate(wanted):
        rng = np.random.default_rng([seed, 4, index])
        if one.boxes is not None:
            chosen.append(Layout(one.condition, one.skin_type, one.boxes))
            continue
        known = by_condition.get(one.condition, [])
        same_type = [layout for layout in known if layout.skin_type == one.skin_type]
        candidates = same_type or known
        if candidates:
            source = candidates[int(rng.integers(len(candidates)))]
            layout = dataclasses.replace(source, skin_type=one.skin_type)
            chosen.append(vary(layout, image_size, rng))
        else:
            drawn = statistics[one.condition].sample(one.condition, one.skin_type, image_size, rng)
            chosen.append(drawn)
    return chosen


def plan_shards(job: Job, generator: TrainedGenerator) -> List[ShardPlan]:
    """Divides a job into record files, whatever the number of workers."""
    maps_per_shard = max(job.images_per_shard // job.images_per_map, 1)
    number = -(-len(job.layouts) // maps_per_shard)
    return [
        ShardPlan(
            name=records.shard_name("train", index, number),
            folder=job.output_dir,
            run_dir=generator.run_dir,
            step=generator.step,
            generator_digest=generator.digest,
            first=index * maps_per_shard * job.images_per_map,
            seed=job.seed,
            images_per_map=job.images_per_map,
            layouts=tuple(job.layouts[index * maps_per_shard : (index + 1) * maps_per_shard]),
            png=job.png,
            batch_size=job.batch_size,
        )
        for index in range(number)
    ]


def _job_digest(plans: Sequence[ShardPlan]) -> str:
    return hashlib.sha256("".join(plan.digest for plan in plans).encode()).hexdigest()


def prepare_output(job: Job, plans: Sequence[ShardPlan]) -> None:
    """Makes the output folder, or finds this very job in it.

    Raises:
      ValueError: the folder holds something else.
    """
    folder = pathlib.Path(job.output_dir)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: is a file; --output_dir must be a folder")
    digest = _job_digest(plans)
    if folder.exists() and any(folder.iterdir()):
        try:
            stored = json.loads((folder / JOB).read_text(encoding="utf-8"))["digest"]
        except (OSError, ValueError, KeyError, TypeError):
            raise ValueError(f"{folder}: is not empty; choose another --output_dir") from None
        if stored != digest:
            raise ValueError(
                f"{folder}: holds another job (other request, seed, generator, shards or --png); "
                "choose another --output_dir"
            )
    for name in ("crops", painting.SUMMARIES, *((painting.IMAGES,) if job.png else ())):
        (folder / name).mkdir(parents=True, exist_ok=True)
    _write_json(folder / JOB, {"digest": digest, "images": job.count})


def _write_json(path: pathlib.Path, content: Mapping[str, Any]) -> None:
    _write_text(path, json.dumps(content, indent=2, sort_keys=True) + "\n")


def _write_text(path: pathlib.Path, text: str) -> None:
    """Writes a file that appears under its name only when complete."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


class _Paint(beam.DoFn):
    """Paints one shard."""

    def process(self, plan_json: str) -> Iterator[str]:
        plan = ShardPlan.from_json(plan_json)
        try:
            summary = painting.write_shard(plan)
        except (OSError, ValueError) as error:
            folder = pathlib.Path(plan.folder) / painting.SUMMARIES
            shard_failures.note(folder, plan.name, error)
            return
        beam.metrics.Metrics.counter("synthesis", "images").inc(summary.images)
        yield summary.name


class _Progress:
    """Shows finished images; a shard counts when its file is there."""

    def __init__(self, plans: Sequence[ShardPlan]):
        self._plans = list(plans)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        with tqdm(
            total=sum(plan.count for plan in self._plans),
            desc="generating",
            unit="image",
            file=sys.stderr,
            mininterval=1.0 if sys.stderr.isatty() else 15.0,
        ) as bar:
            waiting = self._plans
            stopped = False
            while not stopped:
                stopped = self._stop.wait(0.5)
                done = [plan for plan in waiting if painting.finished(plan)]
                waiting = [plan for plan in waiting if plan not in done]
                bar.update(sum(plan.count for plan in done))

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        self._thread.join()


def _run_beam(plans: Sequence[ShardPlan], beam_args: Sequence[str]) -> None:
    options = beam_runner.parse_options(beam_args)
    runner: Any = options.get_all_options()["runner"]
    given = options.get_all_options(drop_default=True)
    if runner in (None, "DirectRunner"):
        if "direct_num_workers" not in given:
            # TensorFlow already uses all cores, or the GPU, from one process.
            options.view_as(beam.options.pipeline_options.DirectOptions).direct_num_workers = 1
        runner = beam_runner.local_runner(options, len(plans), 0)
    with (
        beam_runner.quiet(),
        beam_runner.importable_by_workers(),
        beam.Pipeline(runner=runner, options=options) as flow,
    ):
        _ = (
            flow
            | "Plans" >> beam.Create([plan.to_json() for plan in plans])
            | "Spread" >> beam.Reshuffle()
            | "Paint" >> beam.ParDo(_Paint())
        )


def generate(
    job: Job, generator: TrainedGenerator, beam_args: Sequence[str] = ()
) -> Dict[str, Any]:
    """Paints a job; goes on with one that was interrupted.

    Args:
      job: what to generate.
      generator: what with.
      beam_args: Apache Beam options; by default one process on all cores or the GPU.

    Returns:
      What `manifest.json` says.

    Raises:
      ValueError: nothing to paint, a folder that holds something else, unknown
        options, or a disk that is full.
    """
    if not job.layouts:
        raise ValueError("nothing to generate")
    plans = plan_shards(job, generator)
    beam_runner.parse_options(beam_args)
    prepare_output(job, plans)
    missing = [plan for plan in plans if painting.finished(plan) is None]
    if missing:
        with _Progress(plans):
            _run_beam(missing, beam_args)
    summaries = _summaries(plans)
    info = _dataset_info(generator, summaries)
    folder = pathlib.Path(job.output_dir)
    if job.png:
        _write_cases(job, folder)
    _write_text(folder / "dataset.json", info.to_json())
    manifest = _manifest(job, generator, summaries, info)
    _write_json(folder / MANIFEST, manifest)
    return manifest


def _summaries(plans: Sequence[ShardPlan]) -> List[Summary]:
    """Returns the summaries of all shards, or raises what kept one from being painted."""
    summaries = []
    for plan in plans:
        summary = painting.finished(plan)
        if summary is None:
            raise shard_failures.error_of(pathlib.Path(plan.folder) / painting.SUMMARIES, plan.name)
        summaries.append(summary)
    return summaries


def _dataset_info(generator: TrainedGenerator, summaries: Sequence[Summary]) -> records.DatasetInfo:
    counts: Dict[str, Dict[str, int]] = {}
    digest = hashlib.sha256()
    for summary in summaries:
        digest.update(f"{summary.name} {summary.sha256}\n".encode())
        for condition, by_type in summary.counts.items():
            sums = counts.setdefault(condition, {})
            for skin_type, count in by_type.items():
                sums[skin_type] = sums.get(skin_type, 0) + count
    return records.DatasetInfo(
        image_size=generator.image_size,
        full_size=generator.image_size,
        taxonomy=taxonomy.CONDITIONS,
        counts={"crops": {"train": counts}, "full": {}},
        digest=digest.hexdigest(),
        settings={},
        packages=dict(generator.description.get("packages", {})),
        notes={"synthetic": sum(summary.images for summary in summaries)},
    )


def _manifest(
    job: Job,
    generator: TrainedGenerator,
    summaries: Sequence[Summary],
    info: records.DatasetInfo,
) -> Dict[str, Any]:
    differences = [value for summary in summaries for value in summary.differences]
    return {
        "images": job.count,
        "maps": len(job.layouts),
        "images_per_map": job.images_per_map,
        "seed": job.seed,
        "request": dict(job.request),
        "counts": info.counts["crops"]["train"],
        "dataset_digest": info.digest,
        "digital_source_type": "trainedAlgorithmicMedia",
        "generator": {
            "run_dir": generator.run_dir,
            "step": generator.step,
            "digest": generator.digest,
            "config": generator.description["config"],
            "training_data_digest": generator.description["dataset"].get("digest"),
            "packages": generator.description.get("packages", {}),
        },
        "difference_between_images_of_a_map": float(np.mean(differences)) if differences else None,
        "shards": {summary.name: summary.sha256 for summary in summaries},
    }


def _write_cases(job: Job, folder: pathlib.Path) -> None:
    rows = []
    for number in range(job.count):
        layout = job.layouts[number // job.images_per_map]
        name = painting.image_id(number)
        rows.append(
            cases.Photograph(
                case_id=name,
                patient_id=name,
                image_id=name,
                image=f"{painting.IMAGES}/{name}.png",
                condition=layout.condition,
                fitzpatrick=layout.skin_type,
                rois=layout.boxes,
                split="train",
                synthetic=True,
                extra={"seed": str(painting.image_seed(job.seed, number))},
            )
        )
    cases.write_cases(str(folder / "cases.csv"), rows)


def summary_text(manifest: Mapping[str, Any], output_dir: str) -> str:
    """Returns the closing lines of a job."""
    lines = [
        "",
        f"{manifest['images']:,} images of {manifest['maps']:,} maps in {output_dir}:",
        "  crops/          records for training, marked as synthetic",
        "  manifest.json   request, counts, generator, digests",
    ]
    if manifest["difference_between_images_of_a_map"] is not None:
        lines.append(
            "  two images of one map differ by "
            f"{manifest['difference_between_images_of_a_map']:.1f} levels of 255 on average"
        )
    return "\n".join(lines)
