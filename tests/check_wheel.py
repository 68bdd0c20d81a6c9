"""Is a wheel what a package index should get? `make wheel` builds one and runs this: check_wheel.py WHEEL."""

import importlib.metadata
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

USE_IT = """
import kpnviz, kpnviz.paths
assert kpnviz.__file__.startswith({place!r}), kpnviz.__file__
burst = kpnviz.synthesize(kpnviz.BurstRecipe("dog", crop=(60, 60, 48, 48), noise=kpnviz.NoiseModel.for_gain(4)))
denoisers = {{name: kpnviz.load(name) for name in kpnviz.available()}}
estimate = denoisers["mkpn"](burst)
assert kpnviz.psnr(estimate.image, burst.truth) > kpnviz.psnr(burst.reference, burst.truth)
print("kpnviz", kpnviz.__version__, "runs from the wheel,", len(denoisers), "networks")
"""


def files_in(folder: Path) -> set[str]:
    """Paths of the files in a folder, as seen from there, without compiled ones."""
    files = (p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    return {str(p) for p in files if "__pycache__" not in p.parts}


def expected_files() -> set[str]:
    """What the repository has for a wheel: the package, and in its folder _bundle the app's pages and the networks."""
    package = {f"kpnviz/{name}" for name in files_in(ROOT / "kpnviz")}
    folders = {
        f"{top}/{name}" for top in ("app_pages", "checkpoints", ".streamlit") for name in files_in(ROOT / top)
    }
    return package | {f"kpnviz/_bundle/{name}" for name in folders | {"app.py"}}


def problems(wheel: Path, place: Path) -> list[str]:
    """What is wrong with a wheel that is unpacked in `place`, a sentence each."""
    (info,) = place.glob("kpnviz-*.dist-info")
    files = {name for name in files_in(place) if not name.startswith(info.name)}
    found = [f"{wheel.name} lacks {name}" for name in sorted(expected_files() - files)]
    found += [
        f"{wheel.name} holds {name}, which the repository has not"
        for name in sorted(files - expected_files())
    ]

    metadata = importlib.metadata.PathDistribution(info).metadata
    found += [
        f"{wheel.name}: no {key} in its metadata"
        for key in (
            "Author",
            "Classifier",
            "Description",
            "Keywords",
            "License-Expression",
            "Project-URL",
            "Version",
        )
        if not metadata.get_all(key)
    ]
    links = re.findall(r"\]\(([^)]*)\)", metadata["Description"])
    found += [
        f"{wheel.name}: a link of the README to {link!r}, which an index cannot follow"
        for link in links
        if not link.startswith("https://")
    ]
    return found


def second_copies() -> list[str]:
    """Files of the wheel's bundle that an editable install of this environment holds beside the repository's own."""
    return [
        f"the editable install holds a second copy: {file}"
        for installed in importlib.metadata.distributions(name="kpnviz")
        if '"editable": true' in (installed.read_text("direct_url.json") or "")
        for file in installed.files or []
        if "_bundle" in file.parts
    ]


def main(wheel: Path) -> int:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder).resolve()
        zipfile.ZipFile(wheel).extractall(place)
        found = problems(wheel, place) + second_copies()
        if found:
            print("\n".join(found), file=sys.stderr)
            return 1
        code = USE_IT.format(place=str(place))
        environment = {**os.environ, "PYTHONPATH": str(place)}
        return subprocess.run(
            [sys.executable, "-c", code], cwd=place, env=environment, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
