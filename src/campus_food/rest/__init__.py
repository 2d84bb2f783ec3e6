"""Campus food ordering over HTTP: three services, each waiting for the next."""
