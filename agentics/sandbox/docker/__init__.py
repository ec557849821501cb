"""The container engine behind the Engine API (Docker, or Podman's copy of it). Only this package talks to one."""
