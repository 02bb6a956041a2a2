"""Which photographs a reader study shows, and what synthetic pictures beside them.

A synthetic picture has the condition and skin type of a photograph beside it, so that
what is shown does not tell what is real. Nor does seeing it again: of a photograph's
crops, which are alike, one is shown; and where there are too few photographs and one is
in two tests, so is the synthetic picture that goes with it.
"""

import collections
import dataclasses
from typing import Collection, Dict, Iterable, List, Mapping, Sequence, Tuple

import numpy as np

from evaluation.reader_study.design import Design, Material, Picture
from preprocessing.data import taxonomy


@dataclasses.dataclass(frozen=True)
class Photograph:
    """A crop that may be shown.

    Attributes:
      index: its place among the crops of its split.
      condition: an entry of `taxonomy.CONDITIONS`.
      skin_type: Fitzpatrick type, 1..6.
      patient_id: of the person.
      image_id: of the photograph, which its other crops share.
    """

    index: int
    condition: str
    skin_type: int
    patient_id: str
    image_id: str


class _Supply:
    """Deals photographs: new ones to a part first, then the least used, of all patients."""

    def __init__(self, photographs: Iterable[Photograph], rng: np.random.Generator) -> None:
        crops = list(photographs)
        shuffled = [crops[place] for place in rng.permutation(len(crops))]
        self._stock = list({one.image_id: one for one in shuffled}.values())
        self._uses: Dict[int, int] = collections.Counter()
        self._uses_in_part: Dict[int, int] = collections.Counter()
        self._patients: Dict[str, int] = collections.Counter()

    def counts(self) -> Dict[str, int]:
        """Returns the number of photographs by condition, in the order of the taxonomy."""
        counts = collections.Counter(one.condition for one in self._stock)
        return {name: counts[name] for name in taxonomy.CONDITIONS if counts[name]}

    def begin_part(self) -> None:
        """Begins a part of the study, which prefers what it has not shown yet."""
        self._uses_in_part.clear()

    def _wear(self, one: Photograph) -> Tuple[int, int, int]:
        return (
            self._uses_in_part[one.index],
            self._uses[one.index],
            self._patients[one.patient_id],
        )

    def take(self, number: int, conditions: Collection[str]) -> List[Photograph]:
        """Returns different photographs; there must be enough."""
        left = [one for one in self._stock if one.condition in conditions]
        taken = []
        for _ in range(number):
            best = min(left, key=self._wear)
            left.remove(best)
            taken.append(best)
            self._uses_in_part[best.index] += 1
            self._uses[best.index] += 1
            self._patients[best.patient_id] += 1
        return taken


def _in_turns(available: Mapping[str, int], number: int, start: int = 0) -> List[str]:
    """Deals `number` places to names in turns, as many to each as are available at most."""
    names = list(available)
    names = names[start:] + names[:start]
    turns = [(turn, name) for name in names for turn in range(available[name])]
    return [name for _, name in sorted(turns, key=lambda one: one[0])[:number]]


class _Builder:
    """Collects the pictures of the parts of a study."""

    def __init__(self, supply: _Supply, rng: np.random.Generator) -> None:
        self.supply = supply
        self.pictures: Dict[str, Picture] = {}
        self._names: Dict[Tuple[object, ...], str] = {}
        self._rng = rng

    def _name(self, picture: Picture, *thing: object) -> str:
        """Returns the id of a thing's picture, which is made once."""
        if thing not in self._names:
            self._names[thing] = f"p{len(self._names):05d}"
            self.pictures[self._names[thing]] = dataclasses.replace(
                picture, picture_id=self._names[thing]
            )
        return self._names[thing]

    def photographs(self, number: int, conditions: Collection[str]) -> List[str]:
        return [
            self._name(
                Picture("", False, one.condition, one.skin_type, one.index, one.patient_id),
                one.index,
            )
            for one in self.supply.take(number, conditions)
        ]

    def synthetic(self, number: int, like: Sequence[str]) -> List[str]:
        """Adds pictures that go with photographs, with each in turn."""
        names = []
        for place in range(number):
            turn, which = divmod(place, len(like))
            model = self.pictures[like[which]]
            picture = Picture("", True, model.condition, model.skin_type)
            names.append(self._name(picture, "like", model.crop, turn))
        return names

    def realism(self, design: Design) -> Tuple[str, ...]:
        counts = self.supply.counts()
        if design.real > sum(counts.values()):
            raise ValueError(
                f"{design.real} photographs are asked for, but the test split has only "
                f"{sum(counts.values())} different ones of these conditions; pass "
                f"--real={sum(counts.values())} or less"
            )
        shares = collections.Counter(_in_turns(counts, design.real))
        real = [
            name
            for condition, number in shares.items()
            for name in self.photographs(number, (condition,))
        ]
        order = self._rng.permutation(len(real))
        return (*real, *self.synthetic(design.synthetic, [real[place] for place in order]))

    def pairs(self, number: int) -> Tuple[Tuple[str, str], ...]:
        counts = self.supply.counts()
        if number > sum(counts.values()):
            raise ValueError(
                f"{number} pairs are asked for, but the test split has {sum(counts.values())} "
                f"photographs of these conditions; pass --pairs={sum(counts.values())} or less"
            )
        pairs = []
        for condition, share in collections.Counter(_in_turns(counts, number)).items():
            real = self.photographs(share, (condition,))
            pairs += list(zip(real, self.synthetic(share, real)))
        return tuple(pairs)

    def questions(self, design: Design) -> Tuple[Tuple[str, Tuple[str, ...]], ...]:
        counts = self.supply.counts()
        quarter = design.images_per_question // 4
        possible = {
            name: count // quarter
            for name, count in counts.items()
            # "Other" is not a condition one can ask for.
            if name != taxonomy.OTHER and sum(counts.values()) - count >= quarter
        }
        if design.questions > sum(possible.values()):
            raise ValueError(
                f"{design.questions} questions with {quarter} photographs of the condition in each "
                f"are asked for, but the test split has photographs for "
                f"{sum(possible.values())}; pass fewer --questions or --images_per_question"
            )
        start = int(self._rng.integers(len(possible)))
        asked = _in_turns(possible, design.questions, start)
        # First for all questions, so that none is asked about the same ones again.
        relevant = [self.photographs(quarter, (condition,)) for condition in asked]
        questions = []
        for condition, shown in zip(asked, relevant):
            others = self.photographs(quarter, set(counts) - {condition})
            painted = self.synthetic(quarter, shown) + self.synthetic(quarter, others)
            questions.append((condition, (*shown, *others, *painted)))
        return tuple(questions)


def choose(design: Design, photographs: Iterable[Photograph], seed: int) -> Material:
    """Chooses the pictures of a study.

    Conditions take turns. The realism test, a pair and a question never show a
    photograph twice; two of them show the same one only where there are too few.

    Args:
      design: how many of what.
      photographs: to choose from.
      seed: of the choice.

    Raises:
      ValueError: there are fewer than asked for.
    """
    rng = np.random.default_rng([seed, 0])
    builder = _Builder(_Supply(photographs, rng), rng)
    realism = builder.realism(design) if design.real else ()
    builder.supply.begin_part()
    pairs = builder.pairs(design.pairs) if design.pairs else ()
    builder.supply.begin_part()
    questions = builder.questions(design) if design.questions else ()
    return Material(builder.pictures, realism, pairs, questions)
