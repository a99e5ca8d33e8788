"""The commands of traders: suspend, lift, override, and the list of what was commanded."""
