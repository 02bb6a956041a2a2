"""A job of generated images: asked for, planned, painted by Apache Beam, described.

OUTPUT holds a data set with a training split only: `crops/` records, `dataset.json`,
`manifest.json` (last: a folder without it is an unfinished job),
and with PNG files also `images/` and `cases.csv`.
"""

import collections
import dataclasses
import hashlib
import json
import os
import pathlib
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from common import addresses, files, locks
from model import noise
from preprocessing.data import manifest, records, taxonomy
from preprocessing.sharding import beam_runner, jobs
from synthesis import painting, photograph_codes
from synthesis.layouts import Layout, LayoutStatistics, fit_statistics, read_layouts, vary
from synthesis.painting import ShardPlan
from synthesis.photograph_codes import Source
from synthesis.trained_generator import TrainedGenerator
from synthesis.wanted import (
    Request,
    Wanted,
    balance_table,
    check_seen,
    training_cells,
    unseen_pairs,
)

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
      like: photograph whose code all are painted with; None draws a code for each.
      seeds: of the images where the request names them, by map, None for others.
    """

    output_dir: str
    request: Mapping[str, Any]
    layouts: Sequence[Layout]
    images_per_map: int = 1
    seed: int = 0
    png: bool = False
    batch_size: int = 32
    images_per_shard: int = 1024
    like: Optional[Source] = None
    seeds: Sequence[Optional[int]] = ()

    def __post_init__(self) -> None:
        if self.seeds and self.images_per_map > 1:
            raise ValueError(
                f"--images_per_map={self.images_per_map}: a request with seeds is one image a map"
            )
        for name in ("images_per_map", "batch_size", "images_per_shard"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} is not positive")

    @property
    def count(self) -> int:
        """Returns the number of images."""
        return len(self.layouts) * self.images_per_map

    def seed_of(self, number: int) -> int:
        """Returns the seed that image `number` is painted with, int64."""
        asked = self.seeds[number] if self.seeds else None
        return painting.image_seed(self.seed, number) if asked is None else asked


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


def plan(
    request: Request,
    generator: TrainedGenerator,
    data_dir: str,
    output_dir: str,
    allow_unseen: bool = False,
    seed: int = 0,
    like: Optional[str] = None,
    **settings: Any,
) -> Tuple[Job, str, str]:
    """Plans a job.

    Args:
      request: what is wanted.
      generator: paints it.
      data_dir: records that the maps come from, and whose gaps `balance` fills.
      output_dir: folder of the job.
      allow_unseen: whether conditions may be painted that the generator was not trained
        on.
      seed: of maps and images.
      like: image_id or pseudonym of a photograph of the records; all images are painted
        with its code.
      **settings: further fields of `Job`.

    Returns:
      The job; a table of the training crops before and after it; and a warning of pairs
      of condition and skin type that the generator has not seen, or "".

    Raises:
      ValueError: records of another size, a request that cannot be met, or a photograph
        that cannot be encoded.
    """
    info = records.read_info(data_dir)
    generator.check_dataset(data_dir, info)
    source = photograph_codes.find(generator, data_dir, like)[0] if like else None
    if source and source.split == "test":
        raise ValueError(
            f"--like={like}: a test photograph; records painted with its code would bring it "
            "into training"
        )
    size = generator.image_size
    cells = training_cells(info, generator.conditions)
    wanted = request.wanted(cells, size)
    if not allow_unseen:
        check_seen(wanted, generator.conditions)
    sources = []
    if request.maps == "validation":
        sources = read_layouts(data_dir, "validation")
    statistics = fit_statistics(read_layouts(data_dir, "train"), size)
    seeds = [one.seed for one in wanted]
    job = Job(
        output_dir=output_dir,
        request=request.as_dict(),
        layouts=choose_layouts(wanted, sources, statistics, size, seed),
        images_per_map=request.images_per_map,
        seed=seed,
        like=source,
        seeds=seeds if any(one is not None for one in seeds) else (),
        **settings,
    )
    return job, balance_table(cells, wanted), unseen_pairs(wanted, cells)


def plan_shards(job: Job, generator: TrainedGenerator) -> List[ShardPlan]:
    """Divides a job into record files, whatever the number of workers."""
    maps_per_shard = max(job.images_per_shard // job.images_per_map, 1)
    number = -(-len(job.layouts) // maps_per_shard)
    return [
        ShardPlan(
            name=records.shard_name("train", index, number),
            run_dir=os.path.abspath(generator.run_dir),
            step=generator.step,
            generator_digest=generator.digest,
            first=index * maps_per_shard * job.images_per_map,
            seed=job.seed,
            images_per_map=job.images_per_map,
            layouts=tuple(job.layouts[index * maps_per_shard : (index + 1) * maps_per_shard]),
            png=job.png,
            batch_size=job.batch_size,
            like=job.like,
            seeds=tuple(job.seeds[index * maps_per_shard : (index + 1) * maps_per_shard]),
        )
        for index in range(number)
    ]


_OF_A_JOB = (
    ".job",
    "crops",
    painting.IMAGES,
    "cases.csv",
    taxonomy.FILE_NAME,
    "dataset.json",
    MANIFEST,
)


def _check_output(job: Job, shards: Sequence[jobs.Shard], overwrite: bool) -> None:
    """Makes the output folder this job's, or finds this very job in it.

    Raises:
      ValueError: the folder holds something else; `overwrite` removes another job only.
    """
    folder = files.at(job.output_dir)
    digest = files.digest_of([painting.origin(shard.plan) for shard in shards])
    # The job is asked for by its name: a listing may lag.
    if (folder / JOB).exists() or any(
        not path.name.startswith(locks.FILE_NAME) for path in files.list_folder(folder)
    ):
        try:
            stored = json.loads(files.read_text(folder / JOB))["digest"]
        except (OSError, ValueError, KeyError, TypeError):
            raise ValueError(f"{folder}: is not empty; choose another --output_dir") from None
        if stored != digest and not overwrite:
            raise ValueError(
                f"{folder}: holds another job (another request, --seed, --run_dir, --step, "
                "--images_per_shard or --format); choose another --output_dir or pass --overwrite"
            )
        if stored != digest:
            for name in _OF_A_JOB:
                files.remove(folder / name)
    files.write_json(folder / JOB, {"digest": digest, "images": job.count})


def generate(
    job: Job,
    generator: TrainedGenerator,
    beam_args: Sequence[str] = (),
    overwrite: bool = False,
) -> Dict[str, Any]:
    """Paints a job; goes on with one that was interrupted.

    Args:
      job: what to generate.
      generator: what with.
      beam_args: Apache Beam options; by default one process on all cores or the GPU.
      overwrite: whether another job in the folder may be replaced.

    Returns:
      What `manifest.json` says.

    Raises:
      ValueError: nothing to paint, a folder that holds something else or that another
        run writes to, unknown options, or a disk that is full.
    """
    if not job.layouts:
        raise ValueError("nothing to generate")
    beam_runner.parse_options(beam_args)
    folder = files.at(job.output_dir)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: is a file; --output_dir must be a folder")
    shards = [
        jobs.Shard(plan.name, plan.to_json(), plan.count) for plan in plan_shards(job, generator)
    ]
    with locks.only_writer(folder) as lease:
        _check_output(job, shards, overwrite)
        for name in (MANIFEST, "dataset.json"):
            (folder / name).unlink(missing_ok=True)
        painter = painting.shard_job(job.output_dir, job.png)
        # TensorFlow already uses all cores, or the GPU, from one process.
        names = painter.run(shards, beam_args, "generating", "images", local_workers=1)
        painted = {}
        painter.remove_plans()
        for name, done in zip(names, painter.results(names)):
            crops = done.pop("outputs")[f"crops/{name}"]  # beside them may be many images
            painted[name] = {**done, "sha256": crops["sha256"]}
        info = _dataset_info(generator, painted)
        lease.check()
        if job.png:
            _write_cases(job, folder)
        files.write_text(folder / "dataset.json", info.to_json())
        description = _manifest(job, generator, painted, info)
        files.write_json(folder / MANIFEST, description)
    return description


def check_records(folder: str, shards: Mapping[str, str]) -> None:
    """Raises ValueError where record files of a finished job are not as they were written.

    Args:
      folder: of the job.
      shards: what its manifest says of them: digests by file name.
    """
    for name, digest in shards.items():
        path = pathlib.Path(folder, "crops", name)
        if not path.is_file() or files.sha256_of(path) != digest:
            raise ValueError(
                f"{path}: is not the file that was generated; give the command of "
                "//synthesis:generate again, which makes anew what is damaged or missing"
            )


def _dataset_info(
    generator: TrainedGenerator, painted: Mapping[str, jobs.Content]
) -> records.DatasetInfo:
    counts: jobs.Counts = {}
    digest = hashlib.sha256()
    for name, done in painted.items():
        digest.update(f"{name} {done['sha256']}\n".encode())
        jobs.add_counts(counts, done["counts"])
    of_type = collections.Counter[str]()
    for by_type in counts.values():
        of_type.update(by_type)
    unknown = of_type.pop(str(taxonomy.UNKNOWN_SKIN_TYPE), 0)
    sources = {"requested": of_type.total(), manifest.UNKNOWN: unknown}
    sources = {source: count for source, count in sources.items() if count}
    return records.DatasetInfo(
        image_size=generator.image_size,
        full_size=generator.image_size,
        taxonomy=taxonomy.conditions(),
        aliases=dict(taxonomy.current().aliases),
        counts={"crops": {"train": counts}, "full": {}},
        digest=digest.hexdigest(),
        settings={},
        packages=dict(generator.description.get("packages", {})),
        notes={"synthetic": sum(done["images"] for done in painted.values())},
        skin_type_sources={"crops": sources},
    )


def _manifest(
    job: Job,
    generator: TrainedGenerator,
    painted: Mapping[str, jobs.Content],
    info: records.DatasetInfo,
) -> Dict[str, Any]:
    differences = [value for done in painted.values() for value in done["differences"]]
    return {
        "images": job.count,
        "maps": len(job.layouts),
        "images_per_map": job.images_per_map,
        "seed": job.seed,
        "noise": noise.GENERATOR,
        "code_source": job.like.photograph if job.like else records.DRAWN_CODE,
        "request": dict(job.request),
        "counts": info.counts["crops"]["train"],
        "dataset_digest": info.digest,
        "digital_source_type": "trainedAlgorithmicMedia",
        "generator": {
            "run_dir": addresses.told(generator.run_dir),
            "step": generator.step,
            "conditions": list(generator.conditions),
            "digest": generator.digest,
            "config": generator.description["config"],
            "training_data_digest": generator.description["dataset"].get("digest"),
            "packages": generator.description.get("packages", {}),
        },
        "difference_between_images_of_a_map": float(np.mean(differences)) if differences else None,
        "shards": {name: done["sha256"] for name, done in painted.items()},
    }


def _write_cases(job: Job, folder: pathlib.Path) -> None:
    rows = []
    for number in range(job.count):
        layout = job.layouts[number // job.images_per_map]
        name = painting.image_id(number)
        rows.append(
            manifest.Photograph(
                case_id=name,
                patient_id=name,
                image_id=name,
                image=f"{painting.IMAGES}/{name}.png",
                condition=layout.condition,
                fitzpatrick=layout.skin_type or None,
                rois=layout.boxes,
                split="train",
                synthetic=True,
                extra={
                    "seed": str(job.seed_of(number)),
                    "code_source": job.like.photograph if job.like else records.DRAWN_CODE,
                },
            )
        )
    manifest.write_cases(str(folder / "cases.csv"), rows)
    if taxonomy.current() != taxonomy.PAPER:
        taxonomy.write(folder / taxonomy.FILE_NAME, taxonomy.current())


def summary_text(description: Mapping[str, Any], output_dir: str, run_dir: str) -> str:
    """Returns the closing lines of a job, of the generator of a run."""
    png = (files.at(output_dir) / painting.IMAGES).is_dir()
    lines = [
        "",
        f"{description['images']:,} images of {description['maps']:,} maps in {output_dir}:",
        "  crops/          records for training, marked as synthetic",
        "  manifest.json   request, counts, generator, digests",
    ]
    if png:
        lines += [
            f"  {painting.IMAGES}/         PNG files",
            "  cases.csv       their manifest",
        ]
    if description["difference_between_images_of_a_map"] is not None:
        lines.append(
            "  two images of one map differ by "
            f"{description['difference_between_images_of_a_map']:.1f} levels of 255 on average"
        )
    both = (
        f"//preprocessing:preprocess -- --cases=CASES,{output_dir}/cases.csv "
        f"--image_dir=PHOTOGRAPHS,{output_dir} --output_dir=records_with_synthetic "
        f"--image_size={description['generator']['config']['model']['image_size']}"
    )
    helps = f"//evaluation:augmentation -- --run_dir={run_dir} --synthetic_dir={output_dir}"
    audit = f"//evaluation:memorization -- --run_dir={run_dir}"
    if len(description["generator"]["conditions"]) < 2:  # nothing for a classifier to tell apart
        helps = audit
    if png:
        steps = [f"{audit}  # was a patient copied?", both]
    else:
        steps = [helps]
    lines += [f"{'      ' if n else 'next: '}bazel run {step}" for n, step in enumerate(steps)]
    return "\n".join(lines)
