"""Building blocks for codecs, shared by the adapters: quote caches, snapshots beside a stream, credentials, common markets.

Pure except for `credentials`, which reads files and the environment. Nothing here knows a provider.
"""
