"""What a pickle describes, without running it: inert records, and the modules and tensors among them."""
