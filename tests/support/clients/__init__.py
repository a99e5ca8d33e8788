"""Both clients of the stream, Python's and the page's in Node, and a gateway that refuses them as a test says."""
