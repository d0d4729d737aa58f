"""The JSON Schema of environment files, for editors: what one may hold before parents and variables are filled in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from harness.environment.roles import role_specs
from harness.environment.spec import EnvironmentSpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_VARIABLE = {"type": "string", "pattern": r"\$\{"}
_NULL = {"type": "null"}
_MODE: JsonSchemaMode = "validation"


def json_schema(plugins: Sequence[str] = (), project: Path | None = None) -> dict[str, Any]:
    """Return the schema of a file, with the roles that plugins add.

    It is looser than the resolved specification: a key that is required may stand in the parent, any value may come
    from a variable, and null takes away what a parent says.

    Args:
        plugins: modules of the project that hold hooks.
        project: root that they are imported from.

    Raises:
        ConfigError: a plugin cannot be imported.
    """
    roles = role_specs(plugins, project)
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(EnvironmentSpec, _MODE)]
    models += [(spec, _MODE) for spec in roles.values()]
    references, whole = models_json_schema(models, by_alias=True)
    definitions = {name: _loosened(schema) for name, schema in whole["$defs"].items()}
    root = definitions.pop(references[EnvironmentSpec, _MODE]["$ref"].rpartition("/")[2])
    blocks = {role: references[spec, _MODE] for role, spec in roles.items()}
    definitions["service_with_role"] = _with_role(blocks)
    properties = {
        "extends": {"type": "string", "description": "the one environment whose values this one starts from"},
        **root["properties"],
        "services": _services(blocks),
    }
    return {"$schema": DIALECT, "title": "Environment", **root, "properties": properties, "$defs": definitions}


def _with_role(blocks: dict[str, Any]) -> dict[str, Any]:
    named = [{"properties": {"role": {"const": role}}, "allOf": [block]} for role, block in blocks.items()]
    return {"type": "object", "required": ["role"], "anyOf": named}


def _services(blocks: dict[str, Any]) -> dict[str, Any]:
    """A service is of the role that its key names, unless it says `role`."""
    other = {"$ref": "#/$defs/service_with_role"}
    properties = {
        role: {"if": {"type": "object", "required": ["role"]}, "then": other, "else": {"anyOf": [block, _NULL]}}
        for role, block in blocks.items()
    }
    return {
        "type": "object",
        "description": "name -> service; a name that is not a role needs 'role'",
        "properties": properties,
        "additionalProperties": {"anyOf": [other, _NULL]},
    }


def _loosened(schema: dict[str, Any]) -> dict[str, Any]:
    loose = {key: value for key, value in schema.items() if key != "required"}
    if "properties" in loose:
        loose["properties"] = {key: _variable(_loosened(below)) for key, below in loose["properties"].items()}
    if isinstance(loose.get("additionalProperties"), dict):
        below = _variable(_loosened(loose["additionalProperties"]))
        loose["additionalProperties"] = {"anyOf": [below, _NULL]}
    if isinstance(loose.get("items"), dict):
        loose["items"] = _variable(_loosened(loose["items"]))
    if "anyOf" in loose:
        loose["anyOf"] = [_variable(_loosened(below)) for below in loose["anyOf"]]
    return loose


def _variable(schema: dict[str, Any]) -> dict[str, Any]:
    """Let a variable stand where the schema asks for something that `${VAR}` is not."""
    wants = {key: value for key, value in schema.items() if key not in ("description", "default", "title")}
    narrow = wants.get("type") in ("integer", "number", "boolean") or {"enum", "const", "pattern"} & set(wants)
    if not narrow:
        return schema
    return {**{key: value for key, value in schema.items() if key not in wants}, "anyOf": [wants, _VARIABLE]}
