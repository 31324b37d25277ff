"""The types that a statement may cast to and bind values as, by ClickHouse's names."""

import re

from sqlglot import exp
from sqlglot.expressions import DataType
from sqlglot.expressions import DType as D

_PLAIN = {
    D.BOOLEAN: "Bool", D.TINYINT: "Int8", D.SMALLINT: "Int16", D.INT: "Int32", D.BIGINT: "Int64", D.INT128: "Int128",
    D.INT256: "Int256", D.UTINYINT: "UInt8", D.USMALLINT: "UInt16", D.UINT: "UInt32", D.UBIGINT: "UInt64",
    D.UINT128: "UInt128", D.UINT256: "UInt256", D.FLOAT: "Float32", D.DOUBLE: "Float64", D.TEXT: "String",
    D.DATE: "Date", D.DATE32: "Date32", D.UUID: "UUID", D.IPV4: "IPv4", D.IPV6: "IPv6",
}  # fmt: skip
_WITH_VALUES = {
    D.DATETIME: "DateTime", D.DATETIME64: "DateTime64", D.DECIMAL: "Decimal", D.DECIMAL32: "Decimal32",
    D.DECIMAL64: "Decimal64", D.DECIMAL128: "Decimal128", D.FIXEDSTRING: "FixedString",
}  # fmt: skip
_OF_TYPES = {D.ARRAY: "Array", D.MAP: "Map", D.STRUCT: "Tuple", D.LOWCARDINALITY: "LowCardinality"}
_VALUE = re.compile(r"\d{1,3}|'[A-Za-z0-9_+/-]{1,40}'")


def type_name(kind: exp.Expr) -> str | None:
    """Return a type as ClickHouse writes it, or None where a statement may not use it."""
    if not isinstance(kind, DataType) or set(kind.args) - {"this", "expressions", "nested", "nullable"}:
        return None
    parts: list[str] = []
    for each in kind.expressions:
        part = _value(each) if kind.this in _WITH_VALUES else type_name(each)
        if part is None:
            return None
        parts.append(part)
    if kind.this in _PLAIN and not parts:
        name = _PLAIN[kind.this]
    elif kind.this in _WITH_VALUES:
        name = _WITH_VALUES[kind.this] + (f"({', '.join(parts)})" if parts else "")
    elif kind.this in _OF_TYPES and parts:
        name = f"{_OF_TYPES[kind.this]}({', '.join(parts)})"
    else:
        return None
    return f"Nullable({name})" if kind.args.get("nullable") else name


def _value(parameter: exp.Expr) -> str | None:
    """Return a number or a time zone in a type's brackets."""
    value = parameter.this if isinstance(parameter, exp.DataTypeParam) else None
    if not isinstance(value, exp.Literal):
        return None
    text = f"'{value.this}'" if value.is_string else str(value.this)
    return text if _VALUE.fullmatch(text) else None
