"""The page of features: hostile tokens are text, nothing runs, every link leads to a latent of the page."""

import re

from agent.core.features import Context, Feature
from agent.pages.rendering import features_page, policy
from agent.pages.views.features import features_view

HOSTILE = "</span><script>alert(1)</script>\u202e\x1b[31m"


def page(word: str = HOSTILE) -> str:
    context = Context(2.5, ((word, 0.0), (" the\n", 0.2), (word, 1.0)))
    one = Feature(7, 0.0125, 2.5, (context,), ((word, 0.5),), ((word, -0.25),), ((9, 0.75), (3, 0.5)))
    other = Feature(9, 0.001, 1.0, (context,), (), (), ((7, 0.75),))
    return features_page(features_view(f"Features of {word}", {"Place": word}, [one, other])).decode()


def test_a_token_of_anybody_is_text_and_cannot_turn_letters_around():
    html = page()

    assert html.count("<script>") == 1 and "alert(1)</script>" not in html.replace("&lt;/script&gt;", "")
    assert "&lt;script&gt;alert(1)" in html and "\u202e" not in html and "\x1b" not in html
    assert "\\u202e" in html
    assert policy(served=False) in html.replace("&#39;", "'") and "style=" not in html


def test_tokens_are_shaded_and_numbers_are_told():
    html = page("cat")

    assert '<span class="heat-0">cat</span><span class="heat-2">·the↵</span><span class="heat-5">cat</span>' in html
    assert "Active in 1.25% of the held-out rows; largest activation 2.5." in html
    assert "+0.500" in html and "-0.250" in html
    anchors, links = set(re.findall(r'id="(latent-\d+)"', html)), set(re.findall(r'href="#(latent-\d+)"', html))
    assert anchors == links == {"latent-7", "latent-9"}
    assert "3 (0.50)" in html  # a latent that is not on the page is no link


def test_an_autoencoder_without_active_latents_says_so():
    assert "No latent is active on the held-out rows." in features_page(features_view("x", {}, [])).decode()
