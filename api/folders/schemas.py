"""Shapes of answers about folders."""

from api.saved.contents import FolderContent
from api.saved.schemas import Stamp


class Folder(FolderContent, Stamp):
    """A folder."""
