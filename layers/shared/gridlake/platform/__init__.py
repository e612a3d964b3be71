"""Ground floor: settings, AWS clients, errors, observability. Imports nothing of ours."""
