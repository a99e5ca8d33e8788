"""Descriptions of the interfaces for programs and people: the OpenAPI and AsyncAPI documents, and the pages made of them."""
