"""Outside tools: the only subprocess calls of the project."""
