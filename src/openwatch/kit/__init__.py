"""What has no domain: errors, ids, time, hashing, encryption, paging, logging, settings."""
