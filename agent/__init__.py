"""The loop and its parts: an idea goes in, a session with a paper comes out."""
