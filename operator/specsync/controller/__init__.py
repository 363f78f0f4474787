"""The leader: admits jobs, schedules, folds what jobs found into the Dependency's status, keeps history short."""
