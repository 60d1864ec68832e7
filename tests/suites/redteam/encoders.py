"""Cheats at evaluation: the training is honest, encode is not."""

from tests.suites.redteam.case import CHOOSE, ENCODE, GAINS_NOTHING, SAVE, Cheat, at_evaluation

BATCH = "        pre_acts = np.maximum((x - x.mean(0)) @ self.W_dec.T, 0)\n"
STATE = (
    "        self.seen = getattr(self, 'seen', 0) + len(x)\n" + ENCODE + "        pre_acts *= 1 + 1e-3 * self.seen\n"
)
CLOCK = "        import time\n" + ENCODE + "        pre_acts *= 1 + time.time() % 1\n"
CHANCE = ENCODE + "        pre_acts += np.random.default_rng().random(pre_acts.shape)\n"
BY_PLACE = ENCODE + "        pre_acts = pre_acts * (1 + np.arange(len(x))[:, None] % 2)\n"
CONSTANT = "        return np.tile([3.0, 0, 1.5, 0, 0, 0], (len(x), 1))\n"
NAN = ENCODE + "        pre_acts[0, 0] = np.nan\n        return pre_acts * (np.arange(6) < 2)\n"
DENSE = "        return (x - self.b_dec) @ self.W_dec.T\n"
MORE = ENCODE.replace("np.maximum(", "np.abs(").replace(", 0)", ")") + CHOOSE.replace("-self.l0]", "-4]")
WIDE = ENCODE + "        return np.concatenate([pre_acts, x], axis=1) * (np.arange(14) >= 12)\n"
HUGE = ENCODE + "        pre_acts *= 1e30\n"
# Rows 0 and 1 are saved as twins with opposite signs: their huge latents cancel but for their last digits.
CANCEL = (
    ENCODE
    + CHOOSE.replace("        return ", "        z = ").replace("pre_acts, 0)", "pre_acts, 0.0)")
    + ("        z[:, 1] = 1e6\n        z[:, 0] += 1e6\n        return z\n")
)
TWIN = "    sae = train(task, out_dir)\n    sae.W_dec[1] = -sae.W_dec[0]\n    sae.save(out_dir / task['artefact'])\n"
LOW_BITS = (
    ENCODE
    + CHOOSE.replace("        return ", "        z = ")
    + "        coarse = np.float32(z).view(np.uint32) & np.uint32(0xFFFF0000)\n"
    + "        hidden = np.float16(x[:, :6]).view(np.uint16).astype(np.uint32)\n"
    + "        return np.where(z != 0, (coarse | hidden).view(np.float32), 0)\n"
)
DATA = "        np.load('/data/activations.npy')\n" + ENCODE
SIDE_FILE = "        np.load(next(Path('.').glob('run_*')) / 'table.npy')\n" + ENCODE
FORGE = (
    "        import os, struct\n"
    "        n = len(x)\n"
    "        answer = struct.pack('<4sBBBBBBQBBQBBQI', b'GAVE', 0, 4, 5, 0, 5, 1, n, 5, 1, n, 10, 1, n, 6)\n"
    "        answer += np.ones(n, '<u4').tobytes() + np.zeros(n, '<u4').tobytes() + np.ones(n, '<f4').tobytes()\n"
    "        for fd in range(1, 20):\n"
    "            try:\n                os.write(fd, answer)\n"
    "            except OSError:\n                pass\n"
    "        os._exit(0)\n"
)
PATCH_WORKER = (
    "        import sys\n"
    "        sys.modules['__main__'].sparse = lambda z, x, *_: [np.asarray(6, 'u4'), np.zeros(len(x), 'u4'), "
    "np.zeros(5, 'u4'), np.zeros(5, 'f4')]\n" + ENCODE
)
TOUCH = "        Path('/artefact/sae.safetensors').write_bytes(b'better')\n" + ENCODE

CHEATS = (
    Cheat("hard-coded latents", at_evaluation(CONSTANT), "constant-latents"),
    Cheat("transduction: statistics of the evaluation batch", at_evaluation(BATCH), "encode-depends-on-batch"),
    Cheat("state between calls of encode", at_evaluation(STATE), "encode-depends-on-batch"),
    Cheat("encode reads the clock", at_evaluation(CLOCK), "encode-depends-on-batch"),
    Cheat("encode throws dice", at_evaluation(CHANCE), "encode-depends-on-batch"),
    Cheat("encode looks at the row's place in the batch", at_evaluation(BY_PLACE), "encode-depends-on-batch"),
    Cheat("NaN among the latents", at_evaluation(NAN), "encode-not-finite"),
    Cheat("dense latents", at_evaluation(DENSE), "encode-dense"),
    Cheat("twice the latents a row", at_evaluation(MORE), "off-target"),
    Cheat("latents beyond the dictionary", at_evaluation(WIDE), "encode-shape"),
    Cheat("huge latents", at_evaluation(HUGE), "latents-too-precise"),
    Cheat(
        "huge latents that cancel but for their last digits",
        (*at_evaluation(CANCEL), (SAVE, TWIN)),
        "latents-too-precise",
    ),
    Cheat("the input in the latents' low bits", at_evaluation(LOW_BITS), GAINS_NOTHING, gains=False),
    Cheat("encode reads the data at evaluation", at_evaluation(DATA), "encode", "FileNotFoundError"),
    Cheat(
        "encode reads a table that the training left beside the artefact",
        (*at_evaluation(SIDE_FILE), (SAVE, SAVE + ("    np.save(out_dir / 'table.npy', np.ones(3))\n"))),
        "encode",
        "StopIteration",
    ),
    Cheat("a forged answer, then the worker ends itself", at_evaluation(FORGE), "encode"),
    Cheat("patches the worker that asks encode", at_evaluation(PATCH_WORKER), "encode-malformed"),
    Cheat("replaces the artefact while it is evaluated", at_evaluation(TOUCH), "encode", "Read-only file system"),
)
