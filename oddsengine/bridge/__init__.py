"""Bridges: what shards publish, what people command and what is settled, passed on to a broker of the operator's."""
