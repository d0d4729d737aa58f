from __future__ import annotations

from pathlib import Path

import pytest

from tests.plan import expected, share, table

COSTS = {"a.py": 100.0, "b.py": 60.0, "c.py": 50.0, "d.py": 30.0, "e.py": 0.0}

TESTS = {
    "test_short.py": "def test_one(): pass\ndef test_two(): pass\n",
    "test_long.py": "import pytest\ndef test_long(): pass\n@pytest.mark.full\ndef test_very_long(): pass\n",
}


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Two files of tests, of which one is known to cost more."""
    (pytester.path / "tests").mkdir()
    for name, text in TESTS.items():
        (pytester.path / "tests" / name).write_text(text)
    plan = (Path(__file__).parents[2] / "plan.py").read_text()
    (pytester.path / "tests" / "plan.py").write_text(plan)
    (pytester.path / "tests" / "durations.json").write_text('{"tests/test_long.py": 9, "tests/test_short.py": 1}')
    pytester.makeini("[pytest]\nmarkers = full: x\npythonpath = .\n")
    pytester.makeconftest('pytest_plugins = ["tests.plan"]\n')
    return pytester


def run(suite: pytest.Pytester, *options: str) -> pytest.RunResult:
    return suite.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:harness", "-v", *options)


@pytest.mark.parametrize("shards", [1, 2, 3, 7])
def test_each_file_is_in_exactly_one_shard(shards: int) -> None:
    parts = [share(COSTS, number, shards) for number in range(1, shards + 1)]

    assert sorted(file for part in parts for file in part) == sorted(COSTS)


def test_shards_cost_about_the_same() -> None:
    loads = [sum(COSTS[file] for file in share(COSTS, number, 2)) for number in (1, 2)]

    assert sorted(loads) == [110, 130]


@pytest.mark.parametrize("number", [0, 3])
def test_a_shard_that_is_not_there_is_refused(number: int) -> None:
    with pytest.raises(pytest.UsageError, match=f"--shard {number}/2"):
        share(COSTS, number, 2)


def test_a_file_that_was_never_measured_is_taken_to_be_as_the_middle_one() -> None:
    assert expected(["a.py", "new.py"], COSTS) == {"a.py": 100.0, "new.py": 50.0}


def test_what_costs_most_begins_first_and_what_is_marked_full_is_left_to_the_full_suite(suite: pytest.Pytester) -> None:
    some, everything = run(suite), run(suite, "--full")

    some.assert_outcomes(passed=3, deselected=1)
    some.stdout.fnmatch_lines(["*test_long.py::test_long*", "*test_short.py::test_one*", "*test_short.py::test_two*"])
    everything.assert_outcomes(passed=4)


def test_shards_share_the_suite_out(suite: pytest.Pytester) -> None:
    run(suite, "--shard", "1/2").assert_outcomes(passed=1, deselected=3)
    run(suite, "--shard", "2/2").assert_outcomes(passed=2, deselected=2)


@pytest.mark.parametrize("workers", [[], ["-n", "2", "--dist", "loadfile"]], ids=["alone", "on workers"])
def test_what_has_not_begun_when_time_is_over_is_left_out_loudly(suite: pytest.Pytester, workers: list[str]) -> None:
    result = run(suite, "--time-limit", "0.000001", *workers)

    result.assert_outcomes(skipped=3, deselected=0 if workers else 1)
    result.stdout.fnmatch_lines(["!!!* 3 tests were left out for want of time !!!*"])


def test_what_was_measured_is_kept_for_the_next_plan(suite: pytest.Pytester) -> None:
    run(suite, "--keep-durations", "tests/test_long.py").assert_outcomes(passed=1, deselected=1)

    kept = (suite.path / "tests" / "durations.json").read_text()
    assert '"tests/test_long.py": 9' not in kept
    assert '"tests/test_short.py": 1' in kept


def test_the_table_says_what_took_how_long_and_what_it_comes_to() -> None:
    assert table(["255\tmake setup", "33\tmake lint"], [(700, 90, "tests/pipelines"), (80, 3, "tests/unit")], 400) == [
        "    255 s  make setup",
        "     33 s  make lint",
        "    400 s  the suite, of which on all workers:",
        "          700 s     90 tests  tests/pipelines",
        "           80 s      3 tests  tests/unit",
        "    688 s  all of it",
    ]


def test_a_worker_is_given_files_whole_but_for_those_of_which_a_test_is_a_share(suite: pytest.Pytester) -> None:
    test = "import os, pytest\n@pytest.mark.parametrize('n', range(8))\ndef test_it(n):\n    {}\n".format(
        "open(f'{__name__}.{os.environ[\"PYTEST_XDIST_WORKER\"]}', 'a').close()"
    )
    for folder in ("proofs", "other"):
        (suite.path / "tests" / "harness" / folder).mkdir(parents=True)
        (suite.path / "tests" / "harness" / folder / f"test_{folder}.py").write_text(test)

    run(suite, "-n", "2", "--dist", "loadfile", "tests/harness").assert_outcomes(passed=16)

    assert (len(list(suite.path.glob("test_proofs.*"))), len(list(suite.path.glob("test_other.*")))) == (2, 1)
