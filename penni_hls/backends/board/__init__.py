"""What puts a network on a board: Vivado's script, the PYNQ driver, the README of a project."""
