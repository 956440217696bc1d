"""Operations: what a command does, without printing; the CLI tells people of it."""
