"""The demo: the whole way of the data on one machine, through the interfaces that a real XNAT offers."""
