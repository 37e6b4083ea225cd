"""What task authors touch. Imports no models; `engine` re-exports the names."""
