"""What `penni-hls train` and `penni-hls compress` do, from files to files."""
