"""Schedule -> files, and what runs them: one folder per backend."""
