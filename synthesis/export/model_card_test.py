import json
import os
import pathlib
import shutil
import tempfile

from absl.testing import absltest

from common import testing_pages
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
        self.network = "hub"
        self.generator = trained_generator.load(str(self.run_dir))

    def _write(self, name, content, digest=None):
        protocol = {"generator_digest": digest or self.generator.digest, "trials": 5}
        protocol |= {"feature_network": self.network, "layer": "pool_3"}
        (self.run_dir / "evaluation").mkdir(exist_ok=True)
        path = self.run_dir / "evaluation" / f"{name}.json"
        path.write_text(json.dumps({"protocol": protocol, **content}))

    def test_what_is_known_and_what_is_not(self):
        encoder = self.generator.description["config"]["encoder"]
        encoder["base_filters"] = 0
        card = model_card.render(self.generator)
        beside = "trained beside an encoder, which is not part of this model"
        self.assertNotIn(beside, card)
        encoder["base_filters"] = 4
        self.assertIn(beside, model_card.render(self.generator))
        testing_pages.check_text(card)
        self.assertIn("24 training crops", card)
        self.assertIn("| Melanoma |", card)
        self.assertIn("Run: `small`, step 2;", card)
        self.assertEqual(card.count("**not measured**"), 3)
        self.assertNotIn("{", card.replace(card[card.index("```json") : card.rindex("```")], ""))

        def side(mean):
            return {"frechet": {"mean": mean, "interval": 0.1}}

        overall = {"generated": side(2.5), "floor": side(0.5), "num_images": 90}
        verdict = "nearer to photographs than photographs at a half of their resolution"
        self._write("fid", {"distance": "FID", "overall": overall, "verdict": verdict})

        def value(number):
            return {name: {"value": number} for name in ("error", "correlation", "iou")}

        sides = {"generated": value(4.25), "real": value(0.75)}
        self._write("fidelity", {"tone": sides, "roi": sides})
        copies = {"share": 0.01, "interval": [0.0, 0.02]}
        gate = {"passed": True, "max_copy_rate": 0.05, "reason": ""}
        self._write("memorization", {"generated": {"train": {"copies": copies}}, "gate": gate})
        card = model_card.render(self.generator)
        testing_pages.check_text(card)
        self.assertIn("FID: 2.5 ± 0.1; real photographs against real ones 0.5 ± 0.1", card)
        self.assertIn("N = 90", card)
        self.assertIn("- Nearer to photographs than photographs at a half of their resol", card)
        self.assertIn("SD), by pool_3 of hub.\n", card)
        self.assertIn("Tone: error 4.25 (real crops 0.75)", card)
        self.assertIn("1.00% of images of train maps (at most 2.00%); passed", card)
        self.assertNotIn("not measured", card)

    def test_features_of_random_weights_are_no_audit(self):
        self.network = "embedded"
        side = {"frechet": {"mean": 1.0, "interval": 0.1}}
        overall = {"generated": side, "floor": side, "num_images": 90}
        self._write("fid", {"distance": "D", "overall": overall, "verdict": "a trial"})
        gate = {"passed": True, "max_copy_rate": 0.05, "reason": ""}
        self._write("memorization", {"generated": {"train": {"copies": None}}, "gate": gate})
        card = model_card.render(self.generator)
        testing_pages.check_text(card)
        self.assertIn("Memorisation: **not audited**", card)
        self.assertIn("**Not measured**: a trial of the program", card)
        self.assertNotIn("passed", card)
        self.assertIn("Paints a clinical skin photograph of 32x32", card)

    def test_results_of_another_checkpoint_do_not_count(self):
        self._write("memorization", {"generated": {}}, digest="0" * 64)
        self.assertIn("Memorisation: **not measured**", model_card.render(self.generator))

    def test_data_that_are_gone(self):
        shutil.rmtree(self.data_dir)
        self.assertIn("They are not at hand", model_card.render(self.generator))


if __name__ == "__main__":
    absltest.main()
