"""Commands of people: the types, which of them hold for a market, and what follows for its prices. No I/O, no clock."""
