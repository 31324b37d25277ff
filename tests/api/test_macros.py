import os
from pathlib import Path

import pytest

from api.insights.macros import InsightMacros, MacrosMissingError


def test_macros_of_different_files_can_call_each_other(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("{%- macro outer(x) -%}select {{ inner(x) }}{%- endmacro -%}")
    (tmp_path / "b.sql").write_text("{%- macro inner(x) -%}{{ x }} + 1{%- endmacro -%}")
    assert InsightMacros(tmp_path).render("outer", x="{n:UInt8}") == "select {n:UInt8} + 1"


def test_an_edited_macro_is_used_from_the_next_query_on(tmp_path: Path) -> None:
    file = tmp_path / "a.sql"
    file.write_text("{%- macro a() -%}select 1{%- endmacro -%}")
    macros = InsightMacros(tmp_path)
    assert macros.render("a") == "select 1"
    file.write_text("{%- macro a() -%}select 2{%- endmacro -%}")
    os.utime(file, ns=(1, 1))
    assert macros.render("a") == "select 2"


@pytest.mark.parametrize(
    "source",
    [
        "",
        "{%- macro other() -%}{%- endmacro -%}",
        "{%- macro a(x) -%}{{ y }}{%- endmacro -%}",
        "{%- macro a() -%}",
        "{%- macro a() -%}{%- endmacro -%}",
        "{{ ref('a') }}",
        "{% set a = 1 + 'x' %}",
    ],
)
def test_a_macro_that_is_missing_or_broken_is_named(tmp_path: Path, source: str) -> None:
    (tmp_path / "a.sql").write_text(source)
    with pytest.raises(MacrosMissingError, match="macro"):
        InsightMacros(tmp_path).render("a", x="1")


def test_a_file_that_cannot_be_read_is_told_when_all_are_compiled(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_bytes(b"\xff")
    with pytest.raises(MacrosMissingError, match="do not compile"):
        InsightMacros(tmp_path).compile()


def test_a_directory_without_macros_is_named(tmp_path: Path) -> None:
    with pytest.raises(MacrosMissingError, match="RADIXINSIGHT_API_MACROS_DIR"):
        InsightMacros(tmp_path).render("a")
