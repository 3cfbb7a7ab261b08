"""What `./dev` is made of; everything that runs before `.venv` exists uses the standard library only."""
