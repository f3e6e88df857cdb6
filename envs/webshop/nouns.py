"""The nouns of a title, by which the score tells whether a purchase is the kind of thing that was asked for.

The reference uses spaCy's English model.  Where spaCy and its model ``en_core_web_sm`` are installed they are used
here too; otherwise a rule, which needs no download: every word that is not one of the closed-class words, common
adjectives and measures below, has a letter, and does not end as adverbs and many adjectives do.  Titles are noun
phrases, so this is mostly right.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

#: ``nouns(title)`` -> its nouns, lower-cased, in order, repeats included.
NounFunction = Callable[[str], Sequence[str]]

SPACY_MODEL = "en_core_web_sm"
_CACHED_TITLES = 1 << 15

_NOT_NOUNS = frozenset(
    """
    a about above across after again all also am an and any are around as at be because been before behind below between
    both but by can could did do does down during each either every few for from had has have he her here his how i if
    in inside into is it its itself just me more most my near no nor not of off on once only onto or other our out
    outside over per she should so some such than that the their them then there these they this those through to too
    under until up us very via was we were what when where which while who whom whose why will with within without
    would you your one two three four five six seven eight nine ten first second third half
    big small large little tiny mini huge great good better best new old young long short tall high low deep wide narrow
    thick thin slim heavy light lightweight soft hard strong tough fast quick slow easy simple smart safe clean fresh
    dry wet hot cold warm cool dark bright clear full empty open free extra super ultra pro premium deluxe classic
    modern vintage retro cute pretty cozy comfy casual formal elegant natural organic vegan real pure rich plain solid
    round square flat black white red blue green yellow pink purple orange brown grey gray beige golden
    waterproof wireless portable adjustable compatible available stretchy durable
    made make makes use used using get gets fit fits include includes including suit suits
    oz lb lbs inch inches ft cm mm ml kg xs xl xxl
    """.split()  # noqa: SIM905
)
_ADJECTIVE_ENDINGS = ("ly", "able", "ible", "less", "ful", "ous", "ive", "proof")
_word = re.compile(r"[^\W\d_][\w'’]*(?:-[\w'’]+)*")


class NounTagger(NamedTuple):
    """A way to find nouns and the ``name`` that results are reported with."""

    name: str
    nouns: NounFunction


def rule_nouns(title: str) -> tuple[str, ...]:
    """The nouns of a title by the rule of this module."""
    words = _word.findall(title.lower())
    return tuple(
        word for word in words if word not in _NOT_NOUNS and not word.endswith(_ADJECTIVE_ENDINGS) and len(word) > 1
    )


def spacy_nouns(model: str) -> NounFunction:
    """Nouns and proper nouns by a spaCy model, which must be installed."""
    import spacy

    parse = spacy.load(model)

    def nouns(title: str) -> tuple[str, ...]:
        return tuple(token.text.lower() for token in parse(title) if token.pos_ in ("NOUN", "PROPN"))

    return nouns


def remembered(nouns: NounFunction) -> NounFunction:
    """``nouns`` with its latest answers remembered."""
    return lru_cache(maxsize=_CACHED_TITLES)(lambda title: tuple(nouns(title)))


@lru_cache(maxsize=1)
def default_tagger() -> NounTagger:
    """The model of spaCy if it is installed, otherwise the rule."""
    if importlib.util.find_spec("spacy") and importlib.util.find_spec(SPACY_MODEL):
        return NounTagger(f"spacy:{SPACY_MODEL}", remembered(spacy_nouns(SPACY_MODEL)))
    return NounTagger("rule", remembered(rule_nouns))
