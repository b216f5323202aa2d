"""Training of torch modules: the epoch loop, several processes, resuming, batches."""
