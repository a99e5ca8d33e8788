"""Parts of all HTTP answers: validators and compression; whole channels."""
