"""Where literature is found: three public services, a cache, and the shipped library behind them."""
