"""The drill: data of its own written to every kind of storage, lost on purpose, restored, and compared."""
