"""`python -m penni_hls` is `penni-hls`."""

from .cli import main

if __name__ == "__main__":
    main()
