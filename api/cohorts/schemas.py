"""Shapes of answers about saved cohorts."""

from api.saved.contents import CohortContent
from api.saved.schemas import Stamp


class Cohort(CohortContent, Stamp):
    """A cohort that was saved."""
