"""Evidence and manifests: content-addressed, signed and chained."""
