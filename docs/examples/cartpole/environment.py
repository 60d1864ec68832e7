"""A pole on a cart in gusts of wind: many episodes side by side, in numpy."""

import numpy as np

STEP_S, FORCE, GRAVITY = 0.02, 10.0, 9.8
FAR, TILTED = 2.4, 0.21  # where an episode ends: metres from the middle, radians from upright


class CartPole:
    """`physics` holds the pole's length and mass and how strong gusts are; `draw` the chance of starts and gusts."""

    def __init__(self, physics: dict[str, float], episodes: int, draw: np.random.Generator) -> None:
        self.physics, self.draw = physics, draw
        self.state = draw.uniform(-0.05, 0.05, size=(episodes, 4))
        self.alive = np.ones(episodes, dtype=bool)

    def observe(self) -> np.ndarray:
        """float32 [episodes, 4]: position, speed, angle, its speed."""
        return self.state.astype(np.float32)

    def step(self, action: np.ndarray) -> np.ndarray:
        """Push left (0) or right (1); which episodes still go on. One that has ended stays where it is."""
        length, mass = self.physics["length"], self.physics["mass"]
        x, v, angle, spin = self.state.T
        gust = self.draw.normal(size=len(x)) * self.physics["gusts"]
        push = np.where(action == 1, FORCE, -FORCE) + gust
        sin, cos, total = np.sin(angle), np.cos(angle), 1.0 + mass
        pull = (push + mass * length * spin**2 * sin) / total
        turn = (GRAVITY * sin - cos * pull) / (length * (4 / 3 - mass * cos**2 / total))
        speed = pull - mass * length * turn * cos / total
        moved = self.state + STEP_S * np.stack([v, speed, spin, turn], axis=1)
        self.state = np.where(self.alive[:, None], moved, self.state)
        self.alive &= (np.abs(self.state[:, 0]) < FAR) & (np.abs(self.state[:, 2]) < TILTED)
        return self.alive
