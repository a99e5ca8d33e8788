"""The commands, one module each; `oddsengine.cli` names them."""
