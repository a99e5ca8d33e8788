"""Recordings: reading what a provider once said, from files, folders and archives, in the order in which it was said."""
