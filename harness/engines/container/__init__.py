"""Services as containers, on Docker or Podman."""
