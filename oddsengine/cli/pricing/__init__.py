"""`oddsengine price`: what the pricing makes of quoted odds, as a table or a chart."""
