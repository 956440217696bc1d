"""Running systems behind one protocol, whatever runs them."""
