"""Manipulations of a stranger's .git that try to make a reader hang or read elsewhere.

Each function changes the git directory `meta`; `outside` is a folder outside the repository that it may use.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.support.frozen import git


def head_fifo(meta: Path, outside: Path) -> None:
    (meta / "HEAD").unlink()
    os.mkfifo(meta / "HEAD")


def head_link(meta: Path, outside: Path) -> None:
    (meta / "HEAD").unlink()
    (meta / "HEAD").symlink_to("/dev/zero")


def config_fifo(meta: Path, outside: Path) -> None:
    (meta / "config").unlink()
    os.mkfifo(meta / "config")


def config_include(meta: Path, outside: Path) -> None:
    os.mkfifo(meta / "pipe")
    (meta / "config").write_text(f'[include]\n\tpath = {meta}/pipe\n[includeIf "gitdir:/"]\n\tpath = /dev/zero\n')


def alternates(meta: Path, outside: Path) -> None:
    git(outside.parent, "init", "-q", outside.parent / "private")
    shutil.move(meta / "objects", outside.parent / "private/.git/there")
    (meta / "objects/info").mkdir(parents=True)
    (meta / "objects/info/alternates").write_text(f"{outside.parent}/private/.git/there\n")


def linked_objects(meta: Path, outside: Path) -> None:
    shutil.move(meta / "objects", outside.parent / "there")
    (meta / "objects").symlink_to(outside.parent / "there")


def object_pipe(meta: Path, outside: Path) -> None:
    path = next(p for p in (meta / "objects").glob("??/*") if p.is_file())
    path.unlink()
    os.mkfifo(path)


def object_zero(meta: Path, outside: Path) -> None:
    path = next(p for p in (meta / "objects").glob("??/*") if p.is_file())
    path.unlink()
    path.symlink_to("/dev/zero")


def ref_pipe(meta: Path, outside: Path) -> None:
    os.mkfifo(meta / "refs/heads/pipe")


def packed_zero(meta: Path, outside: Path) -> None:
    (meta / "packed-refs").unlink(missing_ok=True)
    (meta / "packed-refs").symlink_to("/dev/zero")


def git_file(meta: Path, outside: Path) -> None:
    shutil.move(meta, outside.parent / "elsewhere.git")
    meta.write_text(f"gitdir: {outside.parent}/elsewhere.git\n")


def git_link(meta: Path, outside: Path) -> None:
    shutil.move(meta, outside.parent / "elsewhere.git")
    meta.symlink_to(outside.parent / "elsewhere.git")


def git_pipe(meta: Path, outside: Path) -> None:
    shutil.move(meta, outside.parent / "elsewhere.git")
    os.mkfifo(meta)


def common_dir(meta: Path, outside: Path) -> None:
    shutil.copytree(meta, outside.parent / "common.git")
    shutil.rmtree(meta / "objects")
    (meta / "objects").mkdir()
    (meta / "commondir").write_text(f"{outside.parent}/common.git\n")


TRICKS = (
    head_fifo,
    head_link,
    alternates,
    linked_objects,
    object_pipe,
    object_zero,
    ref_pipe,
    packed_zero,
    git_file,
    git_link,
    git_pipe,
    common_dir,
)
UNREAD = (config_fifo, config_include)  # a reader of ours must not open these files at all
