import json
import pathlib

from absl.testing import absltest, parameterized

from common import results, testing_pages
from common.testing_results import DATASET, DIGEST, content


class ReadTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.run = pathlib.Path(self.create_tempdir().full_path)

    def _write(self, name, folder="evaluation", **changes):
        found = content(name)
        found["protocol"].update(changes)
        path = self.run / folder / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found))
        return path

    def _read(self, *elsewhere):
        return results.read(self.run, DIGEST, DATASET, list(elsewhere))

    def test_nothing_measured(self):
        found = self._read()
        self.assertEqual(list(found), list(results.KINDS))
        for name, one in found.items():
            self.assertEqual(one.state, results.MISSING)
            self.assertFalse(one.counts)
            self.assertStartsWith(one.command, f"bazel run //evaluation:{name}")
        self.assertIn(f"--run_dir=.../{self.run.name}", found["fid"].command)
        self.assertEndsWith(
            found["ablation"].command, "//evaluation:ablation -- --data_dir=RECORDS"
        )
        self.assertIn("build --run_dir=", found["reader_study"].command)
        path = self._write("fid")
        path.write_text(json.dumps({**content("fid"), "flags": ["--layer=a b", "--trials=3"]}))
        self.assertEndsWith(
            self._read()["fid"].command, f"{self.run.name} '--layer=a b' --trials=3"
        )

    def test_a_classifier_of_one_condition_does_not_apply(self):
        found = results.read(self.run, DIGEST, DATASET, conditions=1)
        states = {name for name, one in found.items() if one.state == results.POINTLESS}
        self.assertEqual(states, {"augmentation"})
        self.assertFalse(found["augmentation"].counts)

    def test_memorization_is_offered_with_the_network_of_fid(self):
        made = ["--feature_network=.../inception,.../other.onnx", "--layer=pool_768,1"]
        made += ["--noantialias", "--resize=bilinear", "--trials=3"]
        self._write("fid").write_text(json.dumps({**content("fid"), "flags": made}))
        command = self._read()["memorization"].command
        network = "--feature_network=.../inception --layer=pool_768 --noantialias --resize=bilinear"
        self.assertEndsWith(command, f" {network}")

    def test_everything_measured(self):
        folders = {"augmentation": "evaluation/augmentation", "reader_study": "study/results"}
        for name in results.KINDS:
            self._write(name, folders.get(name, "evaluation"))
        found = self._read(str(self.run / "study"))
        for name, one in found.items():
            self.assertEqual((name, one.state), (name, results.MEASURED))
            self.assertNotEmpty(one.rows)
            for row in one.rows:
                self.assertLen(row, len(one.head))
                testing_pages.check_text("\n".join(row))
            testing_pages.check_text(f"{one.verdict}\n{one.protocol}")
        self.assertEqual(found["fid"].verdict, "nearer to photographs than photographs at a half")
        self.assertEqual(found["fid"].rows[0][1:], ["2.5 ± 0.1", "0.5 ± 0.1"])
        self.assertIn("N = 90", found["fid"].protocol)
        self.assertIn(
            ["tone: mean error, degrees of ITA", "4.2 (4.0 to 4.5)", "-"], found["fidelity"].rows
        )
        self.assertIn("1.0% (0.0% to 2.0%)", found["memorization"].rows[0])

    def test_the_kernel_distance_leads_where_there_are_fewer_images_than_dimensions(self):
        path = self._write("fid")
        path.write_text(json.dumps({**content("fid"), "leading": "kernel"}))
        rows = self._read()["fid"].rows
        self.assertStartsWith(rows[0][0], "kernel")
        self.assertIn("unreliable", rows[1][0])
        self.assertStartsWith(rows[2][0], "Frechet distance above")

    def test_another_data_set_comes_second(self):
        made = content("augmentation")
        for name, of_extra in (
            ("verdict", "Nothing there."),
            ("notes", ["few"]),
            ("results", made["results"]["test"]),
        ):
            made[name] = {"extra": of_extra, **made[name]}  # as sorted keys are
        self._write("augmentation").write_text(json.dumps(made))
        found = self._read()["augmentation"]
        self.assertEqual(
            found.verdict,
            "Adding synthetic images changes nothing. Another data set: Nothing there",
        )
        self.assertEqual(found.notes, ["Acne has 2 test images", "Another data set: few"])
        names = ["real", "synthetic", "Another data set: real", "Another data set: synthetic"]
        self.assertEqual([row[0] for row in found.rows], names)

    def test_further_networks_stand_below(self):
        path = self._write("fid")
        further = [{**content("fid"), "leading": "kernel"}, content("fid"), content("fid")]
        for one, name in zip(further, ("/w/dino.onnx", "/w/clip.onnx", "embedded")):
            one["protocol"] = {"feature_network": name, "layer": "x"}
        path.write_text(json.dumps({**content("fid"), "further": further}))
        alone, rows = content("fid"), self._read()["fid"].rows
        self.assertEqual(rows[-4][0], "kernel distance (0: alike), by x of dino.onnx")
        self.assertRegex(rows[-3][0], "^Frechet distance .*dino.onnx, unreliable: fewer images")
        self.assertEqual(rows[-2][0], "Frechet distance (0: alike), by x of clip.onnx")
        self.assertEqual(rows[-1], ["kernel distance (0: alike), by x of clip.onnx", *rows[-3][1:]])
        path.write_text(json.dumps(alone))
        self.assertLen(self._read()["fid"].rows, len(rows) - 4)  # random features say nothing

    def test_random_features_are_a_trial(self):
        self._write("fid", feature_network="embedded")
        found = self._read()["fid"]
        self.assertEqual(found.state, results.TRIAL)
        self.assertNotIn("nearer", found.verdict)

    def test_others_are_named_and_do_not_count(self):
        self._write("fid", generator_digest="0" * 64)
        self._write("fidelity", dataset_digest="f" * 64)
        found = self._read()
        for name, said in (
            ("fid", "another checkpoint or run, of step 7"),
            ("fidelity", "other records"),
        ):
            self.assertEqual(found[name].state, results.OTHER)
            self.assertIn(said, found[name].verdict)
        # One that counts is taken, wherever it lies.
        self._write("fid", "more")
        self.assertTrue(self._read(str(self.run / "more"))["fid"].counts)

    @parameterized.parameters(
        ("{", "not valid JSON"),
        ("[]", "another version"),
        ('{"protocol": {}}', "it lacks 'overall'"),
        ('{"protocol": null, "overall": 3}', "another version"),
        ("\udce9", "not valid JSON"),
    )
    def test_damage_is_named(self, text, said):
        path = self._write("fid")
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        found = self._read()["fid"]
        self.assertEqual((found.state, found.path), (results.DAMAGED, str(path)))
        self.assertIn(said, found.verdict)
        self.assertFalse(found.rows)


if __name__ == "__main__":
    absltest.main()
