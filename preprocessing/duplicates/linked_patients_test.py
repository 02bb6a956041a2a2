from absl.testing import absltest

from preprocessing.data import splits
from preprocessing.data.manifest import Photograph
from preprocessing.duplicates import linked_patients
from preprocessing.duplicates.near_duplicates import Pair

_FRACTIONS = (0.6, 0.2, 0.2)


def _rows(*patients, **fields):
    return [
        Photograph("c", patient, f"{patient}_{n}", "", "Acne", 3, row=n + 2, **fields)
        for n, patient in enumerate(patients)
    ]


def _pair(first, second):
    return Pair(first, second, 0, 1.0, False)


def _decide(rows, *pairs, seed=0):
    return linked_patients.decide(rows, [_pair(*pair) for pair in pairs], _FRACTIONS, seed)


class DecideTest(absltest.TestCase):
    def test_without_pairs_nothing_changes(self):
        rows = _rows(*"abcdefgh")
        decision = _decide(rows)
        own = {row.image_id: splits.split_of(row, _FRACTIONS) for row in rows}
        self.assertEqual((dict(decision.splits), dict(decision.unused)), (own, {}))

    def test_a_chain_of_patients_shares_the_first_ones_split(self):
        # Four photographs of patients d, c, b, a: d-c and c-b and b-a are linked.
        for seed in range(10):
            rows = _rows(*"dcbadz")  # d has a second photograph; z is a stranger.
            decision = _decide(rows, (0, 1), (1, 2), (2, 3), seed=seed)
            expected = splits.split_of_patient("a", _FRACTIONS, seed)
            found = [decision.splits[row.image_id] for row in rows]
            self.assertEqual(found[:5], [expected] * 5)
            self.assertEqual(found[5], splits.split_of_patient("z", _FRACTIONS, seed))
            self.assertEmpty(decision.unused)

    def test_the_order_of_rows_does_not_matter(self):
        rows = _rows(*"abcdef")
        decision = _decide(rows, (0, 3), (3, 5))
        back = _decide(rows[::-1], (2, 5), (0, 2))
        self.assertEqual(decision, back)

    def test_shares_hold(self):
        count = 6000
        rows = _rows(*(f"p{n}" for n in range(count)))
        decision = _decide(rows, *((2 * n, 2 * n + 1) for n in range(count // 2)))
        share = list(decision.splits.values()).count("train") / count
        self.assertAlmostEqual(share, 0.6, delta=0.03)

    def test_the_manifests_split_wins_for_the_whole_group(self):
        rows = _rows("a", "b", "c") + _rows("d", split="test")
        decision = _decide(rows, (0, 1), (1, 3))
        self.assertEqual({decision.splits[f"{p}"] for p in ("a_0", "b_1", "d_0")}, {"test"})
        self.assertEqual(decision.splits["c_2"], splits.split_of(rows[2], _FRACTIONS))

    def test_of_two_fixed_splits_the_earlier_loses_its_photograph(self):
        train, test = _rows("a", "a", split="train"), _rows("b", split="test")
        rows = [*test, *train, *_rows("c")]
        decision = _decide(rows, (0, 1), (0, 3))
        self.assertEqual(decision.splits["b_0"], "test")
        self.assertEqual(decision.splits["a_0"], "train")
        self.assertEqual(decision.splits["c_0"], "test")  # Free, so it follows.
        self.assertEqual(
            dict(decision.unused),
            {"a_0": "near-duplicate of 'b_0' on row 2, patient 'b', which the test split has"},
        )

    def test_a_generated_copy_of_a_test_photograph_is_not_used(self):
        rows = _rows("a", split="test") + _rows("g", synthetic=True) + _rows("h", synthetic=True)
        decision = _decide(rows, (0, 1), (1, 2))
        self.assertEqual(list(decision.unused), ["g_0"])
        self.assertEqual(decision.splits, {"a_0": "test", "g_0": "train", "h_0": "train"})


if __name__ == "__main__":
    absltest.main()
