"""What pods of every application stand on: their form, and whom they may talk to."""
