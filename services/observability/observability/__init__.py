"""What the Python services share to be observable: SDK start, request scope, runtime contexts, manifest."""
