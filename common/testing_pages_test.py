import collections
import dataclasses
import html
import http
import pathlib

import numpy as np
from absl.testing import absltest, parameterized

from common import testing_pages


class CheckTextTest(parameterized.TestCase):
    @parameterized.parameters(
        (object(),),
        ([pathlib.Path("a")],),
        (repr(http.HTTPStatus.OK),),
        (html.escape,),
        (parameterized.TestCase().assertEqual,),
        (parameterized.TestCase,),
        ((n for n in ()),),
        (repr(np.ones(1)),),
        ([None],),
        (float("nan"),),
        ("up to inf",),
        ("{{ title }}",),
        ("{% if x %}",),
    )
    def test_finds(self, value):
        with self.assertRaises(AssertionError):
            testing_pages.check_text(f"It says {value} here.")

    def test_finds_reprs_of_records(self):
        look = dataclasses.make_dataclass("Look", ["size"])
        for value in (look(3), collections.namedtuple("Pair", "a b")(1, 2)):
            with self.assertRaisesRegex(AssertionError, "It says"):
                testing_pages.check_text(f"It says {value} here.")

    @parameterized.parameters(
        "Fernando <b>, 3 < 4 > 2, an object at hand",
        "nonetheless, Nonesuch, none of them",
        "banana, nan-1, information, inf-2",
        "f(x) = 2, {a} and {b: {c: 1}}",
        "FID (N = 1,000)",
    )
    def test_leaves_in_peace(self, text):
        testing_pages.check_text(text)


class CheckPageTest(parameterized.TestCase):
    def test_visible_text(self):
        page = (
            "<style>p { x: None }</style><script>let a = '{{'</script><p>One <b>two</b></p>"
            '<img alt="Three" src="data:,None"><svg><title>4 &lt; 5</title></svg>'
        )
        self.assertEqual(testing_pages.visible_text(page), "One\ntwo\nThree\n4 < 5")
        testing_pages.check_page(page)

    @parameterized.parameters(
        f"<p>{html.escape(repr(object()))}</p>",
        '<img src="data:," alt="None">',
        "<p>{{ title }}</p>",
    )
    def test_text(self, page):
        with self.assertRaisesRegex(AssertionError, "text for people"):
            testing_pages.check_page(page)

    @parameterized.parameters(
        '<script src="page.js"></script>',
        '<link rel="stylesheet" href="https://example.org/a.css">',
        '<img alt="" src="//example.org/a.png">',
        "<style>@import 'a.css'; p { }</style>",
        "<style>p { background: url( 'a.png' ) }</style>",
        '<p style="background: url(a.png)"></p>',
    )
    def test_what_is_loaded(self, page):
        with self.assertRaisesRegex(AssertionError, "loads"):
            testing_pages.check_page(page)

    def test_own_parts_and_links_are_allowed(self):
        testing_pages.check_page(
            '<a href="https://example.org">b</a><svg><use href="#a"/></svg>'
            '<p style="fill: url(#c)"></p><img alt="" src="data:image/png;base64,">'
        )

    def test_every_image_needs_a_text(self):
        with self.assertRaisesRegex(AssertionError, "alternative"):
            testing_pages.check_page('<img src="data:,">')


if __name__ == "__main__":
    absltest.main()
