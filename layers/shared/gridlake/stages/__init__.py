"""The stages of the workflows, one module each: what the Lambda functions of the state machines run.

This is the floor where ingestion and time series meet. Nothing is imported here, so that each function loads only what
its own stage needs.
"""
