"""What describes the interfaces to programs and people: the OpenAPI and AsyncAPI documents, and the pages made of them."""
