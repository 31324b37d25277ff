"""What query documents name: cohorts that files define or somebody saved, and lists of users."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import cast

from pydantic import BaseModel, ConfigDict, SerializeAsAny, ValidationError
from sqlalchemy import select

from api.insights.defined import DefinedInsights
from api.queries.documents import AnyDocument
from api.queries.reading import MOST_BYTES, MOST_CONDITIONS, ReadDocument, invalid_document
from core.insights.cohorts import CohortQuestion, lists_in
from core.insights.faults import Fault, places_of
from core.insights.filters import Filter, Member, cohorts_in, parts_of
from core.metadata import Project
from core.metadata.saved import SavedObject
from core.metadata.tenancy import Database

SavedCohorts = Mapping[str, CohortQuestion]
"""Saved cohorts by their names."""
# Each level is a subquery within others.
DEEPEST_COHORT = 5
_BY_NAME = select(SavedObject.key, SavedObject.content).where(
    SavedObject.kind == "cohort", SavedObject.deleted_at.is_(None)
)


class Question(BaseModel):
    """A document as it is answered: with what the saved cohorts say at this moment."""

    model_config = ConfigDict(frozen=True)

    document: SerializeAsAny[AnyDocument]
    cohorts: dict[str, CohortQuestion] = {}
    files: str = ""
    """Digest of what files say of the cohorts and lists that it is made of."""


@dataclass(frozen=True, slots=True)
class _Size:
    """What a cohort adds to a document that names it, if it stood there written out."""

    conditions: int = 0
    characters: int = 0
    levels: int = 0

    def with_those(self, of: Mapping[str, "_Size"], names: Iterable[str]) -> "_Size":
        """Return the size with that of each cohort that is named."""
        named = [of[name] for name in names if name in of]
        return _Size(
            self.conditions + sum(each.conditions for each in named),
            self.characters + sum(each.characters for each in named),
            self.levels + max((each.levels for each in named), default=0),
        )

    def fault(self) -> str | None:
        """Say what of it is too much."""
        if self.levels > DEEPEST_COHORT:
            return f"saved cohorts are made of each other more than {DEEPEST_COHORT} levels deep"
        if self.conditions > MOST_CONDITIONS:
            return f"with its saved cohorts it has {self.conditions:,} conditions, more than {MOST_CONDITIONS}"
        if self.characters > MOST_BYTES:
            return f"with its saved cohorts it has {self.characters:,} characters, more than {MOST_BYTES:,}"
        return None


class Naming:
    """Finds what one project's documents name. Raises `UnavailableError` without PostgreSQL."""

    def __init__(self, database: Database, defined: DefinedInsights) -> None:
        self._database = database
        self._defined = defined

    def is_of_file(self, project: Project, name: str) -> bool:
        """Say whether a file defines a cohort of this name for a project: that one comes before a saved one."""
        return name in self._cohorts_of_files(project)

    async def question(self, project: Project, read: ReadDocument) -> Question:
        """Return a document with the saved cohorts that it is made of.

        Raises `InvalidRequestError`, with the places, for a cohort or a list that there is not, and for saved cohorts
        that are too much.
        """
        asked = read.document
        cohorts, lists = cohorts_in(asked), lists_in(asked)
        if not (cohorts or lists):
            return Question.model_construct(document=asked)
        of_files = self._cohorts_of_files(project)
        known_lists = self._defined.lists(project.id)
        saved, broken = await self._saved(project, cohorts - of_files, of_files)
        wrong = {name: _wrong_in(each, saved, of_files, known_lists) for name, each in saved.items()}
        wrong |= dict.fromkeys(broken, "its definition is no longer understood")
        order, looped = _ordered(saved)
        wrong |= dict.fromkeys(looped, "it is made of itself")
        faults: list[Fault] = []
        for name in sorted(cohorts - of_files):
            message = _message(name, saved, wrong)
            faults += [
                Fault(place, message, "cohort_not_found") for place in places_of(read.sent, "cohort", name) if message
            ]
        for name in sorted(lists - known_lists):
            message = f"there is no list {name} with users of this project"
            faults += [Fault(place, message, "list_not_found") for place in places_of(read.sent, "listed", name)]
        if faults:
            raise invalid_document(*faults)
        sizes: dict[str, _Size] = {}
        for name in order:
            own = _Size(_conditions_in(saved[name]), len(saved[name].model_dump_json()), 1)
            sizes[name] = own.with_those(sizes, _members(saved[name]))
        # That of a cohort may be saved, and is a level of its own then.
        own = _Size(_conditions_in(asked), len(json.dumps(read.sent)), int(asked.kind == "cohort"))
        too_much = own.with_those(sizes, _members(asked)).fault()
        if saved and too_much:
            raise invalid_document(Fault((), too_much, "too_large"))
        files = self._defined.digest_of(project.id, (asked, *saved.values()))
        return Question.model_construct(document=asked, cohorts=saved, files=files)

    def _cohorts_of_files(self, project: Project) -> set[str]:
        return {each.name for each in self._defined.of_project(project.id) if each.definition.kind == "cohort"}

    async def _saved(
        self, project: Project, names: set[str], of_files: set[str]
    ) -> tuple[dict[str, CohortQuestion], set[str]]:
        """Return saved cohorts, with those that they are made of, and the names of those that cannot be read."""
        found: dict[str, CohortQuestion] = {}
        broken: set[str] = set()
        if not names:
            return found, broken
        looked, wanted = set[str](), names
        async with self._database.of_project(project) as session:
            while wanted:
                looked |= wanted
                if len(looked) > MOST_CONDITIONS:
                    raise invalid_document(Fault((), f"it is made of more than {MOST_CONDITIONS} cohorts", "too_large"))
                rows = (await session.execute(_BY_NAME.where(SavedObject.key.in_(wanted)))).all()
                further: set[str] = set()
                for key, content in rows:
                    try:
                        found[str(key)] = CohortQuestion.model_validate(content["query"])
                        further |= cohorts_in(found[str(key)])
                    except ValidationError:
                        broken.add(str(key))
                wanted = further - of_files - looked
        return found, broken


def _wrong_in(cohort: CohortQuestion, saved: SavedCohorts, of_files: set[str], lists: set[str]) -> str | None:
    """Say what a saved cohort itself names that there is not."""
    missing = cohorts_in(cohort) - of_files - set(saved)
    if missing:
        return f"it is made of {min(missing)}, which is neither defined nor saved for this project"
    unlisted = lists_in(cohort) - lists
    return f"it is made of {min(unlisted)}, a list without users of this project" if unlisted else None


def _ordered(saved: SavedCohorts) -> tuple[list[str], set[str]]:
    """Return cohorts after those that they are made of; and those that are made of themselves, if there are any."""
    graph = {name: cohorts_in(each) & set(saved) for name, each in saved.items()}
    try:
        return list(TopologicalSorter(graph).static_order()), set()
    except CycleError as error:
        return [], set(cast("list[str]", error.args[1]))


def _message(name: str, saved: SavedCohorts, wrong: Mapping[str, str | None]) -> str | None:
    """Say why a cohort cannot be asked for, if it cannot."""
    if name not in saved and name not in wrong:
        return f"no cohort {name} is defined or saved for this project"
    waiting, seen = [name], {name}
    while waiting:
        each = waiting.pop()
        if reason := wrong.get(each):
            return f"cohort {each} was saved, but {reason}"
        further = cohorts_in(saved[each]) - seen if each in saved else set[str]()
        seen |= further
        waiting += further
    return None


def _members(document: object) -> list[str]:
    """Return the cohorts that a document names, each as often as it does."""
    return [member.cohort for member in parts_of(document, Member)]


def _conditions_in(document: object) -> int:
    return sum(1 for _ in parts_of(document, Filter)) + len(_members(document))
