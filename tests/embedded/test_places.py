"""Folders in a temporary area, where anybody may have been first."""

from pathlib import Path

import pytest

from embedded.places import UnsafeFolder, private_folder, service_home

pytestmark = pytest.mark.process


def test_it_works(tmp_path: Path) -> None:
    folder = private_folder(tmp_path / "ours")

    assert folder.stat().st_mode & 0o777 == 0o711
    assert private_folder(folder) == folder


def test_a_link_that_somebody_laid_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o711)
    (tmp_path / "ours").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(UnsafeFolder, match="only you can write to"):
        private_folder(tmp_path / "ours")


def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours").chmod(0o777)

    with pytest.raises(UnsafeFolder, match="only you can write to"):
        private_folder(tmp_path / "ours")


def test_a_clone_always_has_the_same_folder(tmp_path: Path) -> None:
    home = service_home(tmp_path)

    assert service_home(tmp_path) == home
    home.rmdir()
