"""`python -m sutra_api` serves on port 8000."""

from sutra_service.web.serve import main

if __name__ == "__main__":
    raise SystemExit(main("sutra_api.app:create_app", default_port=8000))
