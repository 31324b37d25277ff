"""Definitions as files, and where in them something is wrong."""

import re
from pathlib import Path

import pytest

from core.insights.files import scan_definitions
from core.insights.lists import LISTS

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "insights" / "definitions.md"
FUNNEL = "kind: funnel\ndescription: From search to purchase.\nsteps: [search, purchase]\n"
TEXT_FOR_A_NUMBER = """\
kind: funnel
description: d
steps:
  - a
  - where:
    - {property: p, operator: gt, value: much}
"""


def problems(tmp_path: Path, text: str, name: str = "funnel_x.yml") -> list[str]:
    """Return what is wrong with one file."""
    folder = tmp_path / "insights"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    found, wrong = scan_definitions(folder)
    assert found == []
    return [str(problem) for problem in wrong]


def lists(tmp_path: Path, **texts: str) -> None:
    """Put lists beside the directory of definitions."""
    (tmp_path / LISTS).mkdir(parents=True)
    for name, text in texts.items():
        (tmp_path / LISTS / f"{name}.csv").write_text(text)


def test_a_definition_is_read_with_its_defaults(tmp_path: Path) -> None:
    (tmp_path / "funnel_x.yml").write_text(FUNNEL)
    [found], _ = scan_definitions(tmp_path)
    assert found.name == "funnel_x"
    assert found.definition.kind == "funnel"
    assert [step.names() for step in found.definition.steps] == [["search"], ["purchase"]]
    assert (found.definition.window, found.definition.order, found.definition.attempts) == ("14d", "ordered", "best")


def test_dates_stay_text(tmp_path: Path) -> None:
    step = "{event: a, where: [{property: day, value: 2025-01-01}]}"
    (tmp_path / "funnel_x.yml").write_text(f"kind: funnel\ndescription: d\nsteps:\n- {step}\n- b\n")
    [found], _ = scan_definitions(tmp_path)
    assert found.definition.kind == "funnel"
    assert found.definition.steps[0].where[0].model_dump()["value"] == "2025-01-01"


def test_the_examples_in_the_documentation_can_be_read(tmp_path: Path) -> None:
    examples = re.findall(r"```yaml\n# dbt_project/insights/(\w+)\.yml\n(.*?)```", DOCUMENTATION.read_text(), re.DOTALL)
    [users] = re.findall(r"```csv\n(.*?)```", DOCUMENTATION.read_text(), re.DOTALL)
    lists(tmp_path, pilot_customers=users)
    (tmp_path / "insights").mkdir()
    for name, text in examples:
        (tmp_path / "insights" / f"{name}.yml").write_text(text)
    found, wrong = scan_definitions(tmp_path / "insights")
    assert ({insight.name for insight in found}, wrong) == ({name for name, _ in examples}, [])
    assert {insight.definition.kind for insight in found} >= {"funnel", "trend", "rollup", "cohort"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kind: funnel\ndescription: d\nsteps: [a, b]\nwindw: 3d\n", "4: windw: there is no such key here"),
        (
            "kind: funnel\ndescription: d\nsteps: [a, b]\nwindow: 3 days\n",
            "4: window: '3 days' is not a length of time",
        ),
        ("kind: funnel\ndescription: d\nsteps:\n  - a\n  - evnt: b\n", "5: steps.1.evnt: there is no such key here"),
        (
            TEXT_FOR_A_NUMBER,
            "6: steps.1.where.0.value: gt wants a number, not 'much'",
        ),
        ("kind: funnel\ndescription: d\nsteps: [a]\n", "3: steps: there have to be at least 2"),
        ("kind: funnel\nsteps: [a, b]\n", "1: description: it has to be there"),
        ("kind: tunnel\n", "1: kind has to be one of"),
        ("description: d\n", "1: kind has to be one of"),
        ("", "1: a definition is a mapping"),
        ("- a\n", "1: a definition is a mapping"),
        ("kind: funnel\ndescription: d\ndescription: e\n", "3: description: the key stands there twice"),
        ("kind: [\n", "2: it is no YAML"),
        (
            "kind: retention\ndescription: d\n",
            "1: kind: the mart of a retention has a name that begins with retention_",
        ),
        (
            FUNNEL + "exclude:\n  - {event: c, from_step: 2, to_step: 5}\n",
            "5: exclude.0.to_step: the funnel has 2 steps",
        ),
    ],
)
def test_what_is_wrong_is_named_by_file_line_and_key(tmp_path: Path, text: str, expected: str) -> None:
    [problem] = problems(tmp_path, text)
    assert problem.startswith(f"insights/funnel_x.yml:{expected}")


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ("[{did_in_order: [a]}]", "3: who.0.did_in_order: there have to be at least 2"),
        ("[{did_in_order: [a, {evnt: b}]}]", "3: who.0.did_in_order.1.evnt: there is no such key here"),
        ("[{did_in_order: {steps: [a, b], windw: 3d}}]", "3: who.0.did_in_order.windw: there is no such key here"),
        ("[{did_in_order: {steps: [a, b], window: 3}}]", "3: who.0.did_in_order.window: '3' is not a length of time"),
        (f"[{{did_in_order: [{', '.join('a' * 21)}]}}]", "3: who.0.did_in_order: there may be at most 20, not 21"),
        ("[{listed: Customers}]", "3: who.0.listed: it has to match the pattern"),
        ("[{listed: [a, b]}]", "3: who.0.listed: it has to be a text, not a list"),
        ("[{property: plan, value: pro}]", "3: who.0: persons are chosen by a trait"),
    ],
)
def test_what_is_wrong_with_a_criterion_is_named_too(tmp_path: Path, who: str, expected: str) -> None:
    [problem] = problems(tmp_path, f"kind: cohort\ndescription: d\nwho: {who}\n", "cohort_x.yml")
    assert problem.startswith(f"insights/cohort_x.yml:{expected}")


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("lifecycle", "intervall: week", "3: intervall: there is no such key here"),
        ("lifecycle", "interval: year", "3: interval: it has to be 'hour', 'day', 'week' or 'month', not 'year'"),
        ("lifecycle", "events: {evnt: a}", "3: events.evnt: there is no such key here"),
        ("paths", "exclude: [a, {}]", "3: exclude.1: it has to choose by event or where"),
        ("stickiness", "last: 0", "3: last: it has to be 1 or more, not 0"),
        ("stickiness", "events: [a, b]", "3: events: it has to be a mapping of keys to values"),
        ("paths", "nodes: screens", "3: nodes: it has to be 'event' or 'page_path', not 'screens'"),
        ("paths", "window: 30", "3: window: '30' is not a length of time"),
        ("paths", "exclude:\n- a\n- {event: b, whre: []}", "5: exclude.1.whre: there is no such key here"),
        ("paths", "groups: ['']", "3: groups.0: it may not be empty"),
        ("paths", "start_point: ''", "3: start_point: it may not be empty"),
        ("paths", "end_point: [a]", "3: end_point: it has to be a text, not a list"),
        ("paths", "max_steps: 51", "3: max_steps: it has to be 50 or less, not 51"),
        ("paths", "min_sequences: 0", "3: min_sequences: it has to be 1 or more, not 0"),
        ("web", "breakdown: [plan]", "3: breakdown.0: it has to be 'channel', 'referrer_type', 'referrer_name'"),
        (
            "web",
            "breakdown: [page_path, entry_path]",
            "3: breakdown: page_path is of a view and entry_path of a session",
        ),
        ("web", "top: 101", "3: top: it has to be 100 or less, not 101"),
        ("web", "total: 3", "3: total: it has to be true or false, not 3"),
        (
            "web",
            "where:\n- {column: page_path, value: /}",
            "4: where.0: it is about page_path: sessions know traits",
        ),
        (
            "web",
            "breakdown: [country]\nwhere: [{trait: a, value: b}, {none: [{property: c, value: d}]}]",
            "4: where.1: it is about a property: sessions know traits",
        ),
        ("revenue", "last: 5", "1: orders: it has to be there"),
        ("revenue", "orders: a\namount: {column: country}", "4: amount: it has to be a property of the event"),
        ("revenue", "orders: a\ncurrency: {trait: unit}", "4: currency: it has to be a property of the event"),
        ("revenue", "orders: a\ndefault_currency: eur", "4: default_currency: it has to match the pattern"),
        ("revenue", "orders: a\nin_currency: €", "4: in_currency: it has to match the pattern"),
        (
            "revenue",
            "orders: a\nwhere: [{property: p, operator: gt, value: much}]",
            "4: where.0.value: gt wants a number",
        ),
        ("revenue", "orders: a\nbreakdown: [{column: plan}]", "4: breakdown.0.column: it has to be 'type'"),
    ],
)
def test_what_is_wrong_with_a_report_is_named_too(tmp_path: Path, kind: str, text: str, expected: str) -> None:
    [problem] = problems(tmp_path, f"kind: {kind}\ndescription: d\n{text}\n", f"{kind}_x.yml")
    assert problem.startswith(f"insights/{kind}_x.yml:{expected}")


def test_only_views_are_chosen_by_what_a_session_does_not_know(tmp_path: Path) -> None:
    text = "kind: web\ndescription: d\nbreakdown: [page_path]\nwhere: [{property: plan, value: pro}]\n"
    (tmp_path / "web_x.yml").write_text(text)
    [found], wrong = scan_definitions(tmp_path)
    assert (found.name, wrong) == ("web_x", [])


def test_a_formula_that_cannot_be_read_says_where(tmp_path: Path) -> None:
    text = (
        "kind: trend\ndescription: d\nseries: [{name: buyers, event: purchase, measure: persons}]\n"
        "formulas: [{name: rate, formula: A / B}]\n"
    )
    [problem] = problems(tmp_path, text, "trend_x.yml")
    assert problem == "insights/trend_x.yml:4: formulas.0.formula: there is no series B, only A (character 5)"


@pytest.mark.parametrize("name", ["Funnel_x.yml", "funnel-x.yml", "1funnel.yml", f"funnel_{'x' * 60}.yml"])
def test_the_name_of_a_file_has_to_do_for_a_table(tmp_path: Path, name: str) -> None:
    [problem] = problems(tmp_path, FUNNEL, name)
    assert "the file's name is the mart's" in problem


def test_all_files_are_looked_at_before_anything_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "insights"
    folder.mkdir()
    (folder / "funnel_b.yml").write_text("kind: funnel\nsteps: [a]\n")
    (folder / "funnel_a.yaml").write_text(FUNNEL)
    (folder / "funnel_a.yml").write_text(FUNNEL)
    _, wrong = scan_definitions(folder)
    assert sorted((problem.file, problem.key) for problem in wrong) == [
        ("insights/funnel_a.yml", ""),
        ("insights/funnel_b.yml", "description"),
        ("insights/funnel_b.yml", "steps"),
    ]


@pytest.mark.parametrize(
    ("value", "read"),
    [("NO", "NO"), ("12:30", "12:30"), ("010", 10), ("1e3", 1000.0), ("yes", "yes"), ("True", True), ("~", None)],
)
def test_only_what_yaml_1_2_calls_a_number_or_boolean_is_one(tmp_path: Path, value: str, read: object) -> None:
    step = f"{{event: a, where: [{{any: [{{column: country, value: [{value}, x]}}]}}]}}"
    (tmp_path / "funnel_x.yml").write_text(f"kind: funnel\ndescription: d\nsteps:\n- {step}\n- b\n")
    found, problems = scan_definitions(tmp_path)
    if read is None:
        assert "is wants a text" in problems[0].message
        return
    definition = found[0].definition
    assert definition.kind == "funnel"
    assert definition.steps[0].where[0].model_dump()["any"][0]["value"] == [read, "x"]


@pytest.mark.parametrize(
    "text",
    [
        "kind: \x0c",
        "kind: !!int x",
        "a: " + "[" * 5000,
        "a: &a [" + ", ".join(["1"] * 100) + "]\nb: &b [" + ", ".join(["*a"] * 100) + "]\nc: *b",
        "a: &a [*a]",
        "x" * 200_000,
        FUNNEL.replace(
            "search", "{event: a, where: [{property: p, operator: before, value: '0001-01-01T00:00:00+14:00'}]}"
        ),
        FUNNEL.replace("search", "{event: a, where: [{property: p, value: " + "9" * 250 + "}]}").replace(
            "9" * 250, "9" * 400
        ),
        FUNNEL.replace("search", '{event: a, where: [{column: channel, value: "\\ud800"}]}'),
        FUNNEL.replace("search", '{event: a, "\\udfff": 1}'),
    ],
    ids=["control", "tag", "deep", "wide", "ring", "long", "instant", "number", "surrogate", "surrogate key"],
)
def test_no_file_breaks_more_than_itself(tmp_path: Path, text: str) -> None:
    (tmp_path / "funnel_good.yml").write_text(FUNNEL)
    (tmp_path / "funnel_bad.yml").write_text(text)
    (tmp_path / "funnel_gone.yml").symlink_to(tmp_path / "nothing")
    found, problems = scan_definitions(tmp_path)
    assert [insight.name for insight in found if insight.name != "funnel_bad"] == ["funnel_good"]
    assert any("funnel_gone.yml" in problem.file for problem in problems)
    assert len(found) == 2 or any("funnel_bad.yml" in problem.file for problem in problems)


@pytest.mark.parametrize("name", ["a", "null", "index", "bucket", "formula_1", "person_number", "by_1"])
def test_a_column_takes_no_name_that_means_something_else(tmp_path: Path, name: str) -> None:
    text = f"kind: trend\ndescription: d\nseries:\n- {{name: '{name}', event: x}}\n"
    [problem] = problems(tmp_path, text, "trend_x.yml")
    assert problem.startswith("insights/trend_x.yml:4: series.0.name: ")
    assert "choose another name" in problem


def test_no_two_columns_have_one_name(tmp_path: Path) -> None:
    text = "kind: rollup\ndescription: d\nby: [{name: amount_sum, property: a}]\nsums: [{name: amount, property: b}]\n"
    [problem] = problems(tmp_path, text, "agg_x.yml")
    assert problem == "insights/agg_x.yml:4: sums.0.name: amount_sum would name more than one column"


def test_a_cohort_that_is_missing_or_made_of_itself_is_named(tmp_path: Path) -> None:
    for name, other in (("a", "b"), ("b", "c"), ("c", "b"), ("d", "e")):
        text = f"kind: cohort\ndescription: d\nwho: [{{any: [{{cohort: cohort_{other}}}]}}]\n"
        (tmp_path / f"cohort_{name}.yml").write_text(text)
    (tmp_path / "funnel_a.yml").write_text(
        "kind: funnel\ndescription: d\nsteps: [{event: a, where: [{none: [{cohort: cohort_x}]}]}, b]\n"
    )
    found, problems = scan_definitions(tmp_path)
    assert found == []
    assert [str(problem).partition("/")[2] for problem in problems] == [
        "cohort_a.yml:3: who.0.any.0.cohort: there is no cohort_b, or it cannot be read",
        "cohort_b.yml:3: who.0.any.0.cohort: cohort_b would be made of itself",
        "cohort_c.yml:3: who.0.any.0.cohort: cohort_c would be made of itself",
        "cohort_d.yml:3: who.0.any.0.cohort: there is no cohort_e, or it cannot be read",
        "funnel_a.yml:3: steps.0.where.0.none.0.cohort: there is no cohort_x, or it cannot be read",
    ]


def test_all_that_a_file_names_and_is_not_there_is_told_at_each_place(tmp_path: Path) -> None:
    who = "- {cohort: cohort_b}\n- {listed: l}\n- any:\n  - {cohort: cohort_c}\n  - {cohort: cohort_b}\n"
    text = f"kind: cohort\ndescription: d\nwho:\n{who}"
    (tmp_path / "cohort_c.yml").write_text("kind: cohort\ndescription: d\nwho: [{listed: m}]\n")
    (tmp_path / "cohort_x.yml").write_text(text)
    _, wrong = scan_definitions(tmp_path)
    assert [(problem.file.partition("/")[2], problem.line, problem.key) for problem in wrong] == [
        ("cohort_c.yml", 3, "who.0.listed"),
        ("cohort_x.yml", 4, "who.0.cohort"),
        ("cohort_x.yml", 8, "who.2.any.1.cohort"),
        ("cohort_x.yml", 7, "who.2.any.0.cohort"),
        ("cohort_x.yml", 5, "who.1.listed"),
    ]


def test_what_is_wrong_between_keys_is_told_at_one_of_them(tmp_path: Path) -> None:
    retention = "kind: retention\ndescription: d\n"
    [alone] = problems(tmp_path / "a", retention + "return_rule: brackets\n", "retention_x.yml")
    [unused] = problems(tmp_path / "b", retention + "brackets: [[1, 2]]\n", "retention_x.yml")
    assert alone.startswith("insights/retention_x.yml:3: return_rule: brackets and return_rule")
    assert unused.startswith("insights/retention_x.yml:3: brackets: brackets and return_rule")
    rollup = (
        "kind: rollup\ndescription: d\nevents:\n  where:\n  - {column: os, value: x}\n  - {trait: plan, value: x}\n"
    )
    [changing] = problems(tmp_path / "c", rollup, "agg_x.yml")
    assert changing.startswith("insights/agg_x.yml:6: events.where.1: traits, cohorts, sessions")


def test_each_formula_that_cannot_be_read_is_told_at_its_line(tmp_path: Path) -> None:
    formulas = "- {name: aa, formula: A / B}\n- {name: bb, formula: A / A}\n- {name: cc, formula: A / )}\n"
    text = f"kind: trend\ndescription: d\nseries: [{{name: buyers, event: a}}]\nformulas:\n{formulas}"
    assert [problem.split(": ")[:2] for problem in problems(tmp_path, text, "trend_x.yml")] == [
        ["insights/trend_x.yml:5", "formulas.0.formula"],
        ["insights/trend_x.yml:7", "formulas.2.formula"],
    ]


LISTED = "kind: cohort\ndescription: d\nwho: [{any: [{listed: customers}]}]\n"
UNREADABLE = (
    "insights/cohort_x.yml:3: who.0.any.0.listed: there is no list customers in seeds/lists, or it cannot be read"
)


def test_a_list_may_have_what_csv_allows_and_nobody_on_it(tmp_path: Path) -> None:
    lists(
        tmp_path,
        customers='\ufeffproject_id,user_id\r\n1,007\r\n4294967295,"a, ""b"""\r\n',
        nobody="project_id,user_id\n",
    )
    (tmp_path / "insights").mkdir()
    (tmp_path / "insights" / "cohort_x.yml").write_text(LISTED.replace("who: [", "who: [{listed: nobody}, "))
    found, wrong = scan_definitions(tmp_path / "insights")
    assert ([insight.name for insight in found], wrong) == (["cohort_x"], [])


def test_a_list_that_is_not_there_is_named_with_the_cohort_that_wants_it(tmp_path: Path) -> None:
    assert problems(tmp_path, LISTED, "cohort_x.yml") == [UNREADABLE]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1: the first line has to be project_id,user_id, not empty"),
        ("user_id,project_id\n1,1\n", "1: the first line has to be project_id,user_id, not user_id,project_id"),
        ("1,ann\n", "1: the first line has to be project_id,user_id, not 1,ann"),
        ("project_id,user_id,name\n", "1: the first line has to be project_id,user_id, not project_id,user_id,name"),
        ("project_id,user_id\n1,ann\n1\n", "3: there have to be 2 values, not 1"),
        ("project_id,user_id\nshop,ann\n", "2: project_id: 'shop' is not the id of a project"),
        ("project_id,user_id\n4294967296,ann\n", "2: project_id: '4294967296' is not the id of a project"),
        ("project_id,user_id\n1,\n", "2: user_id: the user's id is missing"),
        ('project_id,user_id\n1,"ann\n', "2: it is no CSV: "),
    ],
)
def test_what_is_wrong_with_a_list_is_named_by_its_line(tmp_path: Path, text: str, expected: str) -> None:
    lists(tmp_path, customers=text)
    of_list, of_cohort = problems(tmp_path, LISTED, "cohort_x.yml")
    assert of_list.startswith(f"lists/customers.csv:{expected}")
    assert of_cohort == UNREADABLE


def test_every_wrong_line_of_a_list_is_named_but_no_thousands_of_them(tmp_path: Path) -> None:
    wrong = "project_id,user_id\nshop,\n1,ann\n1\n"
    lists(tmp_path, short=wrong, long="project_id,user_id\n" + "shop,ann\n" * 1000)
    _, found = scan_definitions(tmp_path / "insights")
    of = {
        name: [(each.line, each.key) for each in found if each.file == f"lists/{name}.csv"]
        for name in ("short", "long")
    }
    assert of["short"] == [(2, "project_id"), (2, "user_id"), (4, "")]
    assert of["long"] == [*((line, "project_id") for line in range(2, 102)), (102, "")]


@pytest.mark.parametrize("name", ["Customers", "my customers", "my-customers", "my__customers", "1st", "c" * 51])
def test_the_name_of_a_list_has_to_do_for_a_table(tmp_path: Path, name: str) -> None:
    lists(tmp_path, **{name: "project_id,user_id\n"})
    _, [problem] = scan_definitions(tmp_path / "insights")
    assert str(problem).startswith(f"lists/{name}.csv:1: the file's name is the list's: ")


def test_a_list_that_is_no_text_is_named(tmp_path: Path) -> None:
    lists(tmp_path)
    (tmp_path / LISTS / "customers.csv").write_bytes(b"project_id,user_id\n1,\xff\n")
    (tmp_path / LISTS / "gone.csv").symlink_to(tmp_path / "nothing")
    _, wrong = scan_definitions(tmp_path / "insights")
    assert [str(problem) for problem in wrong] == [
        "lists/customers.csv:1: it is no UTF-8: invalid start byte",
        "lists/gone.csv:1: it cannot be read: No such file or directory",
    ]


def test_a_definition_is_another_one_when_it_says_something_else(tmp_path: Path) -> None:
    cohort = "kind: cohort\ndescription: d\nwho: [{did: a}]\n"
    same = [cohort, cohort + "static: false\n", cohort.replace("did: a", "did: {event: a, at_least: 1}")]
    others = [
        cohort + "static: true\n",
        cohort.replace("did: a", "did: b"),
        cohort.replace("description: d", "description: e"),
    ]
    for number, text in enumerate([*same, *others]):
        (tmp_path / f"cohort_{number}.yml").write_text(text)
    found, _ = scan_definitions(tmp_path)
    versions = [insight.version for insight in found]
    assert len(set(versions[: len(same)])) == 1
    assert len(set(versions)) == 1 + len(others)
