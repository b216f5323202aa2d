"""The generated directory: what it holds, how it is written and read back."""

from .directory import Project, check_target, read, write
from .manifest import Bundle, Model, digest, encode

__all__ = ["Bundle", "Model", "Project", "check_target", "digest", "encode", "read", "write"]
