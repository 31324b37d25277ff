"""The dbt models that are written from definitions."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import chdb
import jinja2
import pytest
import yaml

from core.insights.binding import literal
from core.insights.definitions import WebDefinition
from core.insights.files import scan_definitions
from core.insights.lists import LISTS
from core.insights.marts import DEFINITIONS, MODELS, read_project, render_mart, unwritten, write_marts

ROOT = Path(__file__).parents[3]
PROJECT = ROOT / "dbt_project"
ODD = 'it\'s "odd" {{ project }} {% raw %} -- \\ \\n %} 💶'
# Python ends lines in more places than people do, and so does Jinja where it indents.
LINES = "a\u2028b\x0bc\x85d\x1ee\nf"


def project(tmp_path: Path, **definitions: str) -> Path:
    """Return a project with nothing but definitions, by name, and two models to read."""
    (tmp_path / DEFINITIONS).mkdir(parents=True)
    (tmp_path / "models").mkdir()
    for name in ("fct_events", "dim_persons"):
        (tmp_path / "models" / f"{name}.sql").touch()
    for name, text in definitions.items():
        (tmp_path / DEFINITIONS / f"{name}.yml").write_text(text)
    return tmp_path


def funnel(*steps: Any, **more: Any) -> str:
    return yaml.safe_dump({"kind": "funnel", "description": "d", "steps": list(steps)} | more, allow_unicode=True)


def rendered(tmp_path: Path, text: str, kind: str = "funnel", macro: str = "insights_funnel") -> dict[str, Any]:
    """Return what the one model of a definition hands to its macro."""
    [insight], _ = scan_definitions(project(tmp_path, **{f"{kind}_x": text}) / DEFINITIONS)
    handed: dict[str, Any] = {}

    def config(**_: Any) -> str:
        return ""

    def ref(name: str) -> str:
        return f"marts.{name}"

    def hand(**arguments: Any) -> str:
        handed.update(arguments)
        return "select 1"

    def of_text(text: str) -> str:
        return text

    functions = {"config": config, "ref": ref, macro: hand}
    functions |= {f"insights_revenue_{name}_of": of_text for name in ("amount", "currency")}
    source = render_mart(insight)[f"{kind}_x.sql"]
    handed["sql"] = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(source).render(functions)  # noqa: S701
    return handed


def test_the_models_in_the_project_are_those_of_its_definitions(tmp_path: Path) -> None:
    for folder in (DEFINITIONS, MODELS, LISTS):
        if (PROJECT / folder).exists():
            shutil.copytree(PROJECT / folder, tmp_path / folder)
    assert write_marts(tmp_path) == ([], [])


@pytest.mark.slow
def test_the_linter_has_nothing_against_the_models_of_documented_and_of_long_definitions(tmp_path: Path) -> None:
    documented = (ROOT / "docs" / "insights" / "definitions.md").read_text()
    definitions = dict(re.findall(r"```yaml\n# dbt_project/insights/(\w+)\.yml\n(.*?)```", documented, re.DOTALL))
    assert len(definitions) > 10
    long = "n" * 39
    way = {"property": [long, long, long]}
    rollup = {
        "kind": "rollup",
        "description": "d",
        "events": {"where": [way | {"value": "x"}]},
        "by": [way | {"name": f"{long}{place}"} for place in range(5)],
        "sums": [way | {"name": long}],
    }
    definitions[f"funnel_{long}"] = funnel({"event": "a", "where": [way | {"value": "x"}]}, long * 3)
    definitions["agg_long"] = yaml.safe_dump(rollup)
    definitions["cohort_long"] = (
        "{kind: cohort, description: d, static: true, who: [{trait: a, operator: after, value: tomorrow}]}"
    )
    root = project(tmp_path / "dbt_project", **definitions)
    (root / LISTS).mkdir(parents=True)
    (root / LISTS / "pilot_customers.csv").write_text("project_id,user_id\n")
    assert write_marts(root)[1] == []
    shutil.copytree(PROJECT / "macros", root / "macros")
    shutil.copy(ROOT / ".sqlfluff", tmp_path)
    linter = [str(Path(sys.executable).with_name("sqlfluff")), "lint", "--disable-progress-bar", str(root / MODELS)]
    told = subprocess.run(linter, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout


def test_models_come_change_and_go_with_their_definitions_and_others_stay(tmp_path: Path) -> None:
    root = project(tmp_path, funnel_a=funnel("a", "b"), funnel_b=funnel("a", "b"))
    (root / MODELS).mkdir(parents=True)
    (root / MODELS / "funnel_mine.sql").write_text("select 1")

    def models() -> set[str]:
        return {file.name for file in (root / MODELS).iterdir()}

    assert {file.name for file in write_marts(root)[0]} == models() - {"funnel_mine.sql"}
    assert models() == {"funnel_mine.sql", *(f"funnel_{name}.{kind}" for name in "ab" for kind in ("sql", "yml"))}
    (root / DEFINITIONS / "funnel_a.yml").write_text(funnel("a", "c"))
    (root / DEFINITIONS / "funnel_b.yml").unlink()
    changed, _ = write_marts(root)
    assert [file.name for file in changed] == ["funnel_a.sql", "funnel_a.yml", "funnel_b.sql", "funnel_b.yml"]
    assert models() == {"funnel_mine.sql", "funnel_a.sql", "funnel_a.yml"}
    assert write_marts(root) == ([], [])


def test_a_wrong_definition_keeps_the_model_that_it_had_and_stops_no_other(tmp_path: Path) -> None:
    root = project(tmp_path, funnel_a=funnel("a", "b"), funnel_b=funnel("a", "b"))
    write_marts(root)
    before = (root / MODELS / "funnel_a.sql").read_text()
    (root / DEFINITIONS / "funnel_a.yml").write_text(funnel("a", "c") + "windw: 3d\n")
    (root / DEFINITIONS / "funnel_b.yml").write_text(funnel("a", "c"))
    changed, problems = write_marts(root)
    assert [file.name for file in changed] == ["funnel_b.sql", "funnel_b.yml"]
    assert [problem.key for problem in problems] == ["windw"]
    assert (root / MODELS / "funnel_a.sql").read_text() == before
    assert unwritten(root) == []


def test_a_model_goes_when_the_cohort_or_list_that_it_reads_is_gone_and_comes_back_with_it(tmp_path: Path) -> None:
    def cohort(who: str) -> str:
        return f"kind: cohort\ndescription: d\nwho: [{who}]\n"

    root = project(
        tmp_path,
        cohort_a=cohort("{trait: plan, value: pro}"),
        cohort_b=cohort("{listed: chosen}, {did: a}"),
        cohort_c=cohort("{cohort: cohort_b}"),
        funnel_d=funnel({"event": "a", "where": [{"cohort": "cohort_c"}]}, "b"),
    )
    (root / "models" / "fct_merges.sql").touch()
    (root / LISTS).mkdir(parents=True)
    (root / LISTS / "chosen.csv").write_text("project_id,user_id\n")
    write_marts(root)
    everything = {file.name: file.read_text() for file in (root / MODELS).iterdir()}
    assert len(everything) == 8
    # A wrong one is still there to be read.
    (root / LISTS / "chosen.csv").write_text("user_id\n")
    assert write_marts(root)[0] == []
    (root / LISTS / "chosen.csv").unlink()
    changed, problems = write_marts(root)
    assert {file.name for file in (root / MODELS).iterdir()} == {"cohort_a.sql", "cohort_a.yml"}
    assert (len(changed), len(problems)) == (6, 3)
    (root / LISTS / "chosen.csv").write_text("project_id,user_id\n")
    write_marts(root)
    assert {file.name: file.read_text() for file in (root / MODELS).iterdir()} == everything


def test_numbers_of_the_events_own_are_said_to_have_their_unit(tmp_path: Path) -> None:
    measured = "[{name: buyers, event: b, measure: persons}, {name: spent, event: b, measure: sum, of: {property: p}}]"
    root = project(
        tmp_path,
        trend_x=f"kind: trend\ndescription: d\nseries: {measured}\n",
        agg_x="kind: rollup\ndescription: d\nsums: [{name: spent, property: p}]\n",
    )
    said: dict[str, str] = {}
    for insight in read_project(root)[0]:
        [model] = yaml.safe_load(render_mart(insight)[f"{insight.name}.yml"])["models"]
        said |= {f"{insight.name}.{column['name']}": column["description"] for column in model["columns"]}
    assert said["trend_x.buyers"] == "persons of b."
    assert said["trend_x.spent"] == "sum of b, in the unit that the events have."
    assert "in the unit that the events have" in said["agg_x.spent_sum"]


def test_a_definition_takes_no_name_that_a_model_has(tmp_path: Path) -> None:
    root = project(tmp_path, funnel_mine=funnel("a", "b"), agg_days="kind: rollup\ndescription: d\n")
    for file in (root / MODELS / "funnel_mine.sql", root / "models" / "marts" / "events" / "agg_days.sql"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("select 1")
    changed, problems = write_marts(root)
    assert changed == []
    assert {problem.message for problem in problems} == {"there is a model of that name already"}
    assert len(problems) == 2
    assert (root / MODELS / "funnel_mine.sql").read_text() == "select 1"


def test_a_list_takes_no_name_that_is_or_may_be_a_models_table(tmp_path: Path) -> None:
    root = project(tmp_path, cohort_a="kind: cohort\ndescription: d\nwho: [{did: a}]\n")
    (root / "models" / "marts").mkdir(parents=True)
    (root / "models" / "marts" / "fct_days.sql").write_text("select 1")
    (root / LISTS).mkdir(parents=True)
    for folder, names in (
        (root / "seeds", ["sources"]),
        (root / LISTS, ["fct", "fct_days", "fct_days_touched", "sources"]),
    ):
        for name in names:
            (folder / f"{name}.csv").write_text("project_id,user_id\n")
    found, problems = read_project(root)
    assert [insight.name for insight in found] == ["cohort_a"]
    assert [str(problem) for problem in problems] == [
        f"lists/{name}.csv:1: there is a model of that name already"
        for name in ("fct_days", "fct_days_touched", "sources")
    ]
    (root / LISTS / "cohort_a.csv").write_text("project_id,user_id\n")
    assert [problem.file for problem in read_project(root)[1]][:2] == ["insights/cohort_a.yml", "lists/cohort_a.csv"]


def test_no_value_means_anything_to_jinja_or_ends_its_literal(tmp_path: Path) -> None:
    steps = [{"event": ODD, "where": [{"property": ODD, "value": ODD}]}, {"event": "b", "name": ODD}]
    handed = rendered(tmp_path, funnel(*steps))
    text = literal(ODD, "String")
    assert handed["steps"][0].startswith(f"event = {text} and (")
    assert handed["steps"][0].count(text) == 3
    assert f"{text}][step]" in handed["sql"]


def test_no_value_of_a_report_means_anything_to_jinja_or_ends_its_literal(tmp_path: Path) -> None:
    text = literal(ODD, "String")
    asked = {"description": ODD, "groups": [ODD], "start_point": ODD, "end_point": ODD, "exclude": [ODD]}
    paths = yaml.safe_dump({"kind": "paths"} | asked, allow_unicode=True)
    handed = rendered(tmp_path / "paths", paths, "paths", "paths_mart")
    assert (handed["groups"], handed["start_point"], handed["end_point"]) == ([text], text, text)
    assert handed["exclude"] == f"(event = {text})"
    of_order = {name: {"property": ODD} for name in ("amount", "currency")}
    asked = {"description": "d", "orders": ODD, "default_currency": "EUR", "breakdown": [{"property": ODD}]} | of_order
    revenue = yaml.safe_dump({"kind": "revenue"} | asked, allow_unicode=True)
    handed = rendered(tmp_path / "revenue", revenue, "revenue", "revenue_mart")
    value = f"nullIf(JSONExtract(properties, {text}, 'Nullable(String)'), '')"
    assert (handed["condition"], handed["amount"], handed["breakdown"]) == (f"event = {text}", value, [value])
    assert handed["currency"] == f"ifNull(nullIf({value}, ''), 'EUR')"


def test_a_value_of_several_lines_stays_what_it_is(tmp_path: Path) -> None:
    handed = rendered(tmp_path, funnel(LINES, "b"))
    assert len(str(handed["steps"][0]).splitlines()) == 1
    assert (
        chdb.query(f"select hex({literal(LINES, 'String')})", "TSVRaw").data().strip() == LINES.encode().hex().upper()
    )


def test_a_description_means_nothing_to_jinja(tmp_path: Path) -> None:
    text = "What {{ env_var('HOME') }} and {% raw %} say: \"it's\" {# all #}"
    root = project(tmp_path, funnel_x=funnel("a", "b", description=text, owner="{{ 7 * 7 }}"))
    write_marts(root)
    [model] = yaml.safe_load((root / MODELS / "funnel_x.yml").read_text())["models"]

    def read(described: str) -> str:
        return jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(described).render()  # noqa: S701

    assert read(model["description"]).startswith(f"One row per project_id and step: {text} (definition ")
    assert read(model["config"]["meta"]["owner"]) == "{{ 7 * 7 }}"


def test_a_trait_is_looked_up_in_the_table_of_persons(tmp_path: Path) -> None:
    handed = rendered(tmp_path, funnel({"event": "a", "where": [{"trait": "plan", "value": "pro"}]}, "b"))
    assert "from marts.dim_persons where project_id = project_id" in handed["steps"][0]


@pytest.mark.parametrize(
    ("steps", "is_disjoint"),
    [
        (["a", "b"], True),
        (["a", ["b", "c"]], True),
        (["a", "a"], False),
        ([["a", "b"], ["b", "c"]], False),
        (["a", None], False),
    ],
)
def test_steps_are_told_apart_by_their_names_only_where_they_can_be(
    tmp_path: Path,
    steps: list[Any],
    is_disjoint: bool,  # noqa: FBT001
) -> None:
    written = [{"event": step} if step else {} for step in steps]
    assert rendered(tmp_path, funnel(*written))["disjoint"] is is_disjoint


def test_reports_are_read_off_the_rollup_by_the_dimensions_that_it_has(tmp_path: Path) -> None:
    rollup = (PROJECT / "models" / "marts" / "events" / "agg_sessions_daily.sql").read_text()
    [dimensions] = re.findall(r"set dimensions = \[(.*)\]", rollup)
    has = set(re.findall(r"'(\w+)'", dimensions))
    schema = WebDefinition.model_json_schema()
    known = set(schema["properties"]["breakdown"]["items"]["enum"])
    assert has < known
    for place, column in enumerate(sorted(known)):
        text = f"kind: web\ndescription: d\nbreakdown: [{column}]\n"
        handed = rendered(tmp_path / str(place), text, kind="web", macro="web_mart")
        assert handed["rolled"] == (column in has), column
