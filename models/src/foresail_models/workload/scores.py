"""How good the multivariate forecasts are, in the measures that people ask for.

Pooling services of very different size makes R² look better than any forecast is, because
knowing which service it is explains most of the variance. So R² stands here twice: pooled,
and within services, where each service's own mean is already known.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import contract, metrics
from .signals import LEADS, TARGETS

# Relative measures leave out values below this share of a service's mean: 1 % of nothing is nothing.
FLOOR_SHARE = 0.01
NEAR = 0.05


def point(y: np.ndarray, forecast: np.ndarray, service: np.ndarray) -> dict[str, float]:
    """Point scores of forecasts [N] for values y [N]; service [N] names the group of each."""
    error = forecast - y
    groups = {s: service == s for s in np.unique(service)}
    mean = np.zeros_like(y)
    for rows in groups.values():
        mean[rows] = y[rows].mean()
    floor = FLOOR_SHARE * np.abs(mean)
    relative = np.abs(y) > np.maximum(floor, 1e-12)
    squared = float(np.sum(error**2))
    return {
        "rmse": float(np.sqrt(np.mean(error**2))),
        "mae": float(np.mean(np.abs(error))),
        "r2_pooled": 1 - squared / max(float(np.sum((y - y.mean()) ** 2)), 1e-12),
        "r2_within_services": 1 - squared / max(float(np.sum((y - mean) ** 2)), 1e-12),
        "mape": float(np.mean(np.abs(error[relative] / y[relative]))),
        "within_5_percent": float(np.mean(np.abs(error[relative]) <= NEAR * np.abs(y[relative]))),
        "share_scored_relatively": float(np.mean(relative)),
    }


def relative_mae(y: np.ndarray, forecast: np.ndarray, other: np.ndarray, service: np.ndarray) -> float:
    """Geometric mean over services of MAE(forecast) / MAE(other), where both err."""
    ratios = []
    for one in np.unique(service):
        rows = service == one
        ours, theirs = np.abs(forecast - y)[rows].mean(), np.abs(other - y)[rows].mean()
        if ours > 0 and theirs > 0:
            ratios.append(float(ours / theirs))
    return metrics.geometric_mean(ratios)


def table(
    quantiles: np.ndarray, target: np.ndarray, last: np.ndarray, mean: np.ndarray, service: np.ndarray, moving: np.ndarray
) -> list[dict[str, Any]]:
    """One row per target and lead.

    quantiles [N, targets, leads, levels]; target [N, targets, leads]; last and mean
    [N, targets], the simple forecasts; moving [N, targets] False where the target of that
    service never changed in training and nothing is to be forecast.
    """
    levels = contract.QUANTILE_LEVELS
    rows = []
    for t, name in enumerate(TARGETS):
        for h, lead in enumerate(LEADS):
            y = target[:, t, h].astype(np.float64)
            keep = np.isfinite(y) & np.isfinite(quantiles[:, t, h]).all(axis=1) & moving[:, t]
            y, q, who = y[keep], quantiles[keep, t, h].astype(np.float64), service[keep]
            median, persistence, average = q[:, contract.MEDIAN], last[keep, t].astype(np.float64), mean[keep, t].astype(np.float64)
            rows.append(
                {"target": name, "lead_minutes": lead, "n": int(keep.sum()), "services": int(np.unique(who).size)}
                | point(y, median, who)
                | {
                    "coverage_0.9": metrics.coverage(y, q[:, levels.index(0.9)]),
                    "mae_vs_persistence": relative_mae(y, median, persistence, who),
                    "mae_vs_window_mean": relative_mae(y, median, average, who),
                    "persistence": point(y, persistence, who),
                }
            )
    return rows


def markdown(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| target | lead, min | n | RMSE | MAE | R² pooled | R² within services | MAPE | within 5 % | persistence: R² within, within 5 % "
        "| MAE / persistence | MAE / hour's mean | coverage 0.9 |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        p = r["persistence"]
        lines.append(
            f"| {r['target']} | {r['lead_minutes']} | {r['n']} | {r['rmse']:.4g} | {r['mae']:.4g} | {r['r2_pooled']:.3f} "
            f"| {r['r2_within_services']:.3f} | {100 * r['mape']:.1f} % | {100 * r['within_5_percent']:.1f} % "
            f"| {p['r2_within_services']:.3f}, {100 * p['within_5_percent']:.1f} % | **{r['mae_vs_persistence']:.3f}** "
            f"| **{r['mae_vs_window_mean']:.3f}** | {r['coverage_0.9']:.3f} |"
        )
    return "\n".join(lines)
