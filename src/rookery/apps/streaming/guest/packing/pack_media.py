"""Packs films and music for streaming over HTTP, after generating them where none are given.

    python3 pack_media.py --out OUT [--media FOLDER]
    python3 pack_media.py --look --media FOLDER

OUT belongs to this program: it is emptied first. OUT/index.json comes last, so a run that was ended early
leaves none. With --look nothing is packed: what would be in the way, and what will be shown otherwise than it
came, is told as JSON. Exit status 2 says that FOLDER, or a file in it, cannot be published, and 1 that ffmpeg
failed; each such file is named.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rookery.apps.streaming.guest.packing.ladder import arguments, master, poster_arguments, rungs, sounds
    from rookery.apps.streaming.guest.packing.sources import (
        Source,
        SourceError,
        from_folder,
        generated,
        look,
        remarks,
    )
else:  # on a server, these files lie side by side in a folder that is no package
    from ladder import arguments, master, poster_arguments, rungs, sounds
    from sources import Source, SourceError, from_folder, generated, look, remarks


class PackingError(Exception):
    """ffmpeg could not make a title; the text says which, and ffmpeg's reason."""


def pack(source: Source, folder: Path) -> dict[str, Any]:
    """Make a title's files in `folder`, and return what the index says of it."""
    sizes = rungs(source.picture) if source.picture else []
    for name in [rung.name for rung in sizes] + list(sounds(source)):
        (folder / name).mkdir(parents=True)
    name = source.file or source.name
    run(arguments(source, folder), source.draws, name=name)
    if source.cover is not None:
        _make_poster(source.cover, folder, name)
    text, renditions, seconds = master(source, folder)
    (folder / "master.m3u8").write_text(text, encoding="utf-8")
    return {
        "id": source.id,
        "name": source.name,
        "kind": "video" if source.picture else "audio",
        "seconds": seconds,
        "master": f"{source.id}/master.m3u8",
        "poster": f"{source.id}/poster.jpg",
        "renditions": renditions,
        "note": source.note,
    }


def _make_poster(cover: Source, folder: Path, name: str) -> None:
    """Make the poster of a title without a picture; for a cover that cannot be shown there is another."""
    try:
        run(poster_arguments(cover, folder), cover.draws, name=name)
    except PackingError:
        if cover.cover is None:
            raise
        _make_poster(cover.cover, folder, name)


def run(command: Sequence[str], draws: Sequence[str], *, name: str) -> None:
    """Run ffmpeg, reading what `draws` writes where that is given; raises PackingError."""
    if not draws:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        code, said = done.returncode, done.stderr
    else:
        # The drawing ends with a broken pipe once ffmpeg has enough; that is no error.
        with subprocess.Popen(draws, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as drawing:
            done = subprocess.run(
                [*_without_nostdin(command)],
                stdin=drawing.stdout,
                stderr=subprocess.PIPE,
                check=False,
            )
            code, said = done.returncode, done.stderr
            drawing.kill()
    if code:
        text = said.decode("utf-8", "backslashreplace")
        last = "; ".join(text.strip().splitlines()[-3:]) or "no reason given"
        raise PackingError(f"{name}: ffmpeg failed with {code}: {last}")


def _without_nostdin(command: Sequence[str]) -> list[str]:
    return [argument for argument in command if argument != "-nostdin"]


def empty(out: Path) -> None:
    """Remove what an earlier run left, its index first."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "index.json").unlink(missing_ok=True)
    for path in out.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def write_index(out: Path, titles: list[dict[str, Any]]) -> None:
    """Put the index in place at once, after everything that it names is on disk."""
    os.sync()
    unfinished = out / ".index.json.new"
    with unfinished.open("w", encoding="utf-8") as file:
        file.write(json.dumps({"titles": titles}, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(out / "index.json")


def pack_all(sources: Sequence[Source], out: Path) -> list[dict[str, Any]]:
    """Pack every title; raises PackingError with all that failed, when every one was tried."""
    titles, failed = [], []
    for number, source in enumerate(sources, 1):
        sys.stdout.write(f"{number} of {len(sources)}: {source.name}\n")
        sys.stdout.flush()
        try:
            titles.append(pack(source, out / source.id))
        except PackingError as error:
            failed.append(str(error))
    if failed:
        raise PackingError("\n".join(failed))
    return titles


def tell(folder: Path) -> None:
    """Write what a look at a folder shows, as JSON."""
    found, problems = look(folder)
    said = [remark for path, media in found for remark in remarks(path, media)]
    sys.stdout.write(json.dumps({"titles": len(found), "problems": problems, "remarks": said}) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description="Pack films and music for streaming over HTTP.")
    parser.add_argument("--out", type=Path, help="folder to fill; it is emptied first")
    parser.add_argument(
        "--media", type=Path, help="folder of films and music; without it, some are generated"
    )
    parser.add_argument("--look", action="store_true", help="tell what would be in the way, and pack nothing")
    given = parser.parse_args()
    if given.look and given.media is None:
        parser.error("--look needs --media")
    if given.look:
        tell(given.media)
        return 0
    if given.out is None:
        parser.error("--out is needed")
    try:
        sources = from_folder(given.media) if given.media else generated()
        empty(given.out)
        write_index(given.out, pack_all(sources, given.out))
    except SourceError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except PackingError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
