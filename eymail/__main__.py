"""``python -m eymail``."""

from eymail.cli.main import main

main()
