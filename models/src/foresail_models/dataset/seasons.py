"""How much of a load repeats by day and by week, and which season lags are worth a look. All on hourly means."""

from __future__ import annotations

import numpy as np

from .. import contract

HOUR_S = 3600


def hourly(values: np.ndarray, t0: int, step: int) -> tuple[np.ndarray, int]:
    """Means of the known values of each hour (UTC), NaN without any, and the number of the first hour since the epoch.

    Steps longer than an hour leave hours unknown.
    """
    hour = (t0 + step * np.arange(values.size, dtype=np.int64)) // HOUR_S
    first = int(hour[0])
    at = hour - first
    known = ~np.isnan(values)
    size = int(at[-1]) + 1
    count = np.bincount(at[known], minlength=size)
    total = np.bincount(at[known], weights=values[known], minlength=size)
    with np.errstate(invalid="ignore"):
        return total / np.where(count, count, np.nan), first


def strengths(hours: np.ndarray, first_hour: int) -> tuple[float | None, float | None]:
    """(daily, weekly) strength in 0..1; None where fewer than three periods are known.

    1 - Var(rest) / Var(season + rest): X. Wang, K. Smith, R. Hyndman, Characteristic-Based Clustering for Time Series
    Data, DMKD 13, 2006. The trend is the mean of the day (of the week, for daily means). Noise alone gives about one
    over the number of periods.
    """
    table = rows_of(hours, first_hour % 24, 24)
    with_day = _season_strength(table)
    days = _mean_rows(table)
    first_day = first_hour // 24
    # The epoch was a Thursday; weeks are cut on Mondays, though any cut would do.
    return with_day, _season_strength(rows_of(days, (first_day + 3) % 7, 7))


def lag_skills(hours: np.ndarray) -> dict[str, dict[str, float | None]]:
    """Per season lag in days: the share of hours whose value then is known, and the skill of "the same hour then".

    Skill is 1 - MAE / MAE of the load an hour before: above 0 where the lag says more than the recent past.
    """
    before = np.abs(hours[1:] - hours[:-1])
    reference = float(np.nanmean(before)) if np.isfinite(before).any() else 0.0
    result: dict[str, dict[str, float | None]] = {}
    known = np.isfinite(hours)
    for days in contract.SEASON_LAGS_DAYS:
        lag = days * 24
        error = np.abs(hours[lag:] - hours[:-lag])
        both = int(np.isfinite(error).sum())
        share = both / max(1, int(known.sum()))
        skill = 1 - float(np.nanmean(error)) / reference if both >= 24 and reference > 0 else None
        result[str(days)] = {"known": round(share, 4), "skill": None if skill is None else round(skill, 4)}
    return result


def rows_of(values: np.ndarray, offset: int, period: int) -> np.ndarray:
    size = -(-(offset + values.size) // period) * period
    padded = np.full(size, np.nan)
    padded[offset : offset + values.size] = values
    return padded.reshape(-1, period)


def _mean_rows(table: np.ndarray) -> np.ndarray:
    known = np.isfinite(table)
    count = known.sum(1)
    total = np.where(known, table, 0).sum(1)
    # A day of which less than half is known says little about the level of the day.
    return np.where(count * 2 >= table.shape[1], total / np.maximum(count, 1), np.nan)


def _season_strength(table: np.ndarray) -> float | None:
    level = _mean_rows(table)
    table = table[np.isfinite(level)] - level[np.isfinite(level)][:, None]
    if table.shape[0] < 3:
        return None
    known = np.isfinite(table)
    count = known.sum(0)
    season = np.where(known, table, 0).sum(0) / np.maximum(count, 1)
    total = float(np.var(table[known]))
    if total == 0:
        return 0.0
    return round(max(0.0, 1 - float(np.var((table - season)[known])) / total), 4)
