"""The catalogue of rules and frameworks, and its versions."""
