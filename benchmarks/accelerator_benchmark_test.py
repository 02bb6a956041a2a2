from absl.testing import absltest

from benchmarks import accelerator_benchmark


class AcceleratorBenchmarkTest(absltest.TestCase):
    def test_table_compares_with_the_best_peer_of_the_same_batch(self):
        text = (
            "train_step: compiled in 23 s\n"
            "batches of 16: images/s 1,897.0 one by one, 2,210.0 queued, 2,200.5 with data, 9.5 GiB"
        )
        row = accelerator_benchmark.read_bench(text)
        self.assertEqual(row["queued"], 2210.0)
        self.assertEqual(row["GiB"], 9.5)
        self.assertEqual(row["compile s"], 23.0)
        rows = {
            (16, "paper"): row,
            (16, "pix2pix PyTorch eager"): {"queued": 1105.0},
            (16, "pix2pix PyTorch compiled"): {"queued": 880.0},
        }
        lines = accelerator_benchmark.table(rows).splitlines()
        self.assertLen(lines, 4)
        self.assertTrue(lines[1].endswith("2.00"), lines[1])
        self.assertTrue(lines[2].endswith("0.80"), lines[2])


if __name__ == "__main__":
    absltest.main()
