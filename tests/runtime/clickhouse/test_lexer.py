import pytest

from runtime.clickhouse.lexer import Kind, tokens


def values(sql: str) -> list[str]:
    return [token.value for token in tokens(sql)]


@pytest.mark.parametrize(
    "sql",
    [
        "a /* c */ b",
        "a /* /* nested */ still */ b",
        "a -- c\n b",
        "a --c\n b",
        "a // c\n b",
        "a # c\n b",
        "a #! c\n b",
        "a\u00a0b",
        "a/**/b",
    ],
)
def test_comments_and_spaces_separate_and_are_left_out(sql: str) -> None:
    assert values(sql) == ["a", "b"]


def test_an_unclosed_comment_swallows_the_rest() -> None:
    assert values("a /* b /* c */ d") == ["a"]


@pytest.mark.parametrize(
    ("sql", "kind", "value"),
    [
        ("'it''s'", Kind.STRING, "it's"),
        (r"'it\'s'", Kind.STRING, "it's"),
        (r"'a\\'", Kind.STRING, "a\\"),
        ("'; drop'", Kind.STRING, "; drop"),
        ("$$a'b$$", Kind.STRING, "a'b"),
        ("$x$a$$b$x$", Kind.STRING, "a$$b"),
        ("\u2018abc\u2019", Kind.STRING, "abc"),
        ("`a``b`", Kind.QUOTED, "a`b"),
        (r"`fi\x6ce`", Kind.QUOTED, "file"),
        ('"file"', Kind.QUOTED, "file"),
        ("\u201cfile\u201d", Kind.QUOTED, "file"),
        ("file", Kind.WORD, "file"),
        ("a$x$", Kind.WORD, "a$x$"),
        ("$a$x$", Kind.WORD, "$a$x$"),
        ("$1$x$", Kind.WORD, "$1$x$"),
        ("1e5", Kind.WORD, "1e5"),
    ],
)
def test_strings_and_names_lose_their_quotes_and_escapes(sql: str, kind: Kind, value: str) -> None:
    (token,) = tokens(sql)
    assert (token.kind, token.value) == (kind, value)


def test_a_quoted_name_is_no_keyword() -> None:
    quoted, bare = tokens("`select` SeLeCt")
    assert (quoted.keyword, bare.keyword) == ("", "SELECT")
    assert (quoted.name, bare.name) == ("select", "select")


def test_positions_point_into_the_text() -> None:
    sql = "select /* x */ 'y' from t"
    assert [sql[token.start : token.end] for token in tokens(sql)] == ["select", "'y'", "from", "t"]


def test_an_unclosed_quote_does_not_hide_what_follows() -> None:
    assert values("select ' file(1)") == ["select", "'", "file", "(", "1", ")"]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("a$x$, file as b$x$", ["a$x$", ",", "file", "as", "b$x$"]),
        ("$1$x$, file as b$x$", ["$1$x$", ",", "file", "as", "b$x$"]),
        ("1$x$", ["1$", "x$"]),
        ("$$$x$ ' $x$, file", ["$", "$", " ' ", ",", "file"]),
    ],
)
def test_a_here_document_begins_where_no_word_is_under_way(sql: str, expected: list[str]) -> None:
    assert values(sql) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("1, .5into", ["1", ",", ".5", "into"]),
        ("* .5e-3into", ["*", ".5e-3", "into"]),
        ("a..5into", ["a", ".", ".5", "into"]),
        ("a.5into", ["a", ".", "5into"]),
        ("(a).5into", ["(", "a", ")", ".", "5into"]),
        ("a[1].5into", ["a", "[", "1", "]", ".", "5into"]),
        ("`a`.5", ["a", ".", "5"]),
        ("1.5", ["1", ".", "5"]),
    ],
)
def test_a_word_begins_where_a_fraction_ends(sql: str, expected: list[str]) -> None:
    assert values(sql) == expected
