import base64
import hashlib
import json
import pathlib
import re

import jinja2
from absl.testing import absltest

from common import pages

_TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta http-equiv="Content-Security-Policy" content="{{ policy }}">
<style>{{ style }}</style>
</head>
<body>
<p>{{ text }}</p>
<img src="{{ picture|data_uri("image/png") }}" alt="A dot">
<script type="application/json">{{ data|tojson }}</script>
<script>{{ script }}</script>
</body>
</html>
"""
_STYLE = "p > b { color: red }\n"
_SCRIPT = 'if (1 < 2 && "a") { console.log("b") }\n'


def _digest(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


class PageTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.template = pathlib.Path(self.create_tempdir().full_path, "own.html")
        self.template.write_text(_TEMPLATE)
        self.template.with_suffix(".css").write_text(_STYLE)
        self.template.with_suffix(".js").write_text(_SCRIPT)
        self.context = {"text": "<b>'\"&", "picture": b"\x89PNG", "data": {"a": "</script>é"}}

    def test_style_and_script_are_inlined_as_they_are(self):
        html = pages.Page(self.template).render(**self.context)
        self.assertIn(f"<style>{_STYLE}</style>", html)
        self.assertIn(f"<script>{_SCRIPT}</script>", html)

    def test_values_are_escaped(self):
        html = pages.Page(self.template).render(**self.context)
        self.assertIn("<p>&lt;b&gt;&#39;&#34;&amp;</p>", html)

    def test_data_survives_a_script_element(self):
        html = pages.Page(self.template).render(**self.context)
        data = re.search(r'<script type="application/json">(.*?)</script>', html)[1]
        self.assertEqual(json.loads(data), self.context["data"])

    def test_images_are_in_the_page(self):
        html = pages.Page(self.template).render(**self.context)
        encoded = re.search(r'src="data:image/png;base64,([^"]*)"', html)[1]
        self.assertEqual(base64.b64decode(encoded), b"\x89PNG")
        self.assertEqual(pages.data_uri(b"\xff"), "data:image/jpeg;base64,/w==")

    def test_a_missing_value_is_an_error(self):
        del self.context["text"]
        with self.assertRaisesRegex(jinja2.UndefinedError, "text"):
            pages.Page(self.template).render(**self.context)

    def test_scripts_before_the_own(self):
        first = self.template.with_name("first.js")
        first.write_text("first();")
        page = pages.Page(self.template, before=[first], code="blob:")
        script = f"first();\n{_SCRIPT}"
        self.assertIn(f"<script>{script}</script>", page.render(**self.context))
        self.assertIn(f"script-src {_digest(script)} blob:;", page.policy)

    def test_policy_allows_the_own_files_only(self):
        page = pages.Page(self.template, connect="'self'")
        parts = dict(part.split(" ", 1) for part in page.policy.split("; "))
        self.assertEqual(
            parts,
            {
                "default-src": "'none'",
                "img-src": "data:",
                "style-src": _digest(_STYLE),
                "script-src": _digest(_SCRIPT),
                "connect-src": "'self'",
                "base-uri": "'none'",
                "form-action": "'none'",
            },
        )
        self.assertIn("default-src &#39;none&#39;", page.render(**self.context))

    def test_files_beside_the_template_may_be_missing(self):
        self.template.with_suffix(".js").unlink()
        page = pages.Page(self.template, style_attributes=True)
        self.assertIn("<script></script>", page.render(**self.context))
        self.assertNotIn("script-src", page.policy)
        self.assertIn("style-src-attr 'unsafe-inline'", page.policy)


if __name__ == "__main__":
    absltest.main()
