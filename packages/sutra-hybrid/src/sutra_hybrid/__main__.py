"""`python -m sutra_hybrid` serves on port 8001."""

from sutra_service.web.serve import main

if __name__ == "__main__":
    raise SystemExit(main("sutra_hybrid.app:create_app", default_port=8001))
