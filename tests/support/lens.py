"""The results of sae_lens's own evaluation, under the names of our metrics."""


def flat(groups: dict[str, dict[str, float]]) -> dict[str, float]:
    """All groups of results in one."""
    return {name: value for group in groups.values() for name, value in group.items()}


def named_as_here(lens: dict[str, float]) -> dict[str, float]:
    """The metrics of reconstruction, activity and behaviour."""
    same = ("explained_variance", "mse", "l0", "ce_loss_score")
    return {
        **{name: lens[name] for name in same},
        "cosine": lens["cossim"],
        "relative_norm": lens["l2_ratio"],
        "kl": lens["kl_div_with_sae"],
        "delta_ce": lens["ce_loss_with_sae"] - lens["ce_loss_without_sae"],
    }
