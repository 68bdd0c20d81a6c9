"""Modules that become one script."""

import pytest

from kpnviz.lens.linker import exported, linked
from kpnviz.lens.page import SCRIPTS
from kpnviz.paths import ROOT

ENTRIES = [
    SCRIPTS / "page.js",
    ROOT / "kpnviz/ui/kernel_lens/host.js",
    ROOT / "kpnviz/ui/scene_picker/picker.js",
]


def written(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.js").write_text(text)
    return folder / "entry.js"


@pytest.mark.browser
def test_a_script_does_what_its_modules_do(tmp_path, chromium):
    (tmp_path / "text.html").write_text('<p>"a"</p>\n</script>\\n')
    entry = written(
        tmp_path,
        one='export const LIST = [];\nconst hidden = 1;\nexport function add(x) {\n  LIST.push(x + hidden);\n}\nadd("one");\n',  # noqa: E501
        two='import { LIST, add } from "./one.js";\nconst hidden = 2;\nexport class Two {}\nadd("two");\n'
        "export async function last() {\n  return LIST.at(-1) + hidden;\n}\n",
        entry='import {\n  last,\n  Two,\n} from "./two.js";\nimport { LIST } from "./one.js";\nimport TEXT from "./text.html";\n'  # noqa: E501
        "export default async function () {\n  return [LIST, await last(), new Two().constructor.name, TEXT];\n}\n",
    )
    text = linked(entry)
    assert "</script" not in text  # it would end the script of an HTML page
    page = chromium.new_page()
    run = "(text) => import(URL.createObjectURL(new Blob([text], { type: 'text/javascript' }))).then((m) => m.default())"  # noqa: E501
    assert page.evaluate(run, text) == [["one1", "two1"], "two12", "Two", '<p>"a"</p>\n</script>\\n']
    page.close()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (dict(entry='import { a } from "./none.js";'), "there is no file .*none.js"),
        (dict(entry='import { a, b } from "./one.js";', one="export const a = 1;"), "imports b from one.js"),
        (dict(entry='import * as one from "./one.js";', one="export const a = 1;"), "entry.js: .*import \\* as one"),
        (dict(entry='import { a as b } from "./one.js";', one="export const a = 1;"), "imports as from one.js"),
        (dict(entry='import { a } from "./one.js";', one="export let a = 1;"), "one.js.* does not export it|export let"),  # noqa: E501
        (dict(entry='const one = await import("./one.js");', one=""), "import\\("),
        (dict(entry='import { a } from "./one.js";', one="export const a = 1;\nexport default a;"), "export default a"),
        (
            dict(entry='import { a } from "./one.js";', one='import { b } from "./two.js";\nexport const a = 1;',
                 two='import { a } from "./one.js";\nexport const b = 1;'),
            "circle: one.js imports two.js imports one.js",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_linked_is_said(tmp_path, files, said):
    with pytest.raises(ValueError, match=said):
        linked(written(tmp_path, **files))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda path: path.name)
def test_our_scripts_can_be_linked(entry):
    text = linked(entry)
    assert "\nimport " not in text and text.count("\nexport ") == (entry.name != "page.js")


def test_no_module_of_the_lens_is_long():
    """A file that one can read at a sitting; shown.js is what all others stand on."""
    lengths = {path.name: len(path.read_text().splitlines()) for path in SCRIPTS.glob("*.js")}
    assert {name for name, length in lengths.items() if length > 330} <= {"shown.js"}


def test_names_that_are_exported():
    text = (
        "export const A = 1;\nexport class B {}\nexport async function c() {}\nconst d = 'export const E';\n"
    )
    assert exported(text) == {"A", "B", "c"}
