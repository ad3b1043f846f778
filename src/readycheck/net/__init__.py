"""The only package that touches sockets."""
