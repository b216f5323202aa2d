"""As in tests/compression: one thread."""

from ..compression.conftest import one_thread  # noqa: F401 (a fixture)
