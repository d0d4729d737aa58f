"""Data contracts (Open Data Contract Standard 3): what they promise, and what a later version breaks.

Source: Bitol, Open Data Contract Standard v3.1. What a contract says and this vocabulary lacks is refused when it is
read: a promise that nobody checks is worse than none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.checks.usage import Usage
from harness.environment.spec import EnvironmentSpec, NameRef
from harness.errors import ConfigError
from harness.models.gate import ContractColumn, ContractShape

if TYPE_CHECKING:
    from open_data_contract_standard.model import DataQuality, OpenDataContractStandard, SchemaObject, SchemaProperty

TYPES = ("string", "date", "timestamp", "time", "number", "integer", "boolean", "object", "array")
_OPTIONS = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "pattern"}
)
_METRICS = ("rowCount", "nullValues", "invalidValues", "duplicateValues")
_BOUNDS = (
    *("mustBe", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo", "mustBeLessThan"),
    *("mustBeLessOrEqualTo", "mustBeBetween", "mustNotBeBetween"),
)
_AGES = {"latency": "freshness", "freshness": "freshness"}
_UNITS = {
    "m": 60,
    "min": 60,
    "minutes": 60,
    "h": 3600,
    "hour": 3600,
    "hours": 3600,
    "d": 86400,
    "day": 86400,
    "days": 86400,
}


@dataclass(frozen=True)
class Bound:
    """A number that must lie somewhere: how many rows there are, or how many of them are not as they should be.

    Args:
        metric: one of the library's names.
        column: None for the table.
        operator: `mustBe` and its like, as the standard spells them.
        valid: for `invalidValues`: what is valid.
    """

    metric: str
    operator: str
    value: Any
    column: str | None = None
    valid: tuple[str, ...] = ()


@dataclass(frozen=True)
class Contract:
    """One promised table or topic.

    Args:
        shape: what consumers rely on.
        service: of the environment, that holds it.
        dataset: as snapshots name it: `warehouse.public.orders`, `lake/gold/revenue`, `orders`.
        options: column -> the standard's logicalTypeOptions.
        newest: column and seconds: its largest value is at most that much older than the logical date.
    """

    shape: ContractShape
    service: str
    dataset: str
    path: Path
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    bounds: tuple[Bound, ...] = ()
    newest: tuple[str, float] | None = None

    @property
    def name(self) -> str:
        return self.shape.contract


def load(folder: Path) -> list[Contract]:
    """Read all contracts of a folder, by name.

    Raises:
        ConfigError: a file is no contract, or promises what is not checked.
    """
    found = [one for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]) for one in _read(path)]
    names = [one.name for one in found]
    twice = next((one for one in found if names.count(one.name) > 1), None)
    if twice is not None:
        raise ConfigError(f"the contract {twice.name!r} is there twice", path=twice.path)
    return sorted(found, key=lambda one: one.name)


def _read(path: Path) -> Iterator[Contract]:
    from open_data_contract_standard.model import OpenDataContractStandard
    from pydantic import ValidationError
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        data = YAML(typ="safe").load(path)
        contract = OpenDataContractStandard.model_validate(data)
    except (YAMLError, ValidationError, ValueError) as error:
        raise ConfigError(f"is no data contract: {' '.join(str(error).split())[:300]}", path=path) from error
    if contract.kind != "DataContract" or not str(contract.apiVersion or "").startswith("v3."):
        raise ConfigError(
            "is no data contract of version 3", path=path, hint="it needs kind: DataContract, apiVersion: v3.1.0"
        )
    if not contract.schema_ or not contract.servers or not contract.servers[0].server:
        raise ConfigError(
            "promises nothing", path=path, hint="it needs `schema`, and `servers` with the service's name"
        )
    for table in contract.schema_:
        yield _contract(contract, table, path)


def _contract(contract: OpenDataContractStandard, table: SchemaObject, path: Path) -> Contract:
    properties = table.properties or []
    if not table.name or not properties:
        raise ConfigError(f"the schema {table.name or ''!r} has no properties", path=path)
    service = str((contract.servers or [])[0].server)
    dataset = table.physicalName or table.name
    several = len(contract.schema_ or ()) > 1
    shape = ContractShape(
        contract=f"{contract.id}.{table.name}" if several else str(contract.id),
        dataset=f"{service}:{dataset}",
        version=str(contract.version or ""),
        columns={str(one.name): _column(one, path) for one in properties},
        consumers=tuple(_custom(contract, table, "consumers")),
    )
    bounds = [*_bounds(table.quality, None, path)]
    for one in properties:
        bounds += _bounds(one.quality, one.name, path)
    return Contract(
        shape=shape,
        service=service,
        dataset=dataset,
        path=path,
        options={str(one.name): _options(one, path) for one in properties if one.logicalTypeOptions},
        bounds=tuple(bounds),
        newest=_newest(contract, table, path),
    )


def _column(one: SchemaProperty, path: Path) -> ContractColumn:
    if one.logicalType is not None and one.logicalType not in TYPES:
        raise ConfigError(f"{one.name}: {one.logicalType!r} is no type; there are: {', '.join(TYPES)}", path=path)
    return ContractColumn(
        type=one.logicalType,
        required=bool(one.required) or bool(one.primaryKey),
        unique=bool(one.unique),
        key=bool(one.primaryKey),
        values=tuple(str(value.value) for value in one.enum or ()),
    )


def _options(one: SchemaProperty, path: Path) -> Mapping[str, Any]:
    options = one.logicalTypeOptions or {}
    unknown = [name for name in options if name not in _OPTIONS]
    if unknown:
        raise ConfigError(
            f"{one.name}: {', '.join(unknown)} is not checked",
            path=path,
            hint=f"checked are: {', '.join(sorted(_OPTIONS))}",
        )
    return options


def _bounds(quality: Sequence[DataQuality] | None, column: str | None, path: Path) -> Iterator[Bound]:
    for one in quality or ():
        metric = one.metric or one.rule or ""
        if metric not in _METRICS or (one.type or "library") != "library":
            raise ConfigError(
                f"{column or 'the table'}: the rule {metric or one.type!r} is not checked",
                path=path,
                hint=f"checked are: {', '.join(_METRICS)}",
            )
        said = [name for name in _BOUNDS if getattr(one, name) is not None]
        if not said:
            raise ConfigError(f"{column or 'the table'}: {metric} has no bound, such as mustBe", path=path)
        valid = (one.arguments or {}).get("validValues", ())
        for name in said:
            yield Bound(metric, name, getattr(one, name), column, tuple(map(str, valid)))


def _newest(contract: OpenDataContractStandard, table: SchemaObject, path: Path) -> tuple[str, float] | None:
    for one in contract.slaProperties or ():
        if one.property not in _AGES:
            continue
        owner, _, column = str(one.element or "").rpartition(".")
        if owner not in ("", table.name):
            continue
        unit = _UNITS.get(str(one.unit or "d"))
        if unit is None or not column:
            raise ConfigError(f"{one.property} needs `element: {table.name}.COLUMN` and a unit of m, h or d", path=path)
        return column, float(str(one.value)) * unit
    return None


def _custom(contract: OpenDataContractStandard, table: SchemaObject, name: str) -> list[str]:
    for one in [*(table.customProperties or ()), *(contract.customProperties or ())]:
        if one.property == name:
            return [str(value) for value in (one.value if isinstance(one.value, list) else [one.value])]
    return []


def with_consumers(contract: Contract, uses: Iterable[Usage], spec: EnvironmentSpec) -> Contract:
    """Return a contract that also names the DAGs which the code shows to use its table or topic."""
    named = {contract.dataset, *(contract.dataset.split(".", 1)[1:]), contract.dataset.rpartition(".")[2]}
    references = {
        name
        for name, value in spec.airflow.variables.items()
        if isinstance(value, NameRef) and contract.dataset in (value.topic, value.bucket)
    }
    found = [
        use.dag_id
        for use in uses
        if use.dag_id
        and (
            (use.kind in ("table", "topic") and use.name in named)
            or (use.kind == "variable" and use.name in references)
        )
    ]
    consumers = tuple(dict.fromkeys([*contract.shape.consumers, *sorted(set(found))]))
    return Contract(
        contract.shape.model_copy(update={"consumers": consumers}),
        contract.service,
        contract.dataset,
        contract.path,
        contract.options,
        contract.bounds,
        contract.newest,
    )


def compared(then: Sequence[ContractShape], now: Sequence[ContractShape]) -> tuple[list[str], list[str]]:
    """Compare contracts with those that a stage was entered with.

    Returns:
        What breaks consumers, with their names; and what is merely new. A breaking change under a higher major version
        was announced, and is among the latter.
    """
    here = {one.contract: one for one in now}
    broken: list[str] = []
    notes: list[str] = []
    for old in then:
        new = here.get(old.contract)
        who = ", ".join(old.consumers) or "nobody that is known"
        if new is None:
            broken.append(f"{old.contract}: the contract is gone; it is read by {who}")
            continue
        found = list(_breaking(old, new))
        announced = _major(new.version) > _major(old.version)
        words = [f"{old.contract}: {one}; it is read by {who}" for one in found]
        (notes if announced else broken).extend(words)
        notes += [f"{old.contract}: new column `{name}`" for name in new.columns if name not in old.columns]
    known = {one.contract for one in then}
    notes += [f"{name}: new contract" for name in here if name not in known]
    return broken, notes


def _breaking(old: ContractShape, new: ContractShape) -> Iterator[str]:
    if old.dataset != new.dataset:
        yield f"moved from {old.dataset} to {new.dataset}"
    for name, column in old.columns.items():
        now = new.columns.get(name)
        if now is None:
            yield f"the column `{name}` is gone"
            continue
        if column.type and column.type != now.type:
            yield f"`{name}` was {column.type} and is {now.type or 'anything'}"
        if column.required and not now.required:
            yield f"`{name}` may be empty now"
        if (column.unique and not now.unique) or column.key != now.key:
            word = "now" if now.key or now.unique else "no longer"
            yield f"`{name}` is {word} part of what identifies a row"
        more = [value for value in now.values if value not in column.values]
        if column.values and (more or not now.values):
            yield f"`{name}` has values that were not promised: {', '.join(more) or 'any'}"


def _major(version: str) -> int:
    head = version.lstrip("v").partition(".")[0]
    return int(head) if head.isdigit() else 0
