"""What packets of a call sound like: statistics of streams and the E-model. Pure."""
