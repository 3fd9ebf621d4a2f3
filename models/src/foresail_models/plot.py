"""The loss curve of a run, for people."""

from __future__ import annotations

from pathlib import Path


def losses(history: list[dict[str, float]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    steps = [entry["step"] for entry in history]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.2), constrained_layout=True)
    left.plot(steps, [entry["train"] for entry in history])
    left.set(title="pinball loss, augmented training windows", xlabel="step")
    for name in ("later", "unseen"):
        right.plot(steps, [entry[name] for entry in history], label=f"{name} windows")
    right.set(title="validation WQL / seasonal naive", xlabel="step")
    right.legend()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
