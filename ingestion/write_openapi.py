"""`python -m ingestion.write_openapi`: writes the collector's OpenAPI document beside the code."""

from ingestion import openapi
from ingestion.app import create_app
from ingestion.settings import CollectorSettings


def main() -> None:
    """Render the document; no engine is needed for that."""
    settings = CollectorSettings.model_validate({"database_url": ""})
    openapi.SNAPSHOT.write_text(openapi.render(create_app(settings)), encoding="utf-8")


if __name__ == "__main__":
    main()
