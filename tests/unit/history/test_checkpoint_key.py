"""The file of the key that signs checkpoints: what is wrong with it is named before anything starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oddsengine.history.settings import HistorySettings
from oddsengine.history.verification.checkpoints import generate_key
from oddsengine.runtime.archiving.checkpoint_key import is_exposed, load_checkpoint_key

if TYPE_CHECKING:
    from pathlib import Path


def test_a_key_that_is_missing_wrong_or_exposed_is_named(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    settings = HistorySettings(checkpoint_key=str(file))
    with pytest.raises(ValueError, match=rf"history\.checkpoint_key: {file}: No such file"):
        load_checkpoint_key(settings)
    public = generate_key(file)
    assert load_checkpoint_key(settings) is not None
    assert not is_exposed(settings)
    file.chmod(0o644)
    assert is_exposed(settings)
    with pytest.raises(ValueError, match=rf"history\.checkpoint_key: {public}: is no private key"):
        load_checkpoint_key(HistorySettings(checkpoint_key=str(public)))
    assert (None, False) == (load_checkpoint_key(HistorySettings()), is_exposed(HistorySettings()))
