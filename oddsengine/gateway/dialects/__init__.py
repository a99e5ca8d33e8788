"""What is spoken over sockets: `odds.v1` and Centrifuge's protocol. Both use the hub, and share what it sends."""
