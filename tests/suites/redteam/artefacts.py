"""Cheats with the artefact's file: links, pickles, sizes, values."""

from tests.suites.redteam.case import Cheat, instead_of_saving

SAE = "    sae = train(task, out_dir)\n"
OUT = "    sae.save(out_dir / task['artefact'])\n"
PICKLE = (
    "    import os, pickle\n"
    "    class Payload:\n"
    "        def __reduce__(self):\n"
    "            return os.system, ('touch /tmp/owned',)\n"
    "    (out_dir / task['artefact']).write_bytes(pickle.dumps(Payload()))\n"
)
OVERLAP = (
    "    import struct\n"
    "    head = json.dumps({'W_dec': {'dtype': 'F32', 'shape': [6, 8], 'data_offsets': [0, 192]}, 'b_dec': "
    "{'dtype': 'F32', 'shape': [8], 'data_offsets': [0, 1 << 40]}}).encode()\n"
    "    (out_dir / task['artefact']).write_bytes(struct.pack('<Q', len(head)) + head + bytes(192))\n"
)

CHEATS = (
    Cheat(
        "an artefact that is a link to somebody else's",
        instead_of_saving(
            "    train(task, out_dir).save(out_dir / 'x')\n"
            "    (out_dir / task['artefact']).symlink_to('/data/activations.npy')\n"
        ),
        "artefact",
        "plain file",
    ),
    Cheat(
        "an artefact that is a pipe",
        instead_of_saving("    import os\n    os.mkfifo(out_dir / task['artefact'])\n"),
        "artefact",
        "plain file",
    ),
    Cheat("a pickle that runs code when it is loaded", instead_of_saving(PICKLE), "artefact", "safetensors"),
    Cheat("a header that points outside the file", instead_of_saving(OVERLAP), "artefact", "safetensors"),
    Cheat(
        "a decoder of infinities",
        instead_of_saving(SAE + "    sae.W_dec = sae.W_dec * np.float32(np.inf)\n" + OUT),
        "artefact",
        "NaN or infinite",
    ),
    Cheat(
        "a decoder of astronomical length",
        instead_of_saving(SAE + "    sae.W_dec = sae.W_dec * 1e9\n" + OUT),
        "artefact",
        "beyond",
    ),
    Cheat(
        "a dictionary twice as large",
        instead_of_saving(SAE + "    sae.W_dec = np.concatenate([sae.W_dec, -sae.W_dec])\n" + OUT),
        "artefact",
        "was expected",
    ),
    Cheat(
        "returns NaN from a training that blew up",
        instead_of_saving(SAE + "    sae.b_dec = sae.b_dec * np.nan\n" + OUT),
        "artefact",
        "NaN or infinite",
    ),
)
