"""`radixinsight keys`, `projects`, `rules`, `organisation` and `domains`, as a person types them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import metadata
from core.metadata.accounts import AuditEntry, Invitation, Role
from core.metadata.organisations import token_hash
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys, project_of_api_key


class Command:
    """`radixinsight` on the session's engines."""

    def __init__(self, runtime: Instance) -> None:
        self._place = ("--data-dir", str(runtime.data_dir), "--port-base", str(runtime.port_base))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command."""
        command = [sys.executable, "-m", "runtime", *arguments, *self._place]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    def say(self, *arguments: str) -> str:
        """Run a command that has to succeed; return what it prints."""
        ran = self.run(*arguments)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    def keys(self, project: ProjectKeys, *flags: str) -> dict[str, dict[str, object]]:
        """Return a project's keys by how they are shown."""
        rows = [json.loads(row) for row in self.say("keys", "list", str(project.id), "--json", *flags).splitlines()]
        return {row["key"]: row for row in rows}


@pytest.fixture
def command(runtime: Instance) -> Command:
    """Return the command."""
    return Command(runtime)


def test_write_keys_are_shown_whole_and_api_keys_by_their_beginning(command: Command, project: ProjectKeys) -> None:
    assert set(command.keys(project)) == {project.write_key, project.api_key[:9] + "…"}
    table = command.say("keys", "list", str(project.id))
    assert project.write_key in table
    assert project.api_key not in table


def test_a_key_is_made_changed_replaced_and_revoked(command: Command, project: ProjectKeys) -> None:
    number = str(project.id)
    key = command.say("keys", "create", number, "Web", "--origin", "https://Shop.example", "--events-per-second", "5")
    command.say("keys", "set", key[:12], "--name", "Shop", "--any-origin", "--events-per-second", "0")
    shown = command.keys(project)[key]
    assert (shown["name"], shown["allowed_origins"], shown["events_per_second"]) == ("Shop", [], None)
    new = command.say("keys", "rotate", key, "--overlap-days", "1")
    listed = command.keys(project)
    assert (listed[new]["name"], listed[new]["revoked_at"]) == ("Shop", None)
    assert listed[key]["revoked_at"] is not None
    command.say("keys", "revoke", key)
    assert key not in command.keys(project)
    assert key in command.keys(project, "--revoked")


def test_an_api_key_is_made_and_replaced(command: Command, runtime: Instance, project: ProjectKeys) -> None:
    key = command.say("keys", "create", str(project.id), "Page", "--kind", "api")
    new = command.say("keys", "rotate", key[:9], "--overlap-days", "0")
    assert project_of_api_key(runtime.database_url, key) is None
    assert project_of_api_key(runtime.database_url, new) == project.id


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("keys", "list", "999999999"), "no project"),
        (("keys", "create", "999999999", "Web"), "no project"),
        (("keys", "revoke", "wk_00000000"), "No live key"),
        (("keys", "set", "wk_"), "nine characters"),
    ],
)
def test_what_is_not_there_is_one_sentence(command: Command, arguments: tuple[str, ...], said: str) -> None:
    ran = command.run(*arguments)
    assert ran.returncode == 1
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_wrong_origin_makes_no_key(command: Command, project: ProjectKeys) -> None:
    ran = command.run("keys", "create", str(project.id), "Web", "--origin", "shop.example")
    assert ran.returncode == 1
    assert "shop.example" in ran.stderr
    assert len(command.keys(project)) == 2


def test_projects_are_listed(command: Command, project: ProjectKeys) -> None:
    rows = [json.loads(row) for row in command.say("projects", "list", "--json").splitlines()]
    assert {"id": project.id, "name": project.name}.items() <= {row["id"]: row for row in rows}[project.id].items()
    assert project.name in command.say("projects", "list")


def test_a_second_project_of_a_name_is_made_only_when_that_is_wanted(command: Command, project: ProjectKeys) -> None:
    ran = command.run("project", project.name)
    assert ran.returncode == 1
    assert str(project.id) in ran.stderr
    assert "Write key" in command.say("project", project.name, "--same-name")


def test_rules_that_a_document_does_not_name_any_more_are_told(
    command: Command, project: ProjectKeys, tmp_path: Path
) -> None:
    document = tmp_path / "rules.json"
    document.write_text('{"addresses":"drop","bots":"reject","properties":[{"path":"traits.email","action":"hash"}]}')
    assert command.say("rules", "set", str(project.id), str(document)).splitlines()[1:] == []
    document.write_text('{"addresses":"drop"}')
    said = command.say("rules", "set", str(project.id), str(document)).splitlines()[1:]
    assert len(said) == 1
    assert {"properties", "bots"} == {word.strip(".") for word in said[0].partition(": ")[2].split(", ")}


def _logged(runtime: Instance, **which: object) -> list[AuditEntry]:
    engine = metadata.connect(runtime.database_url)
    with Session(engine) as session:
        found = list(session.scalars(select(AuditEntry).filter_by(**which).order_by(AuditEntry.id)))
    engine.dispose()
    assert {each.actor_kind for each in found} <= {"operator"}
    return found


def test_what_commands_change_is_in_the_audit_log(
    command: Command, runtime: Instance, project: ProjectKeys, tmp_path: Path
) -> None:
    number, document = str(project.id), tmp_path / "document.json"
    key = command.say("keys", "create", number, "Web")
    command.say("keys", "rotate", key)
    document.write_text('{"addresses":"drop"}')
    command.say("rules", "set", number, str(document))
    document.write_text('{"type":"object"}')
    for _ in range(2):
        command.say("schemas", "add", number, "purchase", str(document))
    command.say("schemas", "retire", number, "purchase")
    entries = _logged(runtime, project_id=project.id)
    assert [each.action for each in entries] == [
        "project.created",
        "write_key.created",
        "api_key.created",
        "write_key.created",
        "write_key.replaced",
        "write_key.created",
        "collection_rules.changed",
        "event_schema.added",
        "event_schema.retired",
    ]
    assert entries[6].details["after"] == {"addresses": "drop"}
    assert key not in str([each.details for each in entries])


def test_a_further_organisation_is_made_and_given_a_domain(command: Command, runtime: Instance) -> None:
    said = command.say("organisation", "Blog", "Bob@Example.com")
    number = said.splitlines()[0].split()[1]
    assert number != "1"
    domain = f"{token_hash(number)[:12]}.example.com"
    made = command.say("project", f"Of {number}", "--organisation", number)
    project_id = int(made.split()[1])
    listed = map(json.loads, command.say("projects", "list", "--json").splitlines())
    assert {row["id"]: row["organisation_id"] for row in listed}[project_id] == int(number)
    assert "Blog" in command.say("domains", "give", f"@{domain.upper()}", "--organisation", number)
    assert domain in command.say("domains", "list")
    for refused in (("give", domain), ("give", "com"), ("give", "a b.com"), ("take", "nobodys.example.com")):
        ran = command.run("domains", *refused)
        assert (ran.returncode, ran.stdout) == (1, "")
        assert "Traceback" not in ran.stderr
    command.say("domains", "take", domain)
    assert domain not in command.say("domains", "list")
    assert [each.action for each in _logged(runtime, organisation_id=int(number))] == [
        "organisation.made",
        "invitation.made",
        "project.created",
        "write_key.created",
        "api_key.created",
        "email_domain.given",
        "email_domain.taken",
    ]


def test_an_invitation_makes_the_first_owner(command: Command, runtime: Instance) -> None:
    said = command.say("invite", "Ada@Example.com", "--role", "admin")
    (token,) = (line.split()[1] for line in said.splitlines() if line.startswith("Invitation"))
    engine = metadata.connect(runtime.database_url)
    with Session(engine) as session:
        found = session.scalars(select(Invitation).where(Invitation.token_hash == token_hash(token))).one()
        role = session.get_one(Role, found.role_id)
        assert (found.email, role.name, found.organisation_id) == ("ada@example.com", "admin", 1)
    engine.dispose()
    (logged,) = _logged(runtime, target_kind="invitation", target_id=str(found.id))
    assert logged.action == "invitation.made"
    for arguments in (("nobody",), ("ada@example.com", "--role", "king"), ("ada@example.com", "--organisation", "999")):
        refused = command.run("invite", *arguments)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "Traceback" not in refused.stderr
