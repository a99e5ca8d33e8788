"""`python -m oddsengine` is the `oddsengine` command."""

from oddsengine.cli.app import main

if __name__ == "__main__":
    main()
