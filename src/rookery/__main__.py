"""`python -m rookery`."""

from rookery.cli.main import main

main()
