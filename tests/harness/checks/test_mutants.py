from __future__ import annotations

import ast
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from harness.checks.config import Settings
from harness.checks.run import examined
from tests.harness.checks.airflow_examples import example_files
from tests.harness.checks.mutants import Mutant, mutants_of

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("load", "per_rule"), [(False, 14), (True, 5)], ids=["read", "loaded"])
def test_defects_that_are_put_into_good_files_are_found(tmp_path: Path, load: bool, per_rule: int) -> None:
    made: dict[Path, Mutant] = {}
    seen: Counter[str] = Counter()
    for example in example_files():
        text = example.read_text()
        (tmp_path / example.name).write_text(ast.unparse(ast.parse(text)))
        for number, mutant in enumerate(mutants_of(example.name, text)):
            if seen[mutant.rule] < per_rule:
                seen[mutant.rule] += 1
                path = tmp_path / f"{example.stem}__{mutant.rule}_{number}.py"
                path.write_text(mutant.text)
                made[path] = mutant
    _, judged = examined((tmp_path,), Settings(load_seconds=120), load=load, cache=False)
    count: dict[str, Counter[str]] = defaultdict(Counter)
    for finding in judged.findings:
        count[Path(finding.path).name][finding.rule] += 1
    missed = [p.name for p, m in made.items() if count[p.name][m.rule] <= count[m.source][m.rule]]
    assert len(made) >= 200
    assert len(seen) >= 15
    assert len(missed) <= len(made) * 0.05, missed
