"""Schedule -> Bundle: the files of a generated project, in memory."""
