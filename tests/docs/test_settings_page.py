import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_settings", ROOT / "docs" / "generate_settings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_settings_page_is_up_to_date(generator: ModuleType) -> None:
    """After a change of a settings class run `python docs/generate_settings.py`."""
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == generator.render(generator.settings_classes())


def test_every_setting_says_what_it_means(generator: ModuleType) -> None:
    silent = [
        f"{settings.__module__}.{settings.__name__}.{name}"
        for settings in generator.settings_classes()
        for name, field in settings.model_fields.items()
        if not field.description
    ]
    assert silent == []


def test_every_service_has_its_settings_on_the_page(generator: ModuleType) -> None:
    packages = {settings.__module__.split(".")[0] for settings in generator.settings_classes()}
    assert packages == {"core", "runtime", "ingestion", "api", "orchestration"}


def test_no_default_names_a_directory_of_the_machine_that_wrote_the_page(generator: ModuleType) -> None:
    assert str(ROOT) not in generator.render(generator.settings_classes())
