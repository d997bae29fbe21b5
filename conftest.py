"""What this checkout needs beyond the installed plugin."""

import pytest

pytest_plugins = ["pytester"]
pytest.register_assert_rewrite("scenarios.expectations")
