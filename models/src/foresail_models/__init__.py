"""Trainers and scorers of the forecasting models that Foresail ships."""

__version__ = "0.1.0"
