"""What servers say goes into reports: it is bounded, and cleaned of what a terminal would obey."""

MAX_CHARACTERS = 200


def tame(text: str | None) -> str | None:
    """Printable and short."""
    if text is None:
        return None
    kept = "".join(letter if letter.isprintable() else "\ufffd" for letter in text[: MAX_CHARACTERS + 1])
    return kept if len(kept) <= MAX_CHARACTERS else kept[: MAX_CHARACTERS - 1] + "…"
