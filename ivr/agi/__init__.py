"""The FastAGI protocol, one channel, and the server."""
