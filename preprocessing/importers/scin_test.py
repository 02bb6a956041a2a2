import itertools
import pathlib

from absl.testing import absltest, parameterized

from preprocessing.importers import annotations, scin, testing_files

_YES = "DEFAULT_YES_IMAGE_QUALITY_SUFFICIENT"
_NO = "NO_IMAGE_QUALITY_INSUFFICIENT"
_FINE = "YES_IMAGE_QUALITY_SUFFICIENT_NO_DISCERNIBLE_PATHOLOGY"


def _case(case_id="-5156441036700827606", images=("1",), **cells):
    """A row of scin_cases.csv: its columns without most of the symptoms."""
    paths = [f"dataset/images/{name}.png" for name in images] + [""] * 3
    return {
        "case_id": case_id,
        "source": "SCIN",
        "release": "1.0.0",
        "year": "2023",
        "age_group": "AGE_UNKNOWN",
        "sex_at_birth": "OTHER_OR_UNSPECIFIED",
        "fitzpatrick_skin_type": "",
        "race_ethnicity_white": "YES",
        "related_category": "RASH",
        "condition_duration": "ONE_DAY",
        "image_1_path": paths[0],
        "image_2_path": paths[1],
        "image_3_path": paths[2],
        "image_1_shot_type": "CLOSE_UP",
        "image_2_shot_type": "",
        "image_3_shot_type": "",
        "combined_race": "WHITE",
        **cells,
    }


def _label(case_id="-5156441036700827606", **cells):
    """A row of scin_labels.csv, all columns; short names for the long ones."""
    short = {
        "names": "dermatologist_skin_condition_on_label_name",
        "confidences": "dermatologist_skin_condition_confidence",
        "weights": "weighted_skin_condition_label",
        **{f"gradable{n}": f"dermatologist_gradable_for_skin_condition_{n}" for n in (1, 2, 3)},
        **{f"fst{n}": f"dermatologist_fitzpatrick_skin_type_label_{n}" for n in (1, 2, 3)},
    }
    row = {
        "case_id": case_id,
        short["gradable1"]: _YES,
        short["gradable2"]: "",
        short["gradable3"]: "",
        short["names"]: "['Eczema']",
        short["confidences"]: "[4]",
        short["weights"]: "{'Eczema': 1.0}",
        "dermatologist_gradable_for_fitzpatrick_skin_type_1": "YES",
        "dermatologist_gradable_for_fitzpatrick_skin_type_2": "",
        "dermatologist_gradable_for_fitzpatrick_skin_type_3": "",
        short["fst1"]: "FST3",
        short["fst2"]: "",
        short["fst3"]: "",
        "gradable_for_monk_skin_tone_india": "True",
        "gradable_for_monk_skin_tone_us": "True",
        "monk_skin_tone_label_india": "3.0",
        "monk_skin_tone_label_us": "4.0",
    }
    row.update({short[name]: value for name, value in cells.items()})
    return row


class ScinTest(parameterized.TestCase):
    def _read(self, cases, labels, overrides=None):
        folder = pathlib.Path(self.create_tempdir().full_path)
        testing_files.write_table(folder / "scin_cases.csv", cases)
        testing_files.write_table(folder / "scin_labels.csv", labels)
        return scin.FORMAT.read(folder, scin.FORMAT.mapping(overrides))

    def _only(self, case=None, overrides=None, **label):
        """Reads one case; returns (entries, reason of rejection)."""
        contents = self._read([_case(**(case or {}))], [_label(**label)], overrides)
        return contents.entries, " | ".join(one.reason for one in contents.rejections)

    @parameterized.parameters(("3.0", "4.0", 4), ("2", "", 2), ("", "", None), ("1", "9", 5))
    def test_monk(self, india, us, expected):
        labels = {"monk_skin_tone_label_india": india, "monk_skin_tone_label_us": us}
        contents = self._read([_case()], [{**_label(), **labels}])
        self.assertEqual(contents.entries[0].photograph.monk, expected)

    def test_a_monk_skin_tone_that_is_none(self):
        contents = self._read([_case()], [{**_label(), "monk_skin_tone_label_us": "11"}])
        self.assertIn("monk_skin_tone_label_us: '11' is not 1..10", contents.rejections[0].reason)

    def test_a_case_of_three_photographs(self):
        contents = self._read(
            [_case("x"), _case(images=("11", "12", "13"))], [_label(), _label("x")]
        )
        self.assertEmpty(contents.rejections)
        rows = [entry.photograph for entry in contents.entries]
        self.assertEqual([row.image_id for row in rows], ["1", "11", "12", "13"])
        self.assertEqual([row.row for row in rows], [2, 3, 3, 3])
        last = rows[-1]
        self.assertEqual((last.case_id, last.patient_id), ("-5156441036700827606",) * 2)
        self.assertEqual(last.image, "dataset/images/13.png")
        self.assertEqual((last.condition, last.fitzpatrick), ("Eczema", 3))
        expected = {**_case(images=("11", "12", "13")), **_label(), "condition_share": "1.00"}
        del expected["case_id"]
        self.assertEqual(dict(last.extra), expected)

    @parameterized.parameters(
        # Mixed labels of one condition add up.
        (
            "{'Psoriasis': 0.4, 'Infected eczema': 0.35, 'Eczema': 0.25}",
            "Eczema",
            "Infected eczema",
            "0.60",
        ),
        # Other diseases do not.
        ("{'Eczema': 0.4, 'Rosacea': 0.3, 'Scabies': 0.3}", "Eczema", "Eczema", "0.40"),
        ("{'Eczema': 0.2, 'Rosacea': 0.5, 'Scabies': 0.3}", "Other", "Rosacea", "0.50"),
        # Two that tie are both Other.
        ("{'Rosacea': 0.5, 'Scabies': 0.5}", "Other", "Rosacea", "1.00"),
        # A label that leaves the condition open may lose.
        ("{'Urticaria': 0.6, 'Acute dermatitis, NOS': 0.4}", "Urticaria", "Urticaria", "0.60"),
        (
            "{'Allergic Contact Dermatitis': 0.5, 'CD - Contact dermatitis': 0.3, 'Acne': 0.2}",
            "Allergic Contact Dermatitis",
            "Allergic Contact Dermatitis",
            "0.50",
        ),
    )
    def test_vote(self, weights, condition, label, share):
        (entry,), reason = self._only(weights=weights, names="", confidences="")
        self.assertEqual(reason, "")
        self.assertEqual((entry.photograph.condition, entry.label), (condition, label))
        self.assertEqual(entry.photograph.extra["condition_share"], share)

    def test_confidence_breaks_ties(self):
        tie = {"weights": "{'Eczema': 0.5, 'Tinea': 0.5}", "names": "['Eczema', 'Tinea']"}
        (entry,), _ = self._only(**tie, confidences="[2, 4]")
        self.assertEqual(entry.photograph.condition, "Tinea")
        entries, reason = self._only(**tie, confidences="[4, 4]")
        self.assertEmpty(entries)
        self.assertEqual(
            reason,
            "scin_cases.csv row 2: weighted_skin_condition_label: Eczema and Tinea have the same "
            "weight",
        )

    def test_confidences_that_do_not_fit_break_no_ties(self):
        names = "['Eczema', 'Tinea']"
        (entry,), _ = self._only(names=names)
        self.assertEqual(entry.photograph.condition, "Eczema")
        _, reason = self._only(names=names, weights="{'Eczema': 0.5, 'Tinea': 0.5}")
        self.assertEndsWith(reason, "Eczema and Tinea have the same weight")

    def test_without_weights_ranks_of_the_confidences(self):
        (entry,), _ = self._only(
            weights="", names="['Tinea', 'Eczema', 'Tinea']", confidences="[2, 3, 2]"
        )
        self.assertEqual(entry.photograph.condition, "Tinea")
        self.assertEqual(entry.photograph.extra["condition_share"], "0.67")

    def test_overrides(self):
        weights = "{'Acute dermatitis, NOS': 0.6, 'Tinea': 0.4}"
        entries, reason = self._only(weights=weights)
        self.assertEmpty(entries)
        self.assertStartsWith(reason, "label 'Acute dermatitis, NOS' leaves the condition open")
        (entry,), _ = self._only(weights=weights, overrides={"acute dermatitis nos": "Eczema"})
        self.assertEqual(entry.photograph.condition, "Eczema")

    @parameterized.parameters(
        ({"fst1": "FST2", "fst2": "FST3"}, "FST6", 3, "annotated"),
        ({"fst1": "FST1", "fst2": "FST2", "fst3": "FST6"}, "", 2, "annotated"),
        ({"fst1": ""}, "FST5", 5, "self_reported"),
        ({"fst1": ""}, "NONE_IDENTIFIED", None, "self_reported"),
        ({"fst1": ""}, "", None, "self_reported"),
    )
    def test_skin_type(self, labels, own, expected, source):
        (entry,), _ = self._only({"fitzpatrick_skin_type": own}, **labels)
        self.assertEqual(entry.photograph.fitzpatrick, expected)
        self.assertEqual(entry.skin_type_source, source)

    @parameterized.parameters(
        ({"gradable1": _NO, "weights": "{}"}, f"1 of 1 dermatologists could not grade it: {_NO}"),
        (
            {"gradable1": _FINE, "gradable2": _NO, "gradable3": _YES},
            f"2 of 3 dermatologists could not grade it: {_NO}, {_FINE}",
        ),
        (
            {"names": "[]", "confidences": "[]", "weights": "{}"},
            "weighted_.*: no condition was given",
        ),
        ({"weights": "Eczema"}, "weighted_.*: 'Eczema' is not a Python dict"),
        ({"weights": "__import__('os')"}, "is not a Python dict"),
        ({"weights": "{'Eczema': 'a'}"}, r"weighted_.*: not a number in .*'a'"),
        ({"weights": "{'Eczema': -1}"}, "weight -1.0 of 'Eczema' is not a finite number"),
        ({"names": "['Eczema', 'Tinea']", "weights": ""}, "confidence: 1 of them for 2 names"),
        ({"names": "[Eczema"}, r"label_name: '\[Eczema' is not a Python list"),
        ({"fst1": "FST7"}, "skin type: 'FST7' is not one of"),
        ({"weights": "{'Eczemma': 1}"}, "label 'Eczemma' is not known; closest is 'eczema'"),
    )
    def test_cases_that_cannot_be_used(self, label, reason):
        entries, found = self._only(**label)
        self.assertEmpty(entries)
        self.assertRegex(found, reason)

    def test_half_of_the_dermatologists_suffice(self):
        entries, _ = self._only(gradable1=_YES, gradable2=_NO)
        self.assertLen(entries, 1)
        entries, _ = self._only(gradable1="True", gradable2="False", gradable3="True")
        self.assertLen(entries, 1)

    def test_every_photograph_of_a_case_is_accounted_for(self):
        contents = self._read(
            [
                _case("a", images=("1", "2")),
                _case("b", images=("3", "4", "5")),
                _case("a", images=("6",)),
                _case("c", images=("7",)),
                _case("d", images=()),
            ],
            [
                _label("a"),
                _label("b", gradable1=_NO),
                _label("d"),
                _label("d"),
                _label("e"),
                _label(""),
            ],
        )
        self.assertEqual([entry.photograph.image_id for entry in contents.entries], ["1", "2"])
        self.assertEqual(
            [
                (one.row, one.image_id, one.reason.split(":")[-1].strip())
                for one in contents.rejections
            ],
            [
                (4, "6", "'a' is already on row 2"),
                (5, "", "'d' is already on row 4"),
                (7, "", "'' is empty"),
                (3, "3", _NO),
                (3, "4", _NO),
                (3, "5", _NO),
                (5, "7", "'c' is not in scin_labels.csv"),
                (6, "", "the case has no photograph"),
                (6, "", "'e' is not in scin_cases.csv"),
            ],
        )
        tables = {(one.row, one.reason.split(" row ")[0]) for one in contents.rejections}
        self.assertContainsSubset(
            {(4, "scin_cases.csv"), (7, "scin_labels.csv"), (6, "scin_labels.csv")}, tables
        )

    def test_agreement(self):
        types = ((1, 1), (2, 3, 3), (5, 5, 6), (4,))
        labels = []
        for number, (given, able) in enumerate(zip(types, ("yy", "yn", "nny", "y"))):
            cells = {f"fst{n}": f"FST{value}" for n, value in enumerate(given, 1)}
            cells.update((f"gradable{n}", _YES if a == "y" else _NO) for n, a in enumerate(able, 1))
            labels.append(_label(str(number), **cells))
        cases = [_case(str(number), images=(str(number),)) for number in range(4)]
        notes = self._read(cases, labels).notes
        kappa = annotations.fleiss_kappa(types)
        pairs = [pair for given in types for pair in itertools.combinations(given, 2)]
        self.assertLen(pairs, 7)
        self.assertEqual(
            notes[0],
            "skin type, dermatologists: 3 cases with several annotators, 43% of pairs equal, "
            f"100% at most one apart, Fleiss' kappa {kappa:.2f}",
        )
        self.assertStartsWith(notes[1], "gradable, dermatologists: 3 cases with several annotators")


if __name__ == "__main__":
    absltest.main()
