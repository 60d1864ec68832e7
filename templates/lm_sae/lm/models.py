"""Language models with hooks: trained here on the grammar, read from a folder, or fetched by transformer-lens.

A folder holds model.json (a HookedTransformerConfig), model.safetensors and, where there is text, a tokenizer.
Models from the hub are loaded as published, without folding or centring weights, so that published SAEs fit them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import InfrastructureError, UserError

if TYPE_CHECKING:
    import torch
    from transformer_lens import HookedTransformer

UNREACHABLE = {
    "ConnectionError",
    "TransportError",
    "Timeout",
    "OfflineModeIsEnabled",
    "LocalEntryNotFoundError",
    "HfHubHTTPError",
}  # names of exceptions: requests, httpx and huggingface_hub each have their own
UNREACHABLE_TEXTS = ("couldn't connect", "can't load the", "client has been closed")  # of exceptions without a cause
PROBED = 4096  # entries of a parameter that are compared once all have been hashed
CONFIG, WEIGHTS = "model.json", "model.safetensors"


def load(name: str, dtype: str, device: str, offline: bool = False) -> HookedTransformer:
    """A model by its folder or by transformer-lens's name.

    Raises:
        UserError: there is no such model, or it is gated.
        InfrastructureError: it is not in the cache and the hub cannot be reached.
    """
    if (Path(name) / CONFIG).is_file():
        return _from_folder(Path(name), dtype, device)
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"  # prepare.py has filled the cache, so measuring needs no network
    with hub_errors(f"model {name}"):
        import transformer_lens.loading_from_pretrained as registry
        from transformer_lens import HookedTransformer
        from transformer_lens.supported_models import DEFAULT_MODEL_ALIASES

        try:
            registry.get_official_model_name(name)
        except ValueError:
            stem = name.split("/")[-1].lower()[:6]
            near = [n for n in DEFAULT_MODEL_ALIASES if stem in n.lower()][:6]
            raise UserError(
                f"model {name!r}: neither a folder with a {CONFIG} nor a model that transformer-lens knows"
                + (f"; near it are {', '.join(near)}" if near else "")
            ) from None
        model = HookedTransformer.from_pretrained_no_processing(name, device=device, dtype=dtype)
    return model.eval().requires_grad_(False)


def of_world(truth_dir: Path, settings: dict[str, Any], offline: bool = True) -> HookedTransformer:
    """The model with which the world in this folder was prepared (a world is a data set drawn from a secret).

    Raises:
        ValueError: its weights have changed since.
    """
    own = truth_dir / "model"
    name = str(own) if own.is_dir() else str(settings["model"])
    model = load(name, str(settings["dtype"]), str(settings.get("device", "cpu")), offline)
    about = json.loads((truth_dir / "about.json").read_text())
    kept = settings.get("kept")
    if not _has_weights(model, about["weights_sha256"], Path(str(kept)) if kept else None):
        raise ValueError(f"{name} has other weights than when the data were prepared")
    return model


def _has_weights(model: HookedTransformer, sha256: str, kept: Path | None) -> bool:
    """Whether the hash of all weights is `sha256`. After the first time only a sample is compared, noted in `kept`.

    The sample has PROBED entries of each parameter. That finds another model, or another step of the same training, and
    spares hashing gigabytes before each training of a session.
    """
    sample = _sample(model)
    note = kept / f"weights-{sha256[:16]}.json" if kept else None
    with suppress(OSError, ValueError):
        if note and json.loads(note.read_text()) == sample:
            return True
    if weights_sha256(model) != sha256:
        return False
    if note:
        with suppress(OSError):  # if the folder cannot be written, the weights are hashed each time
            note.parent.mkdir(parents=True, exist_ok=True)
            beside = note.with_name(f".{note.name}-{os.getpid()}")
            beside.write_text(json.dumps(sample))
            os.replace(beside, note)
    return True


def _sample(model: HookedTransformer) -> str:
    """The hash of PROBED entries of every parameter, spread evenly over it."""
    digest = hashlib.sha256()
    for name, value in sorted(model.named_parameters()):
        flat = value.detach().flatten()
        some = flat[:: max(1, len(flat) // PROBED)].float().cpu().numpy()
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        digest.update(some.tobytes())
    return digest.hexdigest()


def save(model: HookedTransformer, folder: Path) -> None:
    """Saves a model as a folder that `load` reads. A tokenizer has to be saved there separately."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    fields = {f.name for f in dataclasses.fields(model.cfg)}
    config = {k: v for k, v in model.cfg.to_dict().items() if k in fields and k not in ("device", "dtype")}
    (folder / CONFIG).write_text(json.dumps(config, indent=1, default=str))
    save_file({k: v.detach().cpu().contiguous().clone() for k, v in model.state_dict().items()}, folder / WEIGHTS)


def _from_folder(folder: Path, dtype: str, device: str) -> HookedTransformer:
    import torch
    from safetensors.torch import load_file
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    config = json.loads((folder / CONFIG).read_text())
    config = HookedTransformerConfig.from_dict({**config, "device": device, "dtype": getattr(torch, dtype)})
    model = HookedTransformer(config, tokenizer=None)
    if (folder / "tokenizer.json").is_file():
        from transformers import AutoTokenizer

        model.set_tokenizer(AutoTokenizer.from_pretrained(folder), default_padding_side="right")
    model.load_state_dict(load_file(folder / WEIGHTS))
    return model.to(device, print_details=False).eval().requires_grad_(False)


def weights_sha256(model: HookedTransformer) -> str:
    """The hash of all parameters, by which a measurement recognises the model that its data were prepared with."""
    import torch

    digest = hashlib.sha256()
    for name, value in sorted(model.named_parameters()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def train_on(tokens: torch.Tensor, settings: dict[str, Any], d_vocab: int, seed: int) -> HookedTransformer:
    """A small transformer, trained on sequences [N, context] for `lm_steps` batches; the same for the same seed."""
    import torch
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    torch.manual_seed(seed)
    d_model, heads = int(settings["d_in"]), int(settings["lm_heads"])
    model = HookedTransformer(
        HookedTransformerConfig(
            n_layers=int(settings["lm_layers"]),
            d_model=d_model,
            n_heads=heads,
            d_head=d_model // heads,
            d_mlp=4 * d_model,
            n_ctx=int(settings["context"]),
            d_vocab=d_vocab,
            act_fn="gelu",
            normalization_type="LN",
            seed=seed,
            device="cpu",
        )
    )
    steps, batch = int(settings["lm_steps"]), int(settings["lm_batch"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=float(settings["lm_lr"]), weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, float(settings["lm_lr"]), total_steps=steps, pct_start=0.1
    )
    rows = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        chosen = tokens[torch.randint(len(tokens), (batch,), generator=rows)]
        loss = model(chosen, return_type="loss")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model.eval().requires_grad_(False)


@contextmanager
def hub_errors(what: str) -> Iterator[None]:
    """Turns exceptions of the Hugging Face hub into errors of one line; `what` names what was loaded.

    Raises:
        UserError: it is gated, or does not exist.
        InfrastructureError: it is not in the cache, and the hub cannot be reached.
    """
    try:
        yield
    except (UserError, InfrastructureError):
        raise
    except Exception as error:
        # the libraries wrap each other's exceptions, so the reason may stand anywhere in the chain
        chain, seen = [], error
        while seen is not None and len(chain) < 12:
            chain.append(seen)
            seen = seen.__cause__ or seen.__context__
        kinds = {kind.__name__ for one in chain for kind in type(one).__mro__}
        text = " ".join(" ".join(str(one).split()) for one in chain)
        if "GatedRepoError" in kinds or "gated repo" in text:
            raise UserError(
                f"{what} is gated: accept its licence on its page at huggingface.co, then set HF_TOKEN to "
                f"a token that may read it{'' if os.environ.get('HF_TOKEN') else ' (HF_TOKEN is not set)'}"
            ) from error
        if kinds & {"RepositoryNotFoundError", "DatasetNotFoundError", "RevisionNotFoundError"}:
            raise UserError(
                f"{what}: the Hugging Face hub does not know it; check the name, and HF_TOKEN if it is private"
            ) from error
        if kinds & UNREACHABLE or any(part in text.lower() for part in UNREACHABLE_TEXTS):
            raise InfrastructureError(
                f"{what}: not in the Hugging Face cache, and the hub cannot be reached; connect "
                "once, or point HF_HOME at a cache that holds it"
            ) from error
        raise
