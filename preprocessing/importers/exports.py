"""Which photograph each image of several exports is, and what their folders say of it.

People put one export beside another: two tasks, each with an `IMG_0001.jpg`; the tasks of
two annotators, and one folder of photographs; train, valid and test. So a name is looked
for in the folders that it says, then as near to its own JSON file as can be. A file that
only lies nearer to another export, which names it too, is not taken: whose it is cannot be
told. A file with the bytes of another, about the same photographs, is a copy of it, and not
what a second person said.
"""

import collections
import dataclasses
import pathlib
import re
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from preprocessing.data.manifest import SPLITS, Rejection
from preprocessing.importers import files
from preprocessing.importers.coco_json import Export, Image
from preprocessing.importers.files import Candidate, PhotographFiles
from preprocessing.importers.formats import Entry, with_photograph

_SPLIT_WORDS = {"train": 0, "training": 0, "valid": 1, "validation": 1, "val": 1, "dev": 1}
_SPLIT_WORDS.update({"test": 2, "testing": 2})


@dataclasses.dataclass(frozen=True)
class Located:
    """Where the images of exports lie.

    Attributes:
      exports: without copies.
      paths: for each of them, the path of each image by its `id`.
      splits: by path, where folders or names of JSON files tell different ones.
      rejections: images without a file.
      notes: what to say about copies and splits, a line each.
    """

    exports: Sequence[Export]
    paths: Sequence[Mapping[str, str]]
    splits: Mapping[str, str]
    rejections: Sequence[Rejection]
    notes: Tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class _Claim:
    """An export's claim to a file.

    Attributes:
      export: its place in the list.
      beside: whether the name, from the export's own folder on, is the file's path.
      fits: see `Candidate`.
      shared: folders that the JSON file and the file share.
      told: whether the file lies below the JSON file's folder, or the name says all folders
        in which they differ.
    """

    export: int
    beside: bool
    fits: bool
    shared: int
    told: bool

    def yields_to(self, other: "_Claim") -> bool:
        """Whether the file is rather the other's."""
        if self.export == other.export or self.beside:
            return False
        if self.fits != other.fits:
            return other.fits
        return other.shared > self.shared and not self.told


def _words(name: str) -> Set[str]:
    """The words of a file's name: "instances_Train.json" is of "instances" and "train"."""
    return set(re.split(r"[\W_]+", pathlib.PurePosixPath(name).stem.lower()))


def _joined(name: str) -> str:
    """A name's words with one separator before, between and after them."""
    return f"_{re.sub('[^0-9a-z]+', '_', name.lower()).strip('_')}_"


def _choose(
    place: int, export: Export, image: Image, found: PhotographFiles, anywhere: bool
) -> Tuple[str, _Claim]:
    """Returns the likeliest file of an image.

    Raises:
      ValueError: none, or several.
    """
    home = pathlib.PurePosixPath(export.name).parts[:-1]
    stem = _joined(pathlib.PurePosixPath(export.name).stem)
    ranked = []
    for one in found.candidates(image.name):
        if not (one.fits or anywhere):
            continue
        shared = files.common_start(home, one.folders)
        beside = one.path == "/".join((*home, image.name))
        # CVAT's annotations/instances_Train.json is about images/Train.
        named = any(_joined(folder) in stem for folder in one.folders[shared:])
        whole = one.path == image.name
        rank = (beside, one.fits, shared, whole, one.common, named, one.exact)
        told = shared == len(home) or (one.fits and one.common >= len(one.folders) - shared)
        ranked.append((rank, one, _Claim(place, beside or whole, one.fits, shared, told)))
    if not ranked:
        raise found.missing(image.name)
    best = max(rank for rank, _, _ in ranked)
    chosen: Dict[str, Candidate] = {one.path: one for rank, one, _ in ranked if rank == best}
    path = found.only(image.name, list(chosen))
    return path, next(claim for _, one, claim in ranked if one.path == path)


class _Found(NamedTuple):
    """Where one export's images lie.

    Attributes:
      export: it.
      paths: by the image's `id`.
      claims: likewise.
      rejections: of images without a file.
    """

    export: Export
    paths: Dict[str, str]
    claims: Dict[str, _Claim]
    rejections: List[Rejection]


def _find(place: int, export: Export, files_of: PhotographFiles) -> _Found:
    """Finds the images of one export, by themselves."""
    stems = collections.Counter(files.stem(name) for name in _names(export))
    found = _Found(export, {}, {}, [])
    for number, image in export.images.items():
        try:
            once = stems[files.stem(image.name)] == 1
            path, claim = _choose(place, export, image, files_of, once)
        except ValueError as error:
            found.rejections.append(_rejection(export, image, error))
            continue
        found.paths[number], found.claims[number] = path, claim
    return found


def _is_copy(one: _Found, other: _Found, files_of: PhotographFiles) -> bool:
    """Whether an export has the bytes of another, and is about the same photographs."""
    return one.export.digest == other.export.digest and all(
        number in other.paths and files_of.digest(path) == files_of.digest(other.paths[number])
        for number, path in one.paths.items()
    )


def locate(exports: Sequence[Export], files_of: PhotographFiles) -> Located:
    """Finds the file of each image of each export."""
    kept: List[_Found] = []
    copies: List[str] = []
    for export in exports:
        found = _find(len(kept), export, files_of)
        same = next((one for one in kept if _is_copy(found, one, files_of)), None)
        if same:
            copies.append(f"{export.name}: passed over, a copy of {same.export.name}")
        else:
            kept.append(found)
    claims: Dict[str, List[_Claim]] = collections.defaultdict(list)
    for one in kept:
        for number, path in one.paths.items():
            claims[path].append(one.claims[number])
    rejections = [rejection for one in kept for rejection in one.rejections]
    for export, paths, own, _ in kept:
        for number, path in list(paths.items()):
            nearer = [one for one in claims[path] if own[number].yields_to(one)]
            if nearer:
                whose = kept[nearer[0].export].export.name
                reason = f"ambiguous: the only {files.stem(path)}.* is {path}, which {whose} names"
                unclear = ValueError(f"{reason} and lies nearer to")
                rejections.append(_rejection(export, export.images[number], unclear))
                del paths[number]
    chosen, own_exports = [one.paths for one in kept], [one.export for one in kept]
    _join_copies(chosen, files_of)
    splits, notes = _splits(own_exports, chosen)
    return Located(own_exports, chosen, splits, rejections, (*copies, *notes))


def _names(export: Export) -> Set[str]:
    return {image.name for image in export.images.values()}


def _rejection(export: Export, image: Image, error: ValueError) -> Rejection:
    # A path on somebody's computer may hold the person's name.
    name = image.name.rsplit("/", 1)[-1] if image.absolute else image.name
    reason = f"{export.name}: image {image.position}: {error}"
    image_id = "/".join((*name.split("/")[:-1], files.stem(name)))
    return Rejection(image.position, image_id, name, "file", reason)


def _join_copies(chosen: Sequence[Dict[str, str]], found: PhotographFiles) -> None:
    """Takes files of the same name and bytes in several exports for one: annotators have copies.

    What one export tells apart stays apart.
    """
    by_name: Dict[str, Set[str]] = collections.defaultdict(set)
    for paths in chosen:
        for path in paths.values():
            by_name[path.rsplit("/", 1)[-1]].add(path)
    first: Dict[str, str] = {}
    for paths in chosen:
        shared = {path for path in paths.values() if len(by_name[path.rsplit("/", 1)[-1]]) > 1}
        alike = collections.Counter(map(found.digest, shared))
        for number, path in paths.items():
            if path in shared and alike[found.digest(path)] == 1:
                paths[number] = first.setdefault(found.digest(path), path)


def _split_word(text: str) -> Optional[str]:
    """Returns the split that a folder is named after, as "Train" or "val2017"."""
    place = _SPLIT_WORDS.get(re.sub(r"[_-]?\d*$", "", text.lower()))
    return None if place is None else SPLITS[place]


def split_of_name(name: str) -> Optional[str]:
    """Returns the one split that is a word of a file's name, if there is one."""
    told = {split for split in map(_split_word, _words(name)) if split}
    return told.pop() if len(told) == 1 else None


def _splits(
    exports: Sequence[Export], chosen: Sequence[Mapping[str, str]]
) -> Tuple[Dict[str, str], Tuple[str, ...]]:
    """Returns the split by path, where there are several, and what to say."""
    found: Dict[str, str] = {}
    for export, paths in zip(exports, chosen):
        told = split_of_name(export.name)
        for path in paths.values():
            folders = [_split_word(folder) for folder in path.split("/")[:-1]]
            split = next((one for one in reversed(folders) if one), None)
            split = split or told
            if split and SPLITS.index(split) >= SPLITS.index(found.get(path, SPLITS[0])):
                found[path] = split
    counts = collections.Counter(found.values())
    if len(counts) > 1:
        numbers = ", ".join(f"{counts[split]} {split}" for split in SPLITS if split in counts)
        return found, (f"splits are those of the folders or files: {numbers}",)
    if counts:
        (split,) = counts
        return {}, (f"all photographs lie in one folder for {split}: splits are drawn by patient",)
    return {}, ()


def source_of(path: str, source: str) -> str:
    """Returns the id that copies of one photograph share, whatever split they are in.

    Args:
      path: of a copy.
      source: name of the photograph, or "" where it is no copy.
    """
    folders = [folder for folder in path.split("/")[:-1] if not _split_word(folder)]
    return "/".join((*folders, source)) if source else ""


def one_split_per_patient(entries: Sequence[Entry]) -> Tuple[List[Entry], List[str]]:
    """Puts a patient whose photographs lie in several splits into the last: test before train."""
    found: Dict[str, Set[str]] = collections.defaultdict(set)
    for entry in entries:
        found[entry.photograph.patient_id].add(entry.photograph.split or "")
    several = {patient for patient, splits in found.items() if len(splits) > 1}
    kept = []
    for entry in entries:
        row = entry.photograph
        if row.patient_id in several:
            last = max(found[row.patient_id] - {""}, key=SPLITS.index)
            entry = with_photograph(entry, split=last)
        kept.append(entry)
    if not several:
        return kept, []
    return kept, [
        f"patients with photographs in several splits: {len(several)}; all of a patient's are put "
        "into the last of train, validation, test"
    ]
