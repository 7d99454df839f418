"""Knowledge of the station itself: the keys it has pinned, and the trains it has seen."""
