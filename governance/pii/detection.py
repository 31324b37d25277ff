"""Turns samples of values into findings."""

from collections.abc import Iterable, Iterator

from governance.pii import properties
from governance.pii.finding import Finding, Method, Sample
from governance.pii.recognizers import Match, NameModel, PatternRecognizers

# One digit string in ten passes a card number's checksum. A property whose values are bare numbers is reported when
# at least this share of them fits; one card number in a comment is reported by itself.
_LEAST_SHARE_OF_BARE_NUMBERS = 0.3


class Detector:
    """Checks samples with the property's name, with patterns and, where the name suggests it, with the model.

    Keep one for many samples: its recognisers are loaded at the first value and stay loaded.
    """

    def __init__(self) -> None:
        self._patterns = PatternRecognizers()
        self._model = NameModel()

    def detect(self, samples: Iterable[Sample]) -> Iterator[Finding]:
        """Yield at most one finding per entity for each sample.

        The same entity by two methods is one finding: the name of the property wins over patterns, patterns over the
        model.
        """
        for sample in samples:
            reported: set[str] = set()
            for finding in self._methods(sample):
                if finding.entity not in reported:
                    reported.add(finding.entity)
                    yield finding

    def _methods(self, sample: Sample) -> Iterator[Finding]:
        named = properties.entity_named(sample.property)
        if named is not None:
            yield _finding(sample, named, "name", [Match(named, 1.0, is_bare_number=False)] * len(sample.values))
        yield from _grouped(
            sample, "pattern", (match for v in sample.values for match in self._patterns.matches(v, sample.property))
        )
        # A property whose name settles it needs no model; the model knows words, not codes.
        if named is None and properties.is_free_text(sample.property):
            wordy = [value for value in sample.values if any(character.isalpha() for character in value)]
            yield from _grouped(sample, "model", (match for found in self._model.matches(wordy) for match in found))


def _grouped(sample: Sample, method: Method, matches: Iterable[Match]) -> Iterator[Finding]:
    by_entity: dict[str, list[Match]] = {}
    for match in matches:
        by_entity.setdefault(match.entity, []).append(match)
    for entity, found in sorted(by_entity.items()):
        is_chance = all(match.is_bare_number for match in found)
        if not is_chance or len(found) >= _LEAST_SHARE_OF_BARE_NUMBERS * len(sample.values):
            yield _finding(sample, entity, method, found)


def _finding(sample: Sample, entity: str, method: Method, matches: list[Match]) -> Finding:
    return Finding(
        project_id=sample.project_id,
        event=sample.event,
        property=sample.property,
        entity=entity,
        method=method,
        score=max(match.score for match in matches),
        values_seen=max(sample.values_seen, len(sample.values)),
        values_checked=len(sample.values),
        values_matched=len(matches),
    )
