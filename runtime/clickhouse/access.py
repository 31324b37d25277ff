"""What a user may write into a query: the rules that the engine, which knows one user only, cannot keep itself."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from runtime.clickhouse.engine import Engine
from runtime.clickhouse.errors import ClickHouseError
from runtime.clickhouse.lexer import Kind, Token, tokens
from runtime.clickhouse.users import Role

# Table functions and engines are forbidden unless they are known to stay within the database, so that a newer engine
# brings nothing unforeseen.
_SAFE_TABLE_FUNCTIONS = {
    "dictionary", "format", "fuzzjson", "fuzzquery", "generaterandom", "generateseries", "generate_series", "input",
    "loop", "merge", "mergetreeanalyzeindexes", "mergetreeanalyzeindexesuuid", "mergetreecodecblockcounts",
    "mergetreeindex", "mergetreeprojection", "mergetreetextindex", "null", "numbers", "numbers_mt", "primes",
    "sqlstandardvalues", "values", "view", "viewifpermitted", "viewexplain", "zeros", "zeros_mt",
}  # fmt: skip
_SAFE_ENGINES = {
    "aggregatingmergetree", "alias", "atomic", "buffer", "coalescingmergetree", "collapsingmergetree", "dictionary",
    "fuzzjson", "generaterandom", "graphitemergetree", "join", "log", "materializedview", "memory", "merge",
    "mergetree", "null", "ordinary", "replacingmergetree", "set", "stripelog", "summingmergetree", "tinylog",
    "versionedcollapsingmergetree", "view",
}  # fmt: skip
# Functions that aren't table functions, or hide in settings: file('…') reads, disk(…) mounts a directory.
_UNSAFE_FUNCTIONS = {"file", "disk", "eval", "python", "catboostevaluate", "structuretocapnprotoschema"}
# Settings that name files or hosts.
_UNSAFE_SETTINGS = (
    "format_template_", "format_schema", "format_avro_schema_registry", "output_format_schema", "s3_", "azure_",
    "hdfs_", "url_base", "rename_files_after_processing", "input_format_protobuf_", "avro_schema_",
    "format_protobuf_", "dialect", "allow_experimental_prql", "allow_experimental_kusto",
    "allow_experimental_polyglot", "stream_like_engine_insert_queue", "allow_introspection_functions",
)  # fmt: skip
_LOCAL_HOSTS = {"localhost", "127.0.0.1", ""}
_GLOBAL_CREATES = {
    ("NAMED", "COLLECTION"), ("USER",), ("ROLE",), ("ROW", "POLICY"), ("POLICY",), ("QUOTA",), ("SETTINGS", "PROFILE"),
    ("PROFILE",), ("WORKLOAD",), ("RESOURCE",), ("MASKING", "POLICY"), ("HANDLER",), ("TOKEN",),
}  # fmt: skip
_ADMIN_STATEMENTS = {"BACKUP", "RESTORE", "SNAPSHOT", "COPY", "EXECUTE", "GRANT", "REVOKE", "MOVE"}
_HALTS = {"SHUTDOWN", "KILL", "SUSPEND"}


class Guard:
    """Looks at a query's tokens before the engine sees it."""

    def __init__(self, table_functions: frozenset[str], engines: frozenset[str]) -> None:
        """Take what the engine has, in lower case."""
        self._functions = (table_functions - _SAFE_TABLE_FUNCTIONS) | _UNSAFE_FUNCTIONS
        self._engines = (engines - _SAFE_ENGINES) | {"python"}
        self._check_cached = lru_cache(maxsize=4096)(self._verdict)

    @classmethod
    def of(cls, engine: Engine) -> "Guard":
        """Ask the engine what it has."""
        return cls(
            engine.names("select lower(name) from system.table_functions"),
            engine.names(
                "select lower(name) from system.table_engines "
                "union distinct select lower(name) from system.database_engines"
            ),
        )

    def check(self, text: str, role: Role) -> None:
        """Raise ClickHouseError 497 when `role` may not run `text`."""
        verdict = self._check_cached(text, role) if len(text) <= _CACHED_LENGTH else self._verdict(text, role)
        if verdict is not None:
            raise ClickHouseError(497, f"Not enough privileges. {verdict}")

    def check_parameters(self, parameters: Mapping[str, str], text: str, role: Role) -> None:
        """Raise ClickHouseError 497 when `{x:Identifier}` would name a function to `arrayMap({x:Identifier}, …)`."""
        if role is Role.ADMIN or not parameters or "identifier" not in text.lower():
            return
        for name, value in parameters.items():
            if value.strip(' `"').lower() in _UNSAFE_FUNCTIONS:
                raise ClickHouseError(497, f"Not enough privileges. Only an admin may name {value} by parameter {name}")

    def check_setting(self, name: str, value: str, role: Role) -> None:
        """Raise ClickHouseError 497 when `role` may not set `name`, or not to this value.

        Some settings hold expressions, as additional_table_filters does.
        """
        if role is Role.ADMIN:
            return
        if name.startswith(_UNSAFE_SETTINGS):
            raise ClickHouseError(497, f"Not enough privileges. Only an admin may set {name}")
        if "(" in value:
            self.check(value, role)
            self._check_strings(value, role)

    def _check_strings(self, text: str, role: Role) -> None:
        for token in tokens(text):
            if token.kind is Kind.STRING and "(" in token.value:
                self.check(token.value, role)

    def _verdict(self, text: str, role: Role) -> str | None:
        lowered = text.lower()
        if role is Role.ADMIN and "system" not in lowered and "python" not in lowered:
            return None
        found = list(tokens(text))
        words = [token.keyword for token in found]
        for index, word in enumerate(words):
            if word == "SYSTEM" and _at(words, index + 1) in _HALTS:
                return "Nobody may end the server by a query"
        if role is Role.ADMIN:
            return self._calls(found, {"python"})
        if any(token.kind is Kind.OTHER and token.value[1:].endswith("$") for token in found):
            # `1$x$ … $x$`: whether a here document begins there hangs on what the number is. No query needs it.
            return "Only an admin may write a dollar sign right behind a number"
        return self._statement(found, words) or self._calls(found, self._functions) or self._names(found, words)

    def _statement(self, found: Sequence[Token], words: Sequence[str]) -> str | None:
        first = _at(words, 0)
        if first in _ADMIN_STATEMENTS:
            return f"Only an admin may use {first}"
        if first in {"CREATE", "ALTER", "DROP"}:
            rest = [word for word in words[1:6] if word not in {"OR", "REPLACE", "IF", "NOT", "EXISTS"}]
            if (rest and (rest[0],) in _GLOBAL_CREATES) or tuple(rest[:2]) in _GLOBAL_CREATES:
                return f"Only an admin may use {first} {rest[0]}"
        for index, word in enumerate(words):
            following = _at(words, index + 1)
            if (word, following) in {("INTO", "OUTFILE"), ("FROM", "INFILE")}:
                return f"Only an admin may use {word} {following}"
            is_path = index + 1 < len(found) and found[index + 1].kind is Kind.STRING
            if word == "FROM" and first == "ATTACH" and is_path:
                return "Only an admin may attach a table from a path"
        return None

    def _calls(self, found: Sequence[Token], forbidden: frozenset[str] | set[str]) -> str | None:
        for index, token in enumerate(found):
            name = token.name
            if name not in forbidden:
                continue
            is_call = index + 1 < len(found) and found[index + 1].value == "(" and not _is_table_name(found, index)
            is_applied = "APPLY" in {found[back].keyword for back in range(max(0, index - 2), index)}
            if is_call or is_applied or _is_passed_on(found, index):
                return f"Only an admin may use the function {name}"
        return None

    def _names(self, found: Sequence[Token], words: Sequence[str]) -> str | None:
        """Look at what follows ENGINE, SOURCE and SETTINGS."""
        first = _at(words, 0)
        defines = first in {"CREATE", "ATTACH", "REPLACE", "ALTER"}
        sets = False
        for index, token in enumerate(found):
            sets = sets or words[index] in {"SET", "SETTINGS", "SETTING"}
            if sets and token.kind is Kind.STRING and "(" in token.value:
                verdict = self._verdict(token.value, Role.WRITER)
                if verdict is not None:
                    return verdict
            if defines and words[index] == "ENGINE":
                name = _next_name(found, index)
                if name in self._engines:
                    return f"Only an admin may use the engine {name}"
            elif defines and words[index] == "SOURCE" and index + 2 < len(found) and found[index + 1].value == "(":
                verdict = self._source(found[index + 2 :])
                if verdict is not None:
                    return verdict
            elif sets and token.name.startswith("param_") and _value(found, index).lower() in _UNSAFE_FUNCTIONS:
                return f"Only an admin may set {token.name} to this"
            elif token.name.startswith(_UNSAFE_SETTINGS) and index + 1 < len(found) and found[index + 1].value == "=":
                return f"Only an admin may set {token.name}"
        return None

    def _source(self, found: Sequence[Token]) -> str | None:
        """Look at a dictionary's source; only tables of this server will do, and their queries are looked at too."""
        name = found[0].name
        if name == "null":
            return None
        if name != "clickhouse":
            return f"Only an admin may use a dictionary source {name}"
        for index, token in enumerate(found[:-1]):
            value = found[index + 1]
            if token.name == "host" and value.value.lower() not in _LOCAL_HOSTS:
                return "Only an admin may use a dictionary source on another host"
            if token.name in {"query", "where", "invalidate_query"} and value.kind is Kind.STRING:
                verdict = self._verdict(value.value, Role.WRITER)
                if verdict is not None:
                    return verdict
        return None


_CACHED_LENGTH = 8192


def _at(words: Sequence[str], index: int) -> str:
    return words[index] if index < len(words) else ""


def _value(found: Sequence[Token], index: int) -> str:
    """Return what `name = value` sets."""
    is_set = index + 2 < len(found) and found[index + 1].value == "="
    return found[index + 2].value.strip(' `"') if is_set else ""


def _is_passed_on(found: Sequence[Token], index: int) -> bool:
    """Say whether a name is the first argument of an array or map function, which may call it: arrayMap(file, …)."""
    before = index - 1
    while before >= 0 and found[before].value == "(" and found[before].kind is Kind.OTHER:
        before -= 1
    return 0 <= before < index - 1 and found[before].name.startswith(("array", "map"))


def _next_name(found: Sequence[Token], index: int) -> str:
    following = found[index + 1 : index + 3]
    if following and following[0].value == "=":
        following = following[1:]
    return following[0].name if following else ""


def _is_table_name(found: Sequence[Token], index: int) -> bool:
    """Tell `create table file (…)` and `insert into file (…)` from a call of the function file."""
    before = index - 1
    if before >= 1 and found[before].value == "." and found[before - 1].name:
        before -= 2
    if before < 0:
        return False
    first, previous = found[0].keyword, found[before].keyword
    if previous == "INTO":
        return first == "INSERT" and before == 1
    if previous == "TABLE" and before >= 1:
        return (first == "INSERT" and before == 2) or (  # noqa: PLR2004 - insert, into, table
            first == "CREATE" and before <= 4  # noqa: PLR2004 - create or replace temporary table
        )
    return previous == "EXISTS" and first == "CREATE" and found[before - 1].keyword == "NOT"
