"""Choice of alpha: cross-validation of whole paths in one batch."""
