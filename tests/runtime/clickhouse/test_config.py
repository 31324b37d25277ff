import stat
from pathlib import Path
from xml.etree import ElementTree as ET

from runtime.clickhouse.config import write_config
from runtime.clickhouse.settings import ClickHouseServerSettings

SETTINGS = ClickHouseServerSettings.model_validate(
    {
        "admin_password": "secret-a",
        "radixinsight_password": "b",
        "reader_password": "c",
        "display_name": "<a & b>",
        "max_server_memory_bytes": 123,
        "log_ttl_days": 3,
    }
)


def test_the_configuration_says_what_the_settings_say(tmp_path: Path) -> None:
    root = ET.parse(write_config(SETTINGS, tmp_path)).getroot()  # noqa: S314 - our own file
    assert root.findtext("display_name") == "<a & b>"
    assert root.findtext("max_server_memory_usage") == "123"
    assert root.findtext("merge_tree/fsync_after_insert") == "1"
    for table in ("query_log", "part_log"):
        assert "interval 3 day" in root.findtext(f"{table}/ttl", "")


def test_no_file_is_named_so_that_the_engine_reads_it_unasked(tmp_path: Path) -> None:
    write_config(SETTINGS, tmp_path)
    assert not {"config.xml", "users.xml"} & {path.name for path in tmp_path.rglob("*")}


def test_passwords_are_hashed_and_for_the_owner_alone(tmp_path: Path) -> None:
    write_config(SETTINGS, tmp_path)
    users = tmp_path / "engine-users.xml"
    assert "secret-a" not in users.read_text()
    assert stat.S_IMODE(users.stat().st_mode) == 0o600
