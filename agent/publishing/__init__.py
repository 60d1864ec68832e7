"""What is made from a session: notes, the paper, reviews, a verification, and an archive to hand over."""
