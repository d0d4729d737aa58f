"""What a project says about its checks in pyproject.toml, under `[tool.harness.check]`."""

from __future__ import annotations

import fnmatch
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, ValidationError

from harness.checks.model import Severity
from harness.environment.suggest import did_you_mean
from harness.errors import ConfigError
from harness.models.base import Frozen


def _kebab(name: str) -> str:
    return name.replace("_", "-")


class _Table(Frozen):
    """A table of pyproject.toml: its keys have hyphens."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=_kebab, populate_by_name=True)


class Policy(_Table):
    """What a team asks of its DAGs; what is left out is not checked.

    Args:
        owners: who may own a task.
        tags: tags of which every DAG has at least one.
        dag_id: regular expression that the whole id matches.
        task_id: the same for tasks, without their groups.
        allowed_operators: class names, `*` for any part; all others are refused.
        denied_operators: class names, `*` for any part.
        doc: every DAG says what it is for.
    """

    owners: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    dag_id: str | None = None
    task_id: str | None = None
    allowed_operators: tuple[str, ...] = ()
    denied_operators: tuple[str, ...] = ()
    doc: bool = False


class Settings(_Table):
    """How a project wants to be checked.

    Args:
        select: rule ids or the beginnings of them; the default is every rule that is on by default.
        ignore: rule ids or beginnings, each with the reason why it does not apply here.
        per_path: glob of files, to ids with reasons.
        fail_on: the least serious finding that makes the check fail.
        heavy_modules: modules that are too costly for the top of a DAG file, besides the known ones.
        plugins: modules of the project with rules of its own (see `harness_rules` in harness/hookspecs.py).
        import_seconds: how long a file may take to load before that is a finding.
        load_seconds: how long it may take before it is ended.
        memory_mb: how much memory it may take.
    """

    select: tuple[str, ...] = ()
    ignore: dict[str, str] = Field(default_factory=dict)
    per_path: dict[str, dict[str, str]] = Field(default_factory=dict)
    fail_on: Severity = "error"
    heavy_modules: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    import_seconds: float = Field(default=2.0, gt=0)
    load_seconds: float = Field(default=30.0, gt=0)
    memory_mb: int = Field(default=1024, gt=0)
    policy: Policy = Policy()

    @classmethod
    def load(cls, start: Path) -> Settings:
        """Read the pyproject.toml of the project that `start` is in; the defaults where there is none.

        Raises:
            ConfigError: the file is no TOML, or has a key or a value that is not known.
        """
        file = find_pyproject(start)
        if file is None:
            return cls()
        try:
            content = tomllib.loads(file.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"not a TOML file: {error}", path=file) from error
        table = content.get("tool", {}).get("harness", {}).get("check", {})
        return cls.of(table, file)

    @classmethod
    def of(cls, table: dict[str, Any], file: Path | str = "pyproject.toml") -> Settings:
        """Validate the table; `file` is what errors name."""
        try:
            settings = cls.model_validate(table)
        except ValidationError as error:
            raise _config_error(error, file) from error
        reasons = [*settings.ignore.items(), *(i for t in settings.per_path.values() for i in t.items())]
        for rule_id, reason in reasons:
            if not reason.strip():
                raise ConfigError(f"tool.harness.check: {rule_id} is ignored without a reason", path=file)
        return settings

    def selects(self, rule_id: str) -> bool:
        """Say whether a rule is asked for by its id; without a selection, all are."""
        return not self.select or rule_id.startswith(self.select)

    def reason(self, rule_id: str, path: str) -> str | None:
        """Return why a rule does not apply to a file; None when it does."""
        for prefix, reason in self.ignore.items():
            if rule_id.startswith(prefix):
                return reason
        for pattern, table in self.per_path.items():
            if fnmatch.fnmatch(path, pattern) or fnmatch.fnmatch(path, f"*/{pattern}"):
                for prefix, reason in table.items():
                    if rule_id.startswith(prefix):
                        return reason
        return None


def find_pyproject(start: Path) -> Path | None:
    """Return the nearest pyproject.toml at or above a path."""
    folder = start.resolve()
    for place in (folder, *folder.parents):
        if (place / "pyproject.toml").is_file():
            return place / "pyproject.toml"
    return None


def _config_error(error: ValidationError, file: Path | str) -> ConfigError:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        model = Policy if first["loc"][0] == "policy" else Settings
        known = [_kebab(name) for name in model.model_fields]
        return ConfigError(
            f"tool.harness.check.{where}: unknown key", path=file, hint=did_you_mean(str(first["loc"][-1]), known)
        )
    return ConfigError(f"tool.harness.check.{where}: {first['msg'].lower()}", path=file)
