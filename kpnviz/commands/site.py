"""The command `kpnviz site`: the site without a server, as a folder for any web server or as one HTML file."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kpnviz.commands.burst import command
from kpnviz.commands.options import WrongOptionError
from kpnviz.commands.terminal import say


def add_command(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    site = command(
        commands,
        "site",
        "write the explorer as a static site, which computes in the visitor's browser",
        "  kpnviz site -o public                        # all networks and photos\n"
        "  kpnviz site -o public --models kpn-l5 mkpn --photos dog flowers\n"
        "  python -m http.server --directory public     # see it at http://localhost:8000",
    )
    site.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder to write")
    site.add_argument(
        "--models", nargs="+", metavar="NAME", help="networks of the site (all that are trained)"
    )
    site.add_argument("--photos", nargs="+", metavar="NAME", help="photos of the gallery (all)")
    site.add_argument("--json", action="store_true", help="print what was written as JSON")
    site.set_defaults(run=_site)


def chosen(
    models: Sequence[str] | None, photos: Sequence[str] | None, option: str = "models"
) -> tuple[list[str], list[str]]:
    """Networks and photos by their names, None being all; WrongOptionError for one that there is not."""
    from kpnviz.models.checkpoints import available
    from kpnviz.photos import gallery

    lists = []
    for name, given, there in ((option, models, available()), ("photos", photos, gallery())):
        for one in given or ():
            if one not in there:
                raise WrongOptionError(f"--{name}: there is no {one!r}; choose among {', '.join(there)}")
        lists.append(list(dict.fromkeys(given or there)))
    return lists[0], lists[1]


def offer() -> dict[str, Any]:
    """What the controls of the site offer: the same as the app's."""
    import dataclasses

    from kpnviz.lens.payload import COMPARE, DISPLAY, LOOKS, MODES
    from kpnviz.photos import gallery, read_scene
    from kpnviz.ui import choices

    def as_link(name: str) -> str:
        return {"±2": "small", choices.BY_HAND: "hand"}.get(name, name)

    return {
        "methods": choices.default_methods(),
        "most_methods": choices.MAX_METHODS,
        "sized": list(choices.SIZED),
        "crops": list(choices.CROPS),
        "most_gain": choices.MAX_GAIN,
        "most_seed": choices.MAX_SEED,
        "most_frames": choices.MAX_FRAMES,
        "most_shift": choices.MAX_SHIFT,
        "reduction": choices.REDUCTION,
        "reduced": read_scene(gallery()[0], choices.REDUCTION).shape[0],
        "moving": {photo: dataclasses.asdict(choices.moving_object(photo, 1)) for photo in gallery()},
        "shakes": {as_link(name): dataclasses.asdict(one) for name, one in choices.SHAKES.items()},
        "shake_titles": {as_link(name): title for name, title in choices.SHAKE_TITLES.items()},
        "matrix": {"gains": list(choices.MATRIX_GAINS), "crop": choices.MATRIX_CROP},
        "camera": choices.MAX_CAMERA,
        "results": {
            name: {"start": str(start), "options": list(options)}
            for name, (start, options) in choices.OF_RESULTS.items()
        },
        "camera_titles": {name: list(titles) for name, titles in choices.CAMERA_TITLES.items()},
        "helps": {name: text.replace("*", "") for name, text in choices.HELPS.items()},
        "display": DISPLAY,
        "display_choices": {
            "mode": list(MODES),
            "compare": list(COMPARE),
            "look": list(LOOKS),
        },
        "kernel_views": list(choices.KERNEL_VIEWS),
        "version": "2",
    }


def _site(options: argparse.Namespace) -> int:
    models, photos = chosen(options.models, options.photos)
    if options.output.exists() and not options.output.is_dir():
        raise WrongOptionError(f"--output: {options.output} is a file; the site is a folder")
    from kpnviz.site.building import site_files, write_site

    files = site_files(models, photos, offer())
    size = write_site(options.output, files)
    if options.json:
        report = {"output": str(options.output), "models": models, "photos": photos, "bytes": size}
        print(json.dumps(report, indent=2))
    else:
        say(
            f"wrote {options.output}: {len(files)} files, {size / 1e6:.1f} MB; open its index.html through a web server"
        )
    return 0
