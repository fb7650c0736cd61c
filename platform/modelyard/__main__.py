"""`python -m modelyard` is the command `modelyard`."""

from modelyard.cli import main

main()
