"""Every configuration that is shipped, in both precisions: minutes."""

from absl.testing import absltest, parameterized

from training import configurations, testing_steps


class CompiledConfigsTest(parameterized.TestCase):
    @parameterized.product(
        name=configurations.names(),
        precision=("float32", "mixed_bfloat16"),
    )
    def test_takes_the_same_steps_compiled(self, name, precision):
        testing_steps.assert_same_compiled(name, precision)


if __name__ == "__main__":
    absltest.main()
