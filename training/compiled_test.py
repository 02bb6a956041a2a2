from absl.testing import absltest

from training import testing_steps


class CompiledTest(absltest.TestCase):
    def test_a_step_is_the_same_compiled(self):
        testing_steps.assert_same_compiled("pix2pix", "float32")


if __name__ == "__main__":
    absltest.main()
