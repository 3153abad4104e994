"""What HTTP needs and knows Starlette."""
