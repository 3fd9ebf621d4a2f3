"""Hyperparameter search whose whole state is one journal on the volume, or one study in a database: any worker may die at any time."""
