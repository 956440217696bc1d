"""What each server of the native platform holds: configuration files and supervised programs."""
