"""The command line. `app` declares the commands and their options; each command has a module that wires them to the runtime."""
