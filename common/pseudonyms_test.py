import concurrent.futures
import os
import pathlib
import stat

from absl.testing import absltest

from common import pseudonyms


class PseudonymsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.names = pseudonyms.Pseudonyms(bytes(range(32)))

    def test_is_hmac_sha256_of_kind_and_id(self):
        # printf 'patient\0p1' | openssl dgst -sha256 -mac HMAC \
        #     -macopt hexkey:$(printf '%02x' $(seq 0 31))
        self.assertEqual(self.names.name("patient", "p1"), "patient_ab2cac96af22b272")

    def test_differs_by_id_kind_and_key(self):
        other = pseudonyms.Pseudonyms(bytes(32))
        found = {
            names.name(kind, identifier).split("_")[1]
            for names in (self.names, other)
            for kind in pseudonyms.KINDS
            for identifier in ("", "1", "p1", "p1 ", "é", "\ud800")
        }
        self.assertLen(found, 2 * 3 * 6)

    def test_does_not_hold_the_id(self):
        # Not even one of hexadecimal digits.
        for identifier in ("smith", "0f3a", "12345"):
            self.assertNotIn(identifier, self.names.name("patient", identifier))

    def test_unknown_kind(self):
        with self.assertRaisesRegex(ValueError, "unknown kind 'person'; valid: patient, case"):
            self.names.name("person", "p1")

    def test_short_key(self):
        with self.assertRaisesRegex(ValueError, "32 bytes, not 3"):
            pseudonyms.Pseudonyms(b"abc")


class LoadOrCreateTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path, "data")
        self.path = self.folder / "pseudonyms.key"

    def test_made_once_for_the_owner_only(self):
        self.addCleanup(os.umask, os.umask(0))
        first = pseudonyms.load_or_create(self.folder).name("case", "c")
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        content = self.path.read_bytes()
        self.assertEqual(pseudonyms.load_or_create(self.folder).name("case", "c"), first)
        self.assertEqual(self.path.read_bytes(), content)
        self.assertEqual(os.listdir(self.folder), ["pseudonyms.key"])

    def test_differs_by_data_set(self):
        names = [
            pseudonyms.load_or_create(self.folder / folder).name("case", "c") for folder in "ab"
        ]
        self.assertNotEqual(*names)

    def test_all_who_make_it_at_once_use_the_same(self):
        for attempt in range(20):
            folder = self.folder / str(attempt)
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                made = pool.map(pseudonyms.load_or_create, [folder] * 8)
                self.assertLen({one.name("case", "c") for one in made}, 1)
            self.assertEqual(os.listdir(folder), ["pseudonyms.key"])

    def test_never_replaces_a_damaged_key(self):
        self.folder.mkdir()
        for content in (b"", b"00ff", b"not hex", b"\xff\xfe"):
            self.path.write_bytes(content)
            with self.assertRaisesRegex(ValueError, "pseudonyms.key: not a key of pseudonyms"):
                pseudonyms.load_or_create(self.folder)
            self.assertEqual(self.path.read_bytes(), content)


if __name__ == "__main__":
    absltest.main()
