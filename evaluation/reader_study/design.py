"""What a reader study asks, and in which order it asks each reader.

The paper's human tests (section 3, Figure 7): in the first, readers say of each of 80
photographs and 80 synthetic images whether it is real; in the second they choose, in
16 questions, the images that show a given condition. Ours add pictures shown twice, to
see how far readers agree with themselves, and pairs of which one is real.

Every reader gets the same pictures, so that readers can be compared; the order is each
reader's own. It follows from the seed, which readers must not know: with it they could
work out the answers.
"""

import collections
import dataclasses
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np

REALISM, PAIR, RELEVANCE = "realism", "pair", "relevance"
KINDS = (REALISM, PAIR, RELEVANCE)


@dataclasses.dataclass(frozen=True)
class Design:
    """How much a study asks; the numbers of the paper, 0 leaves a part out.

    Attributes:
      real: photographs of the realism test.
      synthetic: its synthetic images.
      repeats: of these pictures, how many are shown a second time.
      pairs: of a photograph and a synthetic image of the same condition.
      questions: of the relevance test, each about a condition.
      images_per_question: a quarter each of real and relevant, real and not, synthetic
        and relevant, synthetic and not.
    """

    real: int = 80
    synthetic: int = 80
    repeats: int = 16
    pairs: int = 0
    questions: int = 16
    images_per_question: int = 12

    def __post_init__(self) -> None:
        """Raises ValueError for numbers that make no study."""
        for field in dataclasses.fields(self):
            if getattr(self, field.name) < 0:
                raise ValueError(f"{field.name} {getattr(self, field.name)} is negative")
        if bool(self.real) != bool(self.synthetic):
            raise ValueError(
                f"the realism test needs both kinds of pictures, not {self.real} real and "
                f"{self.synthetic} synthetic"
            )
        if not self.real + self.pairs + self.questions:
            raise ValueError("the study is empty: no pictures, pairs or questions")
        if self.real and self.repeats > min(self.real, self.synthetic) // 2:
            raise ValueError(
                f"repeats {self.repeats} are too many; at most half of the {self.real} real and of "
                f"the {self.synthetic} synthetic pictures, the lesser of the two, can be repeated"
            )
        if self.questions and (self.images_per_question < 4 or self.images_per_question % 4):
            raise ValueError(
                f"images_per_question {self.images_per_question} is not a multiple of 4"
            )


@dataclasses.dataclass(frozen=True)
class Picture:
    """What is shown, or to be painted and shown.

    Attributes:
      picture_id: neutral name, for the answer key.
      synthetic: whether a generator makes it.
      condition: what it shows.
      skin_type: Fitzpatrick type, 1..6.
      crop: its place among the crops of the test split; -1 for synthetic ones.
      source: whose it is: pictures of one source are not independent. The patient; for
        synthetic ones what they were painted from, known when they are.
    """

    picture_id: str
    synthetic: bool
    condition: str
    skin_type: int
    crop: int = -1
    source: str = ""


@dataclasses.dataclass(frozen=True)
class Trial:
    """One thing a reader is asked.

    Attributes:
      trial_id: unique within a reader; tells nothing but the order.
      kind: one of `KINDS`.
      pictures: ids, in the order shown.
      about: what is asked, under a name that is the same for all readers.
      condition: what a relevance question asks for; else "".
      repeat: whether the picture is shown a second time, to see if the answer stays.
    """

    trial_id: str
    kind: str
    pictures: Tuple[str, ...]
    about: str
    condition: str = ""
    repeat: bool = False


@dataclasses.dataclass(frozen=True)
class Material:
    """The pictures of a study and what is asked of them.

    Attributes:
      pictures: by id.
      realism: ids of the first test.
      pairs: ids, the photograph first.
      questions: condition and ids of each.
    """

    pictures: Mapping[str, Picture]
    realism: Tuple[str, ...]
    pairs: Tuple[Tuple[str, str], ...]
    questions: Tuple[Tuple[str, Tuple[str, ...]], ...]

    @property
    def reused(self) -> int:
        """Number of photographs that are in more than one test, pair or question."""
        uses = collections.Counter(self.realism)
        for group in (*self.pairs, *(names for _, names in self.questions)):
            uses.update(group)
        return sum(uses[name] > 1 for name, one in self.pictures.items() if not one.synthetic)


def _realism_order(
    material: Material, repeats: int, rng: np.random.Generator
) -> List[Tuple[str, bool]]:
    """Orders the pictures of the first test; repeats come half a test after the first time."""
    order = [material.realism[place] for place in rng.permutation(len(material.realism))]
    half = len(order) // 2
    # As many of each kind; where the first half has too few of one, more of the other.
    kinds: Dict[bool, List[str]] = {False: [], True: []}
    for place in rng.permutation(half):
        kinds[material.pictures[order[place]].synthetic].append(order[place])
    synthetic = min(repeats // 2, len(kinds[True]))
    real = min(repeats - synthetic, len(kinds[False]))
    again = {*kinds[False][:real], *kinds[True][: repeats - real]}
    sequence = []
    for place, name in enumerate(order):
        sequence.append((name, False))
        if place >= half and order[place - half] in again:
            sequence.append((order[place - half], True))
    return sequence


def trials(material: Material, repeats: int, seed: int, reader: int) -> Tuple[Trial, ...]:
    """Puts a study into a reader's own order.

    Args:
      material: what is shown.
      repeats: `Design.repeats`.
      seed: of the study.
      reader: number of the reader.

    Returns:
      Realism, pairs, relevance, each shuffled; left and right, and the places of the
      images of a question, are shuffled too.
    """
    rng = np.random.default_rng([seed, 1, reader])
    shown: List[Trial] = []

    def add(kind: str, pictures: Sequence[str], about: str, **more: Any) -> None:
        number = sum(one.kind == kind for one in shown) + 1
        shown.append(Trial(f"{kind}_{number:03d}", kind, tuple(pictures), about, **more))

    for name, repeat in _realism_order(material, repeats, rng) if material.realism else ():
        add(REALISM, (name,), name, repeat=repeat)
    for place in rng.permutation(len(material.pairs)):
        add(PAIR, rng.permutation(material.pairs[place]).tolist(), f"pair_{place:03d}")
    for place in rng.permutation(len(material.questions)):
        condition, pictures = material.questions[place]
        shuffled = rng.permutation(pictures).tolist()
        add(RELEVANCE, shuffled, f"question_{place:03d}", condition=condition)
    return tuple(shown)
