"""Who asks, and what each of them may do."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from core.metadata import Project
from core.metadata.audit import Actor
from core.metadata.permissions import Permission


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request comes from."""

    address: str | None
    user_agent: str | None

    def is_within(self, networks: Collection[str]) -> bool:
        """Say whether the address is in one of the networks; in any, where there are none."""
        if not networks:
            return True
        try:
            address = ip_address(self.address or "")
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None) or address
        return any(mapped in ip_network(network) for network in networks)


@dataclass(frozen=True, slots=True)
class OrganisationAccess:
    """One organisation that somebody may see, and what he may do there."""

    id: int
    name: str
    allowed_networks: tuple[str, ...]
    demands_provider: bool
    role: str | None
    permissions: frozenset[Permission]
    """In all projects of the organisation."""


@dataclass(frozen=True, slots=True)
class ProjectAccess:
    """One project that somebody may see, and what he may do in it."""

    project: Project
    allowed_networks: tuple[str, ...]
    permissions: frozenset[Permission]
    dashboards: Mapping[int, frozenset[Permission]] = field(default_factory=dict[int, frozenset[Permission]])
    """What he may do beside with single dashboards, by their ids."""


@dataclass(frozen=True, slots=True)
class DashboardAccess:
    """One dashboard that somebody may see, and what he may do with it."""

    project: Project
    allowed_networks: tuple[str, ...]
    permissions: frozenset[Permission]
    in_project: frozenset[Permission]
    """Those of them that he has in all of the project."""


@dataclass(frozen=True, slots=True)
class KeyPrincipal:
    """An API key."""

    key_id: int
    key_hash: str
    prefix: str
    access: ProjectAccess

    @property
    def holder(self) -> str:
        """Return by what it is found again while it lasts."""
        return f"key:{self.key_hash}"

    def actor(self, client: Client) -> Actor:
        """Return how the audit log names it."""
        return Actor("api_key", self.key_id, self.prefix, client.address, client.user_agent)

    def projects(self) -> dict[int, ProjectAccess]:
        """Return the one project that it reads, by its id."""
        return {self.access.project.id: self.access}

    def with_dashboards(self) -> dict[int, ProjectAccess]:
        """Return the same: nothing is granted to a key."""
        return self.projects()


@dataclass(frozen=True, slots=True)
class UserPrincipal:
    """Somebody who signed in."""

    user_id: int
    session_id: int
    email: str
    name: str
    organisations: dict[int, OrganisationAccess] = field(default_factory=dict[int, OrganisationAccess])
    access: dict[int, ProjectAccess] = field(default_factory=dict[int, ProjectAccess])
    in_part: dict[int, ProjectAccess] = field(default_factory=dict[int, ProjectAccess])
    """Projects of which he may see single dashboards and nothing else."""
    provider_id: int | None = None
    """Which organisation's identity provider let him in: he acts in that organisation alone, and not on his account."""

    @property
    def holder(self) -> str:
        """Return by what he is found again while his session lasts."""
        return f"session:{self.session_id}"

    def actor(self, client: Client) -> Actor:
        """Return how the audit log names him."""
        return Actor("user", self.user_id, self.email, client.address, client.user_agent)

    def organisations_from(self, client: Client) -> list[OrganisationAccess]:
        """Return the organisations that he can reach from somewhere."""
        return [each for each in self.organisations.values() if client.is_within(each.allowed_networks)]

    def projects(self) -> dict[int, ProjectAccess]:
        """Return the projects that he may see, by their ids."""
        return self.access

    def with_dashboards(self) -> dict[int, ProjectAccess]:
        """Return also those of which he may see single dashboards alone."""
        return self.access | self.in_part


Principal = KeyPrincipal | UserPrincipal


@dataclass(frozen=True, slots=True)
class Acting:
    """Somebody who signed in and changes something, and where he does it from."""

    user: UserPrincipal
    client: Client

    @property
    def actor(self) -> Actor:
        """Return how the audit log names him."""
        return self.user.actor(self.client)
