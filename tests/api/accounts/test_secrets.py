"""The one secret of an installation."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api.accounts.secrets import SecretMissingError, Secrets
from api.settings import ApiSettings


def test_without_one_it_is_drawn_once_and_kept_for_its_owner_alone(
    account_settings: ApiSettings, tmp_path: Path
) -> None:
    directory = tmp_path / "new" / "data"
    settings = account_settings.model_copy(update={"secret_key": None, "data_dir": directory})
    with ThreadPoolExecutor(8) as pool:
        made = [Secrets(settings) for _ in range(32)]
        tokens = set(pool.map(Secrets.csrf_token, made, [1] * 32))
    assert len(tokens) == 1
    (file,) = directory.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_bytes()) == 40


def test_what_another_secret_encrypted_cannot_be_read(account_settings: ApiSettings) -> None:
    other = account_settings.model_copy(update={"secret_key": type(account_settings.redis_url)("t" * 40)})
    stored = Secrets(account_settings).encrypt("JBSWY3DP", "second factors")
    assert (
        Secrets(account_settings).decrypt(stored, "second factors"),
        Secrets(other).decrypt(stored, "second factors"),
    ) == ("JBSWY3DP", None)


@pytest.mark.parametrize("kept", [b"", b"short"])
def test_a_secret_that_is_none_is_refused(account_settings: ApiSettings, tmp_path: Path, kept: bytes) -> None:
    (tmp_path / "api-secret-key").write_bytes(kept)
    settings = account_settings.model_copy(update={"secret_key": None, "data_dir": tmp_path})
    with pytest.raises(SecretMissingError, match="api-secret-key"):
        Secrets(settings).csrf_token(1)
