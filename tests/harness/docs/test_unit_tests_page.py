from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "unit-tests.md"


def test_every_example_of_the_page_passes(pytester: pytest.Pytester):
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for number, example in enumerate(examples):
        (pytester.path / f"test_example_{number}.py").write_text(example)
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=len(examples))
