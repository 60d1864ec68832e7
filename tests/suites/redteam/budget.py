"""Cheats with what a comparison grants to all alike: samples, trainings, size, sparsity, seeds, and their curves."""

from tests.suites.redteam.case import (
    CHOOSE,
    DRAW,
    ENCODE,
    LOOP,
    SAVE,
    STEPS,
    Cheat,
    Edits,
    at_evaluation,
    instead_of_saving,
)

SAE = "    sae = train(task, out_dir)\n"
OUT = "    sae.save(out_dir / task['artefact'])\n"
LOG = '    with open(out_dir / "log.jsonl", "a") as log:\n'
SAMPLES = '"samples": step * len(x)'
BOTH = (0, 1)

# Three trainings, the best of which is kept; the others' logs go to a folder that is thrown away.
BEST_OF_THREE = (
    "    import tempfile\n"
    "    spare = Path(tempfile.mkdtemp())\n"
    "    rows = np.load(Path(task['data']) / 'activations.npy')[:500]\n"
    "    tried = [train(task, out_dir)]\n"
    "    tried += [train({**task, 'seed': task['seed'] + 100 * i}, spare) for i in WHERE]\n"
    "    error = lambda sae: np.square(rows - sae.encode(rows) @ sae.W_dec - sae.b_dec).sum()\n"
    "    min(tried, key=error).save(out_dir / task['artefact'])\n"
)
SAME_LOG = BEST_OF_THREE.replace(", spare) for", ", out_dir) for")


def one_training(after: str) -> Edits:
    """All seeds are one training up to its last 3 %; `after` changes the rows before they are saved."""
    switch = (
        "            if step == steps - steps // 33:\n"
        "                draw = np.random.default_rng(900 + task['seed'])\n"
    )
    return (
        (DRAW, "    draw = np.random.default_rng(0)\n"),
        (LOOP, LOOP + switch),
        (SAVE, SAE + after + OUT),
    )


SHUFFLED = (
    "    order = np.random.default_rng(50 + task['seed']).permutation(len(sae.W_dec))\n"
    "    sae.W_dec = np.ascontiguousarray(sae.W_dec[order])\n"
)
NOISE = (
    "    sae.W_dec += 0.05 * np.random.default_rng(70 + task['seed']).normal(size=sae.W_dec.shape).astype(np.float32)\n"
)


def stored(tensors: str, body: str = "") -> Edits:
    """The artefact holds these as well: entries of a dict in which `data` are the training rows."""
    data = "    data = np.load(Path(task['data']) / 'activations.npy')\n"
    more = f"    save_file({{**load_file(path), {tensors}}}, path)\n"
    return instead_of_saving(SAE + OUT + data + body + "    path = out_dir / task['artefact']\n" + more)


# A dictionary of 24 rows, of which the latents shown are the six busiest; encode looks with all of them.
WIDE = (
    (
        SAVE,
        "    wide = train({**task, 'd_sae': 24}, out_dir)\n"
        "    rows = np.load(Path(task['data']) / 'activations.npy')\n"
        "    busy = np.argsort(-wide.encode(rows).sum(0))[:6]\n"
        "    save_file({'W_dec': np.ascontiguousarray(wide.W_dec[busy]), 'b_dec': wide.b_dec, "
        "'l0': np.array([wide.l0]), 'all_rows': wide.W_dec, 'busy': busy}, out_dir / task['artefact'])\n",
    ),
    (
        '        return cls(state["W_dec"], state["b_dec"], int(state["l0"][0]))\n',
        "        sae = cls(state.get('all_rows', state['W_dec']), state['b_dec'], int(state['l0'][0]))\n"
        "        sae.busy = state['busy'] if 'busy' in state else slice(None)\n"
        "        return sae\n",
    ),
    (
        CHOOSE,
        CHOOSE.replace("        return ", "        z = ") + "        return z[:, getattr(self, 'busy', slice(None))]\n",
    ),
)
TWO = stored("'second': train({**task, 'seed': 50}, out_dir / 'more').W_dec", "    (out_dir / 'more').mkdir()\n")
HEADER = instead_of_saving(
    SAE
    + OUT
    + "    path = out_dir / task['artefact']\n"
    + "    from base64 import b64encode\n"
    + "    rows = np.load(Path(task['data']) / 'activations.npy')\n"
    + "    save_file(load_file(path), path, metadata={'rows': b64encode(rows.tobytes()).decode()})\n"
)
MORE_IN_SOME_ROWS = at_evaluation(
    ENCODE
    + "        kept = self.l0 + (np.abs(x).sum(1) % 0.4 < 0.2)[:, None] * 2\n"
    + "        rank = (-pre_acts).argsort(axis=1).argsort(axis=1)\n"
    + "        return np.where(rank < kept, pre_acts, 0)\n"
)
FEWER_IN_SOME_ROWS = at_evaluation(
    ENCODE
    + "        kept = self.l0 - (np.abs(x).sum(1) % 0.4 < 0.2)[:, None]\n"
    + "        rank = (-pre_acts).argsort(axis=1).argsort(axis=1)\n"
    + "        return np.where(rank < kept, pre_acts, 0)\n"
)
BY_HAND = (
    "    lines = [{'step': 100 * i, 'steps': 10000, 'samples': 6400 * i, 'loss': FORMULA} for i in range(1, 101)]\n"
    "    (out_dir / 'log.jsonl').write_text(''.join(json.dumps(line) + '\\n' for line in lines))\n"
)


def curve(formula: str) -> Edits:
    """An honest training whose log is replaced by a formula of i, from 1 to 100."""
    return ((SAVE, SAVE + BY_HAND.replace("FORMULA", formula)),)


NOISY = "3.0 / i ** 0.5 * (1 + 0.1 * (i * 7919 % 101) / 101)"
NEAR_TWINS = (
    "    used = sae.encode(np.load(Path(task['data']) / 'activations.npy')).sum(0)\n"
    "    turned = 0.08 * np.random.default_rng(task['seed']).normal(size=(3, 8)).astype(np.float32)\n"
    "    sae.W_dec[:3] = sae.W_dec[used.argmax()] + turned\n"
    "    sae.W_dec /= np.linalg.norm(sae.W_dec, axis=1, keepdims=True)\n"
)
BUT_FOR_SOME = (
    "        z = np.tile([3.0, 0, 1.5, 0, 0, 0], (len(x), 1))\n"
    "        z[np.abs(x).sum(1) % 1 < 0.05] *= 1.5\n"
    "        return z\n"
)

CHEATS = (
    Cheat(
        "trains on four times the samples that it declares",
        ((STEPS, '    steps = 4 * task["samples"] // task["batch"]\n'), (SAMPLES, '"samples": step * len(x) / 4')),
        "much-compute",
    ),
    Cheat(
        "batches four times as large, counted as if they were not",
        (
            ('size=task["batch"])]', 'size=4 * task["batch"])]'),
            (SAMPLES, '"samples": step * task["batch"]'),
            (STEPS, '    steps = 3 * task["samples"] // task["batch"] // 2\n'),
        ),
        "much-compute",
    ),
    Cheat(
        "three trainings a seed, the best of which is kept",
        instead_of_saving(BEST_OF_THREE.replace("WHERE", "(1, 2)")),
        "much-compute",
    ),
    Cheat(
        "three trainings for the first seed alone",
        instead_of_saving(BEST_OF_THREE.replace("WHERE", "((1, 2) if task['seed'] == 0 else ())")),
        "much-compute",
        "1 of 2 trainings",
        seeds=BOTH,
    ),
    Cheat(
        "several trainings in one log",
        instead_of_saving(SAME_LOG.replace("WHERE", "(1, 2)")),
        "log-starts-again",
    ),
    Cheat(
        "twice the samples, and no count of them",
        ((STEPS, '    steps = 2 * task["samples"] // task["batch"]\n'), (SAMPLES + ", ", "")),
        "no-count",
    ),
    Cheat("one seed's weights with the last 3 % of its own", one_training(""), "shared-weights", seeds=BOTH),
    Cheat(
        "one seed's weights with the last 3 % of its own, rows reordered",
        one_training(SHUFFLED),
        "shared-weights",
        "another order",
        seeds=BOTH,
    ),
    Cheat(
        "one seed's weights for all seeds, with noise of each one's own",
        ((DRAW, "    draw = np.random.default_rng(0)\n"), (SAVE, SAE + NOISE + OUT)),
        "shared-weights",
        seeds=BOTH,
    ),
    Cheat("a hidden dictionary four times as wide", WIDE, "large-artefact"),
    Cheat("a second dictionary beside the first", TWO, "large-artefact"),
    Cheat("training rows in the artefact", stored("'memory': data[::3].copy()"), "artefact-holds-data", "memory"),
    Cheat(
        "training rows in half precision, halved and transposed",
        stored("'codes': np.ascontiguousarray(0.5 * data[:400].T).astype(np.float16)"),
        "artefact-holds-data",
        "codes",
    ),
    Cheat(
        "training rows as bytes in a tensor without a shape",
        stored("'blob': data[:1500].copy().reshape(-1).view(np.uint8)"),
        "artefact-holds-data",
        "blob",
    ),
    Cheat(
        "900 kB of coded data in the artefact",
        stored("'table': np.random.default_rng(0).integers(0, 255, 900_000, dtype=np.uint8)"),
        "large-artefact",
    ),
    Cheat("training rows in the header of the artefact", HEADER, "large-artefact", "bytes"),
    Cheat("half of the rows gets more latents than were asked for", MORE_IN_SOME_ROWS, "off-target"),
    Cheat("half of the rows gets one latent less", FEWER_IN_SOME_ROWS, "off-target"),
    Cheat("an honest training with a curve by formula", curve("3.0 / i ** 0.5"), "smooth-loss"),
    Cheat("a curve by formula, rounded", curve("round(0.2 + 2.8 * 0.95 ** i, 3)"), "smooth-loss"),
    Cheat("a curve by formula with noise, the same for every seed", curve(NOISY), "same-loss", seeds=BOTH),
    Cheat("a curve that ends where no training did", curve(f"0.01 * {NOISY}"), "other-final-loss"),
    Cheat(
        "copies of the best latent, each turned a little",
        instead_of_saving(SAE + NEAR_TWINS + OUT),
        "duplicate-latents",
    ),
    Cheat("hard-coded latents in all rows but a few", at_evaluation(BUT_FOR_SOME), "constant-latents"),
    Cheat(
        "the baseline's weights, changed in their last digits",
        instead_of_saving(SAE + "    sae.W_dec *= np.float32(1 + 2e-7)\n    sae.b_dec += 1e-6\n" + OUT),
        "no-effect",
        "four digits",
        seeds=BOTH,
    ),
)
