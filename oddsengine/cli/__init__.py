"""The commands, one module each; `oddsengine.cli.app` names them."""
