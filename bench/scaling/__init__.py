"""What a change, a frame and a delta cost each role, and how many machines a load needs by these costs."""
