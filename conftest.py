from __future__ import annotations

# where pytest wants them: only the top conftest may name plugins
pytest_plugins = ["pytester", "tests.plan"]
