from absl.testing import absltest

from common import results
from common.testing_results import content
from evaluation.report import comparison, contents, scorecard


def _result(name, state=results.MEASURED, path="", **changes):
    kind = results.KINDS[name]
    made = {**content(name), **changes}
    said = kind.say(made)
    return results.Result(
        name, kind.title, state, said.verdict, said.head, said.rows, content=made, path=path
    )


def _contents(cells=None, **states):
    found = {name: _result(name, states.get(name, results.MEASURED)) for name in results.KINDS}
    facts = [("Skin types", "of all crops 5 noted by people")]
    return contents.Contents("runs/one", 7, "a" * 64, facts, cells or {}, found)


class ScorecardTest(absltest.TestCase):
    def test_all_seven_in_the_order_of_the_source(self):
        cells = {("Acne", 1): 3, ("Acne", 2): 0, ("Melanoma", 1): 2, ("Melanoma", 2): 4}
        lines = scorecard.fill(_contents(cells))
        found = {line.criterion: " ".join(line.found) for line in lines}
        self.assertEqual(
            list(found),
            [
                *("Congruence", "Coverage", "Constraint", "Completeness"),
                *("Compliance", "Comprehension", "Consistency"),
            ],
        )
        self.assertTrue(all(line.measured for line in lines))
        self.assertIn("nearer to photographs", found["Congruence"])
        self.assertIn("Readers were not shown", found["Congruence"])
        self.assertIn("2.5 ± 0.1 (photographs 0.5 ± 0.1)", found["Coverage"])
        self.assertIn("3 of 4 pairs of condition and skin type", found["Completeness"])
        self.assertIn("passed", found["Compliance"])
        self.assertIn("IoU 0.50 (0.25 to 0.75)", found["Comprehension"])
        self.assertIn("2 trainings", found["Consistency"])

    def test_what_does_not_count_is_no_evidence(self):
        states = dict.fromkeys(results.KINDS, results.OTHER)
        states["fid"] = results.TRIAL
        for line in scorecard.fill(_contents(**states)):
            self.assertFalse(line.measured, line.criterion)

    def test_worst_group(self):
        def group(mean):
            return {"above_floor": {"mean": mean, "interval": 0.1}}

        found = _contents()
        groups = {"Acne": group(0.3), "Melanoma": group(0.1), "Eczema": group(0.9)}
        types = {"1": group(0.2), "2": group(0.4)}
        types |= {f"{name} (estimated)": group(0.1 * name) for name in (1, 2, 6)}
        found.results["fid"] = _result("fid", conditions=groups, skin_types=types)
        line = scorecard.fill(found)[-1]
        self.assertIn("by condition: Melanoma 0.1 ± 0.1 to Eczema 0.9 ± 0.1", line.found[0])
        self.assertIn("by skin type: 1 0.2 ± 0.1 to 2 0.4 ± 0.1", line.found[1])
        told = "by skin type: 1 (estimated) 0.1 ± 0.1 to 6 (estimated) 0.6 ± 0.1"
        self.assertIn(told, line.found[2])

    def test_conditions_are_counted_where_no_skin_type_is_known(self):
        cells = {("Acne", 1): 0, ("Acne", 0): 3, ("Melanoma", 1): 0, ("Melanoma", 0): 0}
        found = {line.criterion: line.found for line in scorecard.fill(_contents(cells))}
        self.assertIn("1 of 2 conditions have", found["Completeness"][0])


class CompareTest(absltest.TestCase):
    def _compare(self, name, first, second):
        (found,) = comparison.compare({name: first}, {name: second})
        return found

    def test_distances_are_paired_by_trial(self):
        trials = {"generated": [3.0, 3.5], "floor": [0.4, 0.6]}
        found = self._compare("fid", _result("fid"), _result("fid", frechet_by_trial=trials))
        rows = {row[0]: row[1:] for row in found.rows}
        # Above the floor: 2.0, 2.0 and 2.6, 2.9; differences 0.6, 0.9.
        self.assertEqual(
            rows["Frechet distance above the floor, by trial"],
            ("2 ± 0.1", "2 ± 0.1", f"0.75 ± {1.96 * 0.3 / 2**0.5:.2g}"),
        )

    def test_images_are_paired_by_map(self):
        folder = self.create_tempdir().full_path
        paths = []
        for name, iou in (("a", [0.5, 0.5, 0.7, 0.1]), ("b", [0.6, 0.6, 0.8])):
            lines = ["map,iou", *(f"{number},{value}" for number, value in enumerate(iou))]
            with open(f"{folder}/{name}.csv", "w") as file:
                file.write("\n".join(lines))
            paths.append(f"{folder}/{name}.json")
        found = self._compare("fidelity", *(_result("fidelity", path=path) for path in paths))
        rows = {row[0]: row[3] for row in found.rows}
        self.assertEqual(rows["lesion: IoU with the boxes asked for"], "+0.100 (+0.100 to +0.100)")
        self.assertEqual(rows["lesion: contrast inside / outside the boxes"], "")

    def test_other_protocols_and_missing_results_are_not_compared(self):
        other = content("fid")["protocol"] | {"layer": "pool_3"}
        found = self._compare("fid", _result("fid"), _result("fid", protocol=other))
        self.assertIn("measured differently (layer)", found.remark)
        self.assertEmpty(found.rows)
        found = self._compare("fid", _result("fid"), _result("fid", results.MISSING))
        self.assertEqual(found.remark, "not measured of the second run")


if __name__ == "__main__":
    absltest.main()
