"""Evidence and verdicts -> findings, and the follow-up checks that would settle what is open. Pure."""
