"""What the wheel is made with and begins with; a checkout runs none of it."""
