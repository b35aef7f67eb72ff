"""A JSON Schema as rows of a table: one a field, those of nested objects by their path."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]

_NULL: Schema = {"type": "null"}


@dataclass(frozen=True, slots=True)
class FieldRow:
    """What is said of a field. `path`: as `faces[].bbox`."""

    path: str
    kind: str
    bounds: str
    description: str


def field_rows(schema: Schema) -> list[FieldRow]:
    """Every field, depth first, in the order of the models."""
    return list(_rows(schema, schema.get("$defs", {}), ""))


def _rows(schema: Schema, defs: dict[str, Schema], prefix: str) -> Iterator[FieldRow]:
    for name, field in schema["properties"].items():
        path = f"{prefix}{name}"
        value = _value(field, defs)
        item = _value(value.get("items", {}), defs)
        yield FieldRow(
            path=path,
            kind=kind_of(field, defs, optional="default" in field),
            bounds=bounds_of(value | field),
            description=field.get("description") or value.get("description", ""),
        )
        if "properties" in value:
            yield from _rows(value, defs, f"{path}.")
        elif "properties" in item:
            yield from _rows(item, defs, f"{path}[].")


def kind_of(field: Schema, defs: dict[str, Schema], *, optional: bool = False) -> str:
    """A type in words: `number or null`, `68 × 2 numbers`, `object`, …"""
    kind = _kind(_value(field, defs), defs)
    nullable = _NULL in field.get("anyOf", ())
    kind += " or null" if nullable else ""
    if not optional or (nullable and field["default"] is None):
        return kind
    return f"{kind}, default {field['default']}"


def bounds_of(schema: Schema) -> str:
    """The values of an enumeration, a pattern, or a range as mathematicians write it."""
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "propertyNames" in schema:
        each = bounds_of(schema["additionalProperties"])
        return f"{bounds_of(schema['propertyNames'])}: each in {each}"
    exact = schema.get("const", schema.get("pattern"))
    return f"`{exact}`" if exact is not None else _range(schema) or schema.get("format", "")


def _range(schema: Schema) -> str:
    if "maxLength" in schema:
        return f"{schema.get('minLength', 0)} to {schema['maxLength']} characters"
    for low, high, brackets in (
        (schema.get("minimum"), schema.get("maximum"), "[]"),
        (schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum"), "()"),
    ):
        if low is not None and high is not None:
            return f"{brackets[0]}{low}, {high}{brackets[1]}"
        if low is not None:
            return f"{'from' if brackets == '[]' else 'above'} {low}"
    return ""


def _value(field: Schema, defs: dict[str, Schema]) -> Schema:
    """What the field holds where it is not null, its reference followed."""
    one = next((each for each in field.get("anyOf", ()) if each != _NULL), field)
    return defs[one["$ref"].rpartition("/")[2]] if "$ref" in one else one


def _kind(value: Schema, defs: dict[str, Schema]) -> str:
    if value.get("type") == "array":
        return _array(value, defs)
    if value.get("type") == "object" and "additionalProperties" in value:
        inner = _value(value["additionalProperties"], defs)
        return f"object of {_plural(_kind(inner, defs))}" if inner else "object"
    return str(value.get("type", "any JSON"))


def _array(value: Schema, defs: dict[str, Schema]) -> str:
    if "prefixItems" in value:
        return f"{len(value['prefixItems'])} {_plural(_kind(value['prefixItems'][0], defs))}"
    inner = _kind(_value(value["items"], defs), defs)
    if "minItems" in value and value["minItems"] == value.get("maxItems"):
        times = " ×" if inner[0].isdigit() else ""
        return f"{value['minItems']}{times} {_plural(inner)}"
    return f"array of {_plural(inner)}"


def _plural(kind: str) -> str:
    noun, *rest = kind.split(" ", 1)
    return kind if noun.isdigit() or noun == "any" else " ".join([f"{noun}s", *rest])
