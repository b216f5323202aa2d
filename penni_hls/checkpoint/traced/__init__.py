"""Programs of calls, as a traced file holds them -> Graph[Layer]. A form translates its file into `program.Program`."""
