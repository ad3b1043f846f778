"""Who is told of a regression, when, and by which way."""
