"""What HTTP answers have in common: validators and compression; whole channels."""
