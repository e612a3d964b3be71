"""Dataset contracts (ODCS v3): the model, the registry, validation and drafting."""
