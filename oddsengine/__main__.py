"""Run the `oddsengine` command as `python -m oddsengine`."""

from oddsengine.cli.app import main

if __name__ == "__main__":
    main()
