import os
from unittest import mock

from absl.testing import absltest

from common import addresses


class AddressesTest(absltest.TestCase):
    def test_what_is_told_of_a_path(self):
        with mock.patch.dict(os.environ, {"BUILD_WORKING_DIRECTORY": "/users/anna/work"}):
            self.assertEqual(addresses.told("/users/anna/work/runs/mine"), "runs/mine")
            self.assertEqual(addresses.told("/users/anna/runs/mine/"), ".../mine")
            self.assertEqual(addresses.told("/users/anna/work/..runs/mine"), "..runs/mine")
            with mock.patch.dict(addresses._addresses):
                addresses.call_copy("/users/anna/.cache/x/mine", "s3://clinic/mine")
                self.assertEqual(addresses.told("/users/anna/.cache/x/mine"), "s3://clinic/mine")
                copied = addresses.address_of("/users/anna/.cache/x/mine/evaluation/fid.json")
                self.assertEqual(copied, "s3://clinic/mine/evaluation/fid.json")
                self.assertEqual(
                    addresses.address_of("/users/anna/.cache/x"), "/users/anna/.cache/x"
                )
            self.assertEqual(addresses.told("s3://clinic/runs/mine"), "s3://clinic/runs/mine")


if __name__ == "__main__":
    absltest.main()
