"""A module that can't be imported in Lambda."""

import a_library_that_nobody_declared  # noqa: F401
