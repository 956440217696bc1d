"""What every page of ours is made of."""
