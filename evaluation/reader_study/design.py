"""What a reader study shows and asks, and in which order it asks each reader.

The paper's human tests (section 3, Figure 7): in the first, readers say of each of 80
photographs and 80 synthetic images whether it is real; in the second they choose, in
16 questions, the images that show a given condition. Ours add pictures shown twice, to
see how far readers agree with themselves, and pairs of which one is real.

A synthetic picture has the condition and skin type of a photograph beside it, so that
what is shown does not tell what is real. Nor does seeing it again: of a photograph's
crops, which are alike, one is shown; and where there are too few photographs and one is
in two tests, so is the synthetic picture that goes with it.

Every reader gets the same pictures, so that readers can be compared; the order is each
reader's own. It follows from the seed, which readers must not know: with it they could
work out the answers.
"""

import collections
import dataclasses
from typing import Any, Collection, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from preprocessing.data import manifest, taxonomy

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
        for name, number in dataclasses.asdict(self).items():
            if number < 0:
                raise ValueError(f"{name} {number} is negative")
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
class Photograph:
    """A crop that may be shown.

    Attributes:
      index: its place among the crops of its split.
      condition: a name of the taxonomy.
      skin_type: Fitzpatrick type, 1..6, or 0 for unknown.
      patient_id: of the person.
      image_id: of the photograph, which its other crops share.
      skin_type_source: who says the type, one of `manifest.SKIN_TYPE_SOURCES`.
    """

    index: int
    condition: str
    skin_type: int
    patient_id: str
    image_id: str
    skin_type_source: str = manifest.ANNOTATED


@dataclasses.dataclass(frozen=True)
class Picture:
    """What is shown, or to be painted and shown.

    Attributes:
      picture_id: neutral name, for the answer key.
      synthetic: whether a generator makes it.
      condition: what it shows.
      skin_type: Fitzpatrick type, 1..6, or 0 for unknown.
      crop: its place among the crops of the test split; -1 for synthetic ones.
      source: whose it is: pictures of one source are not independent. The patient, under a
        pseudonym in the key; for synthetic ones what they were painted from, known when they are.
      skin_type_source: who says the type of the photograph, or of the one that it goes with.
    """

    picture_id: str
    synthetic: bool
    condition: str
    skin_type: int
    crop: int = -1
    source: str = ""
    skin_type_source: str = manifest.ANNOTATED


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
        return {name: counts[name] for name in taxonomy.conditions() if counts[name]}

    def begin_part(self) -> None:
        """Begins a part of the study, which prefers what it has not shown yet."""
        self._uses_in_part.clear()

    def _wear(self, one: Photograph) -> Tuple[int, int, int]:
        uses = self._uses_in_part[one.index], self._uses[one.index]
        return (*uses, self._patients[one.patient_id])

    def take(self, number: int, conditions: Collection[str]) -> List[Photograph]:
        """Returns different photographs; there must be enough."""
        left = [one for one in self._stock if one.condition in conditions]
        taken = []
        for _ in range(number):
            taken.append(min(left, key=self._wear))
            left.remove(taken[-1])
            self._uses_in_part[taken[-1].index] += 1
            self._uses[taken[-1].index] += 1
            self._patients[taken[-1].patient_id] += 1
        return taken


def _in_turns(available: Mapping[str, int], number: int, start: int = 0) -> List[str]:
    """Deals `number` places to names in turns, as many to each as are available at most."""
    names = list(available)
    names = names[start:] + names[:start]
    turns = [(turn, name) for name in names for turn in range(available[name])]
    return [name for _, name in sorted(turns, key=lambda one: one[0])[:number]]


def _possible_questions(counts: Mapping[str, int], quarter: int) -> Dict[str, int]:
    """Returns the number of questions by condition, with so many photographs of it in each."""
    return {
        name: count // quarter
        for name, count in counts.items()
        # "Other" is not a condition one can ask for.
        if name != taxonomy.OTHER and sum(counts.values()) - count >= quarter
    }


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
            name = self._names[thing] = f"p{len(self._names):05d}"
            self.pictures[name] = dataclasses.replace(picture, picture_id=name)
        return self._names[thing]

    def photographs(self, number: int, conditions: Collection[str]) -> List[str]:
        """Adds photographs."""
        return [
            self._name(
                Picture(
                    *("", False, one.condition, one.skin_type, one.index, one.patient_id),
                    one.skin_type_source,
                ),
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
            picture = dataclasses.replace(model, synthetic=True, crop=-1, source="")
            names.append(self._name(picture, "like", model.crop, turn))
        return names

    def _shares(self, number: int, message: str) -> Dict[str, int]:
        """Deals so many photographs to the conditions; ValueError where there are fewer."""
        counts = self.supply.counts()
        available = sum(counts.values())
        if number > available:
            raise ValueError(message.format(number=number, available=available))
        return collections.Counter(_in_turns(counts, number))

    def realism(self, design: Design) -> Tuple[str, ...]:
        """Adds the realism test."""
        shares = self._shares(
            design.real,
            "{number} photographs are asked for, but the test split has only {available} different "
            "ones of these conditions; pass --real={available} or less",
        )
        real = [
            name
            for condition, number in shares.items()
            for name in self.photographs(number, (condition,))
        ]
        order = self._rng.permutation(len(real))
        return (*real, *self.synthetic(design.synthetic, [real[place] for place in order]))

    def pairs(self, number: int) -> Tuple[Tuple[str, str], ...]:
        """Adds pairs, the photograph first."""
        shares = self._shares(
            number,
            "{number} pairs are asked for, but the test split has {available} photographs of these "
            "conditions; pass --pairs={available} or less",
        )
        pairs: List[Tuple[str, str]] = []
        for condition, share in shares.items():
            real = self.photographs(share, (condition,))
            pairs += zip(real, self.synthetic(share, real))
        return tuple(pairs)

    def questions(self, design: Design) -> Tuple[Tuple[str, Tuple[str, ...]], ...]:
        """Adds the relevance test."""
        counts = self.supply.counts()
        quarter = design.images_per_question // 4
        possible = _possible_questions(counts, quarter)
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


def choose_material(design: Design, photographs: Iterable[Photograph], seed: int) -> Material:
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


def fit(
    asked: Mapping[str, Optional[int]], photographs: Sequence[Photograph], share: float = 1.0
) -> Design:
    """Returns a design whose open numbers are the paper's, or what the photographs allow.

    Args:
      asked: numbers by field of `Design`; None is open.
      photographs: to choose from.
      share: of the paper's numbers and of the photographs, at most.

    Raises:
      ValueError: numbers that make no study.
    """
    counts = _Supply(photographs, np.random.default_rng(0)).counts()
    given = {name: number for name, number in asked.items() if number is not None}
    there = int(share * min(Design.real, sum(counts.values())))
    real = given.get("real", there if given.get("synthetic", 1) else 0)
    synthetic = given.get("synthetic", real)
    questions = given.get("questions", int(share * Design.questions))
    images = given.get("images_per_question", 0)
    if not images:
        sizes = range(Design.images_per_question, 0, -4)
        able = (
            one for one in sizes if sum(_possible_questions(counts, one // 4).values()) >= questions
        )
        images = next(able, 4)
    if "questions" not in given and images >= 4:
        questions = min(questions, sum(_possible_questions(counts, images // 4).values()))
    return Design(
        real=real,
        synthetic=synthetic,
        repeats=given.get("repeats", min(Design.repeats, min(real, synthetic) // 2)),
        pairs=given.get("pairs", Design.pairs),
        questions=questions,
        images_per_question=images,
    )


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


def trials_of_reader(material: Material, repeats: int, seed: int, reader: int) -> Tuple[Trial, ...]:
    """Puts a study into a reader's own order.

    Args:
      material: from `choose_material`.
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
