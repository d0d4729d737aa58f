from __future__ import annotations

# where pytest wants it: only the top conftest may name plugins
pytest_plugins = ["pytester"]
