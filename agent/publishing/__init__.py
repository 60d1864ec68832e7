"""What is made of a session: notes, manuscript, review, verification and the archive to hand over."""
