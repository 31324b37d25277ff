"""The project on a cluster: what dbt says to one, and that a run passes when a cluster of one shard answers."""

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from clickhouse_connect.driver.client import Client

from core.insights.lists import LISTS
from core.insights.marts import DEFINITIONS, write_marts
from engine.dbt_runs import copy_project
from engine.landing import MODELS, landing
from engine.refreshes import MAIN_MODELS, Refreshes, arrive_at_first, arrive_then, events_that_count
from engine.wire import Answer, Send, changes, told
from reference.identity import persons
from runtime.instance import Instance

pytestmark = pytest.mark.slow

CLUSTER = "shards"
ON_CLUSTER = re.compile(rf'\s+on\s+cluster\s+"{CLUSTER}"(\s+sync)?', re.IGNORECASE)
REPLICATED = re.compile(r"Replicated(\w*MergeTree)\('([^']*)', '([^']*)'\)")
DISTRIBUTED = re.compile(rf"as (\S+) engine = Distributed\('{CLUSTER}', '(\w+)', '(\w+)', (.+)\)$")
PER_SHARD = ("/clickhouse/tables/{uuid}/{shard}", "{replica}")
WHOLE = ("/clickhouse/tables/{uuid}/whole", "{shard}-{replica}")
COHORT = "kind: cohort\ndescription: d\nstatic: true\nwho: [{listed: chosen}]\n"
OF_PERSONS = {
    *("fct_events", "fct_sessions", "dim_persons", "agg_first_seen", "fct_trait_changes"),
    *("int_events_stale", "int_instants_stale", "int_persons_numbered"),
}


@dataclass
class OneShard:
    """A cluster of one shard without replicas, as far as the embedded ClickHouse can be one.

    Statements for all hosts are its own, tables are not replicated, and a Distributed table is another name of the one
    that it would stand over.
    """

    heard: list[str] = field(default_factory=list[str])

    def __call__(self, statement: str, send: Send) -> Answer:
        """Write down what is said, and answer."""
        self.heard.append(told(statement))
        if self.heard[-1].lower().startswith("system sync replica"):
            return send("select 1")
        plain = REPLICATED.sub(r"\1", ON_CLUSTER.sub(" ", statement))
        plain = plain.replace(
            f'clusterAllReplicas("{CLUSTER}", system.tables)', "(select *, 1 as _shard_num from system.tables)"
        )
        if distributed := DISTRIBUTED.search(self.heard[-1]):
            alias = f"engine = Alias('{distributed[2]}', '{distributed[3]}')"
            named = self.heard[-1][: distributed.start()]
            plain = f"{ON_CLUSTER.sub(' ', named)} {alias} settings allow_experimental_alias_table_engine = 1"
        return send(plain)


@pytest.fixture(scope="module")
def shard() -> OneShard:
    """Hear what is said over both runs."""
    return OneShard()


@pytest.fixture(scope="module")
def refreshed(
    runtime: Instance, client: Client, shard: OneShard, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Refreshes]:
    """Make all models of a small history, and then what changes with the rest of it."""
    project = tmp_path_factory.mktemp("cluster") / "project"
    copy_project(project)
    (project / LISTS / "chosen.csv").write_text("project_id,user_id\n1,u1\n1,u2\n1,u3\n2,u3\n")
    (project / DEFINITIONS / "cohort_kept.yml").write_text(COHORT)
    assert write_marts(project)[1] == []
    with landing(runtime, client) as given:
        made = dataclasses.replace(given, project=project, directory=project.parent)
        refreshes = Refreshes(made)
        arrive_at_first(made)
        assert refreshes.heard_by(shard, *MODELS, RADIXINSIGHT_DBT_CLUSTER=CLUSTER) == ""
        arrive_then(made)
        assert refreshes.heard_by(shard, "run", *MAIN_MODELS, "cohort_kept", RADIXINSIGHT_DBT_CLUSTER=CLUSTER) == ""
        yield refreshes


def test_every_change_of_a_table_is_made_on_the_whole_cluster(refreshed: Refreshes, shard: OneShard) -> None:
    # Rows that are inserted go to their shards by way of the Distributed table.
    made = [
        statement
        for statement in shard.heard
        if changes(statement) and not re.match("insert", statement, re.IGNORECASE)
    ]
    assert refreshed
    assert len(made) > 200
    assert [statement[:200] for statement in made if not ON_CLUSTER.search(statement)] == []


def test_every_table_is_replicated_and_one_of_a_model_is_distributed_by_its_key(
    refreshed: Refreshes, shard: OneShard
) -> None:
    engines: dict[str, tuple[str, str]] = {}
    keys: dict[str, str] = {}
    for statement in shard.heard:
        if named := re.match(r"create (?:or replace )?table (?:if not exists )?(\S+)", statement):
            name = named[1].replace("`", "").split(".")[1]
            if over := DISTRIBUTED.search(statement):
                assert over[3] == f"{name}_local"
                keys[name] = over[4]
            elif engine := REPLICATED.search(statement):
                engines[name] = (engine[2], engine[3])
            else:
                # A table like another one has its engine.
                assert re.search(r" as \S+(_local`|__fresh)$", statement), statement
    assert {name for name, engine in engines.items() if engine == PER_SHARD} >= {f"{name}_local" for name in OF_PERSONS}
    assert {engine for name, engine in engines.items() if name.endswith("_local")} == {PER_SHARD}
    assert {engine for name, engine in engines.items() if not name.endswith("_local")} == {WHOLE}
    assert (engines["chosen"], engines["cohort_kept_local"]) == (WHOLE, PER_SHARD)
    assert {name.removesuffix("_local") for name in engines if name.endswith("_local")} <= set(keys)
    assert {keys[name] for name in OF_PERSONS} == {"cityHash64(project_id, person_number)"}
    assert keys["stg_collector__events"] == "cityHash64(project_id, message_id)"
    models = [address for address, engine in refreshed.tables().items() if engine == "Alias"]
    assert len(models) > 30


def test_a_table_takes_another_ones_place_when_all_hosts_have_it(refreshed: Refreshes, shard: OneShard) -> None:
    assert refreshed
    exchanged = 0
    synced: set[str] = set()
    for statement in shard.heard:
        if found := re.match(r"system sync replica on cluster \S+ (\S+)$", statement, re.IGNORECASE):
            synced.add(found[1])
        elif found := re.match(r"exchange tables (\S+) and", statement, re.IGNORECASE):
            exchanged += 1
            assert found[1] in synced, statement
            synced.remove(found[1])
    assert exchanged > 50


def test_a_cluster_of_one_shard_counts_each_event_once_for_the_person_the_reference_names(
    refreshed: Refreshes,
) -> None:
    events = events_that_count()
    named = persons(events)
    wanted = {(project, each.message_id, each.event, named[each.message_id]) for project in (1, 2) for each in events}
    rows = refreshed.made.rows(
        "select project_id, message_id, event, person_id"
        " from {marts}.fct_events inner join {marts}.dim_persons using (project_id, person_number)"
    )
    assert len(rows) == len(wanted)
    assert set(rows) == wanted
    counted = refreshed.made.rows("select project_id, sum(events) from {marts}.agg_events_daily group by 1 order by 1")
    assert counted == [(1, len(events)), (2, len(events))]


def test_a_static_cohort_of_a_cluster_keeps_who_is_still_there(refreshed: Refreshes, shard: OneShard) -> None:
    commented = [statement for statement in shard.heard if re.search("cohort_kept_local.* modify comment", statement)]
    assert len(commented) == 2
    # u2 was merged into u1, and u3 erased.
    rows = refreshed.made.rows(
        "select project_id, user_id from {marts}.cohort_kept"
        " left join {marts}.dim_persons using (project_id, person_number)"
    )
    assert rows == [(1, "u1")]
