import os

from absl.testing import absltest, parameterized

from synthesis.generation_request import Request
from synthesis.wanted import Wanted

_CELLS = {("Acne", 1): 3, ("Acne", 2): 1, ("Vitiligo", 1): 0, ("Vitiligo", 2): 0}


class RequestTest(parameterized.TestCase):
    def test_one_map_for_several_images(self):
        request = Request(num_images=8, images_per_map=2)
        self.assertLen(request.wanted(_CELLS, 32), 4)

    def test_selection_and_balance(self):
        request = Request(num_images=2, condition=["acne"], skin_type=["2"])
        self.assertEqual(request.wanted(_CELLS, 32), [Wanted("Acne", 2)] * 2)
        request = Request(num_images=2, balance=["condition"])
        self.assertEqual({one.condition for one in request.wanted(_CELLS, 32)}, {"Vitiligo"})

    def test_csv(self):
        path = os.path.join(self.create_tempdir().full_path, "wanted.csv")
        with open(path, "w", encoding="utf-8") as file:
            file.write("condition,skin_type,count\nAcne,6,3\n")
        self.assertEqual(Request(requests=path).wanted(_CELLS, 32), [Wanted("Acne", 6)] * 3)

    def test_what_was_asked_for(self):
        self.assertEqual(
            Request(num_images=4, condition=["Acne"]).as_dict(),
            {"num_images": 4, "images_per_map": 1, "condition": ["Acne"], "maps": "validation"},
        )

    @parameterized.parameters(
        ({"num_images": 4, "condition": ["Melanom"]}, "unknown condition 'Melanom'; closest is"),
        ({"num_images": 4, "skin_type": ["7"]}, "skin type 7 is not in 1..6"),
        ({"num_images": 4, "skin_type": ["dark"]}, "--skin_type=dark: "),
        ({"num_images": 4, "balance": ["age"]}, "balance 'age' is not made of"),
        ({"num_images": 0}, "num_images 0 is not positive"),
        ({}, "--num_images is needed, or --requests"),
        ({"num_images": 4, "requests": "x"}, "--num_images and --requests exclude each other"),
        ({"num_images": 5, "images_per_map": 2}, "is not a multiple of --images_per_map=2"),
        ({"num_images": 5, "images_per_map": 0}, "--images_per_map=0 is not positive"),
        (
            {"num_images": 5, "balance": ["condition"], "condition": ["Acne"]},
            "--balance and --condition exclude each other",
        ),
    )
    def test_bad_requests(self, fields, message):
        with self.assertRaisesRegex(ValueError, message):
            Request(**fields).wanted(_CELLS, 32)


if __name__ == "__main__":
    absltest.main()
