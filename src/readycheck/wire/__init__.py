"""Sans-IO codecs: bytes to frozen dataclasses and back."""
