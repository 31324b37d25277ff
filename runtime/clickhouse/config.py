"""Renders the engine's configuration files."""

import hashlib
import os
from pathlib import Path
from xml.sax.saxutils import escape

from runtime.clickhouse.settings import ClickHouseServerSettings

# No <logger>: the engine would trace about 30 MB a minute. The background pools are cut to what two cores can use;
# the defaults start threads for 16 merges and 128 scheduled jobs.
_TEMPLATE = """<clickhouse>
  <display_name>{display_name}</display_name>
  <users_config>{users}</users_config>
  <max_server_memory_usage>{max_server_memory_bytes}</max_server_memory_usage>
  <tmp_path>{tmp}</tmp_path>
  <user_files_path>{user_files}</user_files_path>
  <background_pool_size>4</background_pool_size>
  <background_merges_mutations_concurrency_ratio>2</background_merges_mutations_concurrency_ratio>
  <background_move_pool_size>1</background_move_pool_size>
  <background_fetches_pool_size>1</background_fetches_pool_size>
  <background_common_pool_size>2</background_common_pool_size>
  <background_schedule_pool_size>8</background_schedule_pool_size>
  <background_buffer_flush_schedule_pool_size>1</background_buffer_flush_schedule_pool_size>
  <background_message_broker_schedule_pool_size>1</background_message_broker_schedule_pool_size>
  <background_distributed_schedule_pool_size>1</background_distributed_schedule_pool_size>
  <tables_loader_foreground_pool_size>2</tables_loader_foreground_pool_size>
  <tables_loader_background_pool_size>2</tables_loader_background_pool_size>
  <mark_cache_size>536870912</mark_cache_size>
  <merge_tree>
    <fsync_after_insert>1</fsync_after_insert>
    <fsync_part_directory>1</fsync_part_directory>
    <number_of_free_entries_in_pool_to_execute_mutation>2</number_of_free_entries_in_pool_to_execute_mutation>
    <number_of_free_entries_in_pool_to_lower_max_size_of_merge>2</number_of_free_entries_in_pool_to_lower_max_size_of_merge>
    <number_of_free_entries_in_pool_to_execute_optimize_entire_partition>2</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>
  </merge_tree>
  <query_log>
    <database>system</database>
    <table>query_log</table>
    <ttl>event_date + interval {log_ttl_days} day delete</ttl>
    <flush_interval_milliseconds>7500</flush_interval_milliseconds>
  </query_log>
  <part_log>
    <database>system</database>
    <table>part_log</table>
    <ttl>event_date + interval {log_ttl_days} day delete</ttl>
    <flush_interval_milliseconds>7500</flush_interval_milliseconds>
  </part_log>
  <backups>
    <allowed_path>{backups}</allowed_path>
  </backups>
</clickhouse>
"""

# Every query runs as `default`; the others exist for dictionaries whose source names a user and his password.
_USERS = """<clickhouse>
  <profiles><default>{profile}</default></profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password></password>
      <networks><ip>::1</ip><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <named_collection_control>1</named_collection_control>
    </default>
{named}
  </users>
</clickhouse>
"""
# 100 MB of JSON lines take 0.77 s of CPU when they are cut for several parsers, 0.55 s with one. On two cores, which
# the rest of the system needs as well, the cutting gains nothing.
_FEW_CORES = 2
_ONE_PARSER = "<input_format_parallel_parsing>0</input_format_parallel_parsing>"
_NAMED = """    <{name}>
      <password_sha256_hex>{digest}</password_sha256_hex>
      <networks><ip>::1</ip><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
    </{name}>"""


def write_config(settings: ClickHouseServerSettings, directory: Path) -> Path:
    """Write the configuration into `directory` and return its path.

    The file isn't called config.xml: the engine reads a file of that name from the working directory unasked.
    """
    for name in ("tmp", "user_files", "backups"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    users = directory / "engine-users.xml"
    passwords = {
        "admin": settings.admin_password,
        "radixinsight": settings.radixinsight_password,
        "reader": settings.reader_password,
    }
    named = (
        _NAMED.format(name=name, digest=hashlib.sha256(password.get_secret_value().encode()).hexdigest())
        for name, password in passwords.items()
    )
    users.touch(mode=0o600)
    profile = _ONE_PARSER if (os.cpu_count() or 1) <= _FEW_CORES else ""
    users.write_text(_USERS.format(named="\n".join(named), profile=profile))
    path = directory / "engine.xml"
    path.write_text(
        _TEMPLATE.format(
            display_name=escape(settings.display_name),
            max_server_memory_bytes=settings.max_server_memory_bytes,
            log_ttl_days=settings.log_ttl_days,
            users=escape(str(users)),
            tmp=escape(f"{directory / 'tmp'}/"),
            user_files=escape(f"{directory / 'user_files'}/"),
            backups=escape(f"{directory / 'backups'}/"),
        )
    )
    return path
