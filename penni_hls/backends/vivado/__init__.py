"""Vivado: the scripts of a project, and what runs them and reads its reports. Vivado itself is not part of the project."""
