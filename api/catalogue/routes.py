"""`/v1/projects/{project_id}/catalogue`."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.catalogue.schemas import (
    CatalogueQuery,
    EventCatalogue,
    EventDescription,
    PropertyCatalogue,
    PropertyDescription,
    PropertyQuery,
)
from api.dependencies import ProjectDep, ResourcesDep
from api.problems import SAVED, SAVED_CHANGE, TIMED_OUT, UNANSWERABLE
from api.saved.contents import EventContent, PropertyContent
from api.saved.locking import EditDep
from api.saved.routes import WriterDep

router = APIRouter(prefix="/v1/projects/{project_id}/catalogue", tags=["catalogue"], responses=SAVED)


@router.get("/events", operation_id="list_catalogue_events", summary="List events", responses=UNANSWERABLE | TIMED_OUT)
async def list_catalogue_events(
    project: ProjectDep, held: ResourcesDep, query: Annotated[CatalogueQuery, Query()]
) -> EventCatalogue:
    """Return the events that were sent, how often and when, with what is said of each."""
    return await held.catalogue.events(project, query)


@router.put("/events", operation_id="describe_event", summary="Describe an event", responses=SAVED_CHANGE)
async def describe_event(body: EventContent, project: WriterDep, edit: EditDep, held: ResourcesDep) -> EventDescription:
    """Say what an event means, whether or not it was sent yet. If-Match is "0" where nothing was said of it."""
    return edit.shown(EventDescription, await held.catalogue.describe(edit.by, project, body, edit.seen))


@router.get(
    "/properties",
    operation_id="list_catalogue_properties",
    summary="List properties",
    responses=UNANSWERABLE | TIMED_OUT,
)
async def list_catalogue_properties(
    project: ProjectDep, held: ResourcesDep, query: Annotated[PropertyQuery, Query()]
) -> PropertyCatalogue:
    """Return the properties of events, or traits, that were sent and of which types, with what is said of each."""
    return await held.catalogue.properties(project, query)


@router.put("/properties", operation_id="describe_property", summary="Describe a property", responses=SAVED_CHANGE)
async def describe_property(
    body: PropertyContent, project: WriterDep, edit: EditDep, held: ResourcesDep
) -> PropertyDescription:
    """Say what a property of events or a trait means. If-Match is "0" where nothing was said of it."""
    return edit.shown(PropertyDescription, await held.catalogue.describe(edit.by, project, body, edit.seen))
