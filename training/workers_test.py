import json

from absl.testing import absltest, parameterized

from training import workers


def _environment(task=("worker", 0), **cluster):
    kind, index = task
    stated = {"cluster": cluster, "task": {"type": kind, "index": index}}
    return {"TF_CONFIG": json.dumps(stated)}


class CountWorkersTest(parameterized.TestCase):
    @parameterized.parameters({}, {"TF_CONFIG": ""}, {"TF_CONFIG": " {} "})
    def test_one_where_nothing_is_said(self, **environment):
        self.assertEqual(workers.count_workers(environment), 1)

    def test_chief_and_workers(self):
        one = _environment(worker=["a:1"])
        two = _environment(("worker", 1), worker=["a:1", "b:1"])
        three = _environment(("chief", 0), chief=["c:1"], worker=["a:1", "b:1"])
        self.assertEqual([workers.count_workers(one), workers.count_workers(two)], [1, 2])
        self.assertEqual(workers.count_workers(three), 3)

    @parameterized.parameters(
        ("{", "TF_CONFIG: invalid JSON .*; such as {"),
        ("[]", "it names no cluster"),
        ('{"task": {"type": "worker", "index": 0}}', "it names no cluster"),
        ('{"cluster": {}}', "it names no cluster"),
        ('{"cluster": {"worker": ["a:1"]}}', "task.type is neither chief nor worker"),
    )
    def test_what_is_no_config(self, text, message):
        with self.assertRaisesRegex(ValueError, message):
            workers.count_workers({"TF_CONFIG": text})

    @parameterized.parameters(
        (("ps", 0), {"ps": ["a:1"], "worker": ["b:1"]}, "cluster has ps; it takes chief and"),
        (("worker", 0), {"worker": "a:1"}, "cluster.worker is no list"),
        (("worker", 0), {"worker": ["a"]}, "cluster.worker: 'a' is not host:port"),
        (("worker", 0), {"worker": ["a:1", "a:1"]}, "cluster names a:1 twice"),
        (("chief", 0), {"chief": ["a:1", "b:1"]}, "cluster.chief names 2; there is one"),
        (("worker", 2), {"worker": ["a:1", "b:1"]}, "task.index 2 is none of cluster.worker's 2"),
        (("worker", "0"), {"worker": ["a:1", "b:1"]}, "task.index '0' is none of"),
        (("chief", 0), {"worker": ["a:1", "b:1"]}, "task.index 0 is none of cluster.chief's 0"),
        (("evaluator", 0), {"worker": ["a:1"]}, "task.type is neither chief nor worker"),
    )
    def test_what_does_not_fit(self, task, cluster, message):
        with self.assertRaisesRegex(ValueError, message):
            workers.count_workers(_environment(task, **cluster))


if __name__ == "__main__":
    absltest.main()
