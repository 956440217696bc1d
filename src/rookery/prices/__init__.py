"""What a design costs on a cloud: the price book, each provider's billing rules, and the bill. Pure."""
