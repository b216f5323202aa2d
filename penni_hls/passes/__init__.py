"""Passes: Graph -> Graph, pure, one per file."""
