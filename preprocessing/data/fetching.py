"""Records in object storage, copied once to where TensorFlow can read them.

TensorFlow 2.15 alone reads no `s3://`, and reading `gs://` again in every epoch costs more than a
copy. The copy is compared with the digest that `dataset.json` holds, and kept in the user's
cache by address and digest: other records in the same place are copied anew.
"""

import concurrent.futures
import hashlib
import json
import os
from typing import List

from common import command_line, files, progress, pseudonyms
from preprocessing.data import records, taxonomy
from preprocessing.data.manifest import SPLITS

KINDS = ("crops", "full")
_OTHERS = (
    *("crops.csv", "rejected.csv", "duplicates.csv", "contact_sheet.png"),
    *(taxonomy.FILE_NAME, pseudonyms.FILE_NAME),
)
_AT_ONCE = 8  # files


def _digest(folder: str, names: List[str]) -> str:
    """Returns the digest of a data set's record files, as its `dataset.json` has it.

    Args:
      folder: where they are.
      names: of the record files, "crops/train-00000-of-00002.tfrecord".
    """
    digest = hashlib.sha256()
    generated = not any(name.startswith("full/") for name in names)

    def order(name: str) -> List[object]:
        kind, _, shard = name.partition("/")
        return [SPLITS.index(shard.partition("-")[0]), shard, KINDS.index(kind)]

    for name in sorted(names, key=order):
        shown = name.partition("/")[2] if generated else name
        digest.update(f"{shown} {files.sha256_of(os.path.join(folder, name))}\n".encode())
    return digest.hexdigest()


def local_copy(data_dir: str) -> str:
    """Returns a folder of this machine with the records of a data set.

    Args:
      data_dir: what `//preprocessing:preprocess` or `//synthesis:generate` wrote, as a flag
        names it; one that is on this machine is not copied.

    Raises:
      ValueError: there is no data set, or its files are not those that were written.
      OSError: the storage does not give them; what was copied is kept.
    """
    data_dir = command_line.user_path(data_dir, remote=True)
    if not files.is_remote(data_dir):
        return data_dir
    data_dir = data_dir.rstrip("/")
    about = f"{data_dir}/dataset.json"
    try:
        description = files.read_bytes(about)
        expected = json.loads(description)["digest"]
    except FileNotFoundError as error:
        cure = "make a data set with //preprocessing:preprocess"
        raise ValueError(f"{about}: no such file; {cure}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{about}: not a data set description ({error})") from error
    key = files.digest_of([data_dir, files.digest_of(description.decode("utf-8", "replace"))])
    folder = os.path.join(files.user_cache_dir("records"), key[:24])
    if os.path.exists(os.path.join(folder, "dataset.json")):
        return folder
    shards = [
        f"{kind}/{path.name}"
        for kind in KINDS
        for path in files.list_folder(f"{data_dir}/{kind}")
        if records.is_shard(path.name)
    ]
    names = [*shards, *_OTHERS]
    os.makedirs(os.path.dirname(folder), mode=0o700, exist_ok=True)

    def copy(name: str) -> None:
        try:
            files.fetch(f"{data_dir}/{name}", os.path.join(folder, name))
        except FileNotFoundError:
            # Asked for by name, since a listing may lag: not every data set has all of them.
            if name not in _OTHERS:
                raise

    with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in progress.bar(pool.map(copy, names), len(names), f"copying {data_dir}", "files"):
            pass
    if _digest(folder, shards) != expected:
        for name in names:
            files.remove(os.path.join(folder, name))
        raise ValueError(
            f"{data_dir}: its records are not those that dataset.json tells of: some are missing, "
            "damaged or being replaced"
        )
    files.write_bytes(os.path.join(folder, "dataset.json"), description)
    return folder
