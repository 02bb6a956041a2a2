import json
import os
import pathlib
import shutil
import tempfile

from absl.testing import absltest

from common import testing_pages
from common.testing_results import content
from synthesis import trained_generator
from synthesis.export import model_card
from training import testing_data


class ModelCardTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.trained = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.trained)
        testing_data.train_run(cls.trained, steps=2)

    def setUp(self):
        super().setUp()
        folder = os.path.join(self.create_tempdir().full_path, "copy")
        shutil.copytree(self.trained, folder)
        self.run_dir = pathlib.Path(folder, "runs", "small")
        self.data_dir = os.path.join(folder, "data")
        description = json.loads((self.run_dir / "config.json").read_text())
        description["dataset"]["directory"] = self.data_dir
        (self.run_dir / "config.json").write_text(json.dumps(description))
        self.generator = trained_generator.load(str(self.run_dir))

    def _write(self, name, **protocol):
        made = content(name)
        made["protocol"]["generator_digest"] = self.generator.digest
        made["protocol"]["dataset_digest"] = self.generator.description["dataset"]["digest"]
        made["protocol"].update(protocol)
        (self.run_dir / "evaluation").mkdir(exist_ok=True)
        (self.run_dir / "evaluation" / f"{name}.json").write_text(json.dumps(made))

    def _card(self):
        return model_card.render(self.generator, model_card.SAVED_MODEL)

    def test_what_is_known_and_what_is_not(self):
        encoder = self.generator.description["config"]["encoder"]
        encoder["base_filters"] = 0
        card = self._card()
        beside = "trained beside an encoder, which is not part of this model"
        self.assertNotIn(beside, card)
        encoder["base_filters"] = 4
        self.assertIn(beside, self._card())
        testing_pages.check_text(card)
        self.assertIn("24 training crops", card)
        self.assertIn("| Melanoma |", card)
        self.assertIn("Run: `small`, step 2;", card)
        self.assertEqual(card.count("**: not measured ("), 6)
        self.assertNotIn("{", card.replace(card[card.index("```json") : card.rindex("```")], ""))

        for name in ("fid", "fidelity", "memorization"):
            self._write(name)
        card = self._card()
        testing_pages.check_text(card)
        self.assertIn("**Distance to photographs**: nearer to photographs than", card)
        self.assertIn("| Frechet distance (0: alike) | 2.5 ± 0.1 | 0.5 ± 0.1 |", card)
        self.assertIn("N = 90", card)
        self.assertIn("| tone: mean error, degrees of ITA | 4.2 (4.0 to 4.5) | - |", card)
        self.assertIn("passed at a limit of 5.00% copies", card)
        self.assertEqual(card.count("**: not measured ("), 3)

    def test_patients_that_nobody_named(self):
        path = pathlib.Path(self.data_dir, "dataset.json")
        about = json.loads(path.read_text())
        for patients, said in ((7, False), (40, True)):
            about["notes"] = {"photographs": 42, "synthetic": 2, "patients": patients}
            path.write_text(json.dumps(about))
            self.assertEqual("Each photograph counts as a patient." in self._card(), said)

    def test_features_of_random_weights_are_no_audit(self):
        self._write("fid", feature_network="embedded")
        self._write("memorization", feature_network="embedded")
        card = self._card()
        testing_pages.check_text(card)
        self.assertEqual(card.count("not measured; a trial of the program"), 2)
        self.assertNotIn("passed at a limit", card)
        self.assertIn("Paints a clinical skin photograph of 32x32", card)

    def test_results_of_another_checkpoint_do_not_count(self):
        self._write("memorization", generator_digest="0" * 64)
        self.assertIn("**Memorisation**: not measured (", self._card())

    def test_data_that_are_gone(self):
        shutil.rmtree(self.data_dir)
        self.assertIn("They are not at hand", self._card())


if __name__ == "__main__":
    absltest.main()
