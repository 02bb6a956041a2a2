from types import SimpleNamespace
from unittest import mock

import numpy as np
from absl.testing import absltest

from evaluation.augmentation import classifier, selection


class _Set(SimpleNamespace):
    def __len__(self):
        return len(self.labels)


class SelectionTest(absltest.TestCase):
    def test_agreement(self):
        scores = np.float32([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
        synthetic = _Set(labels=np.array([0, 1, 1]))
        with mock.patch.object(classifier, "predict_images", return_value=scores):
            self.assertEqual(selection.agreed(None, synthetic, 32).tolist(), [True, False, True])

    def test_near_photographs_of_the_condition(self):
        # Condition 0: photographs 1 apart, of two patients each; condition 1: of one patient.
        theirs = np.float32([[0], [1], [2], [3], [50]])
        photographs = _Set(
            labels=np.array([0, 0, 0, 0, 1]), patient_ids=np.array(["a", "b", "a", "b", "c"])
        )
        ours = np.float32([[3.9], [4.5], [50], [-0.5], [0]])
        synthetic = _Set(labels=np.array([0, 0, 0, 0, 1]))
        found = {id(synthetic): ours, id(photographs): theirs}
        features = mock.patch.object(
            classifier, "pooled_features", lambda model, images, size: found[id(images)]
        )
        with features:
            kept = selection.near(None, synthetic, photographs, 32)
        self.assertEqual(kept.tolist(), [True, False, False, True, True])


if __name__ == "__main__":
    absltest.main()
