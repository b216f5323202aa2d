"""What a person sees: tables, notes, progress. What a script sees is made in commands/."""
