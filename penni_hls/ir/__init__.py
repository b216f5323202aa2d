"""The network as it is compiled: graphs, fixed point, streams, serialization, the interpreter."""
