"""`python -m sample_service` serves on port 8100."""

from sutra_service.web.serve import main

APP = "sample_service.app:create_app"

if __name__ == "__main__":
    raise SystemExit(main(APP, default_port=8100))
