"""Answers: executing planned questions and shaping what comes back."""
