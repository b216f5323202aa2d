"""Output for people: tables, notes, progress. The JSON output for scripts is made in commands/."""
