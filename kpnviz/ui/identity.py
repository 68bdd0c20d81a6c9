"""What this software is, at the foot of every page: name, papers, authors, version, license, source, how to cite it."""

from __future__ import annotations

import html

import streamlit as st

import kpnviz
from kpnviz.lens.scene import scene

AUTHORS = "The kpnviz authors"
LICENSE = "MIT"

_STYLE = """<style>
.identity { margin-top: 2rem; padding-top: 0.7rem; font-size: 0.8rem; line-height: 1.5; opacity: 0.8;
  border-top: 1px solid color-mix(in srgb, currentColor 18%, transparent); }
.identity a { color: inherit; }
.identity summary { cursor: pointer; width: fit-content; text-decoration: underline; }
.identity pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 0.75rem; margin: 0.4rem 0; padding: 0.6rem;
  background: color-mix(in srgb, currentColor 6%, transparent); border-radius: 0.35rem; }
</style>"""


def footer() -> None:
    """Draw it, small."""
    about = scene()
    papers = " · ".join(
        f'<a href="{paper["url"]}" target="_blank" rel="noopener">{html.escape(paper["title"])}</a> '
        f"({html.escape(paper['authors'])}, {paper['venue']} {paper['year']})"
        for paper in about["papers"].values()
    )
    source = f'<a href="{about["source"]}" target="_blank" rel="noopener">source</a>'
    st.html(
        f"{_STYLE}<footer class='identity'><b>{about['name']}</b> {kpnviz.__version__}. "
        f"{html.escape(about['sentence'])} {AUTHORS} · {LICENSE} license · {source}<br>Papers: {papers}"
        f"<details><summary>How to cite</summary><pre>{html.escape(citation())}</pre></details></footer>"
    )


def citation() -> str:
    """BibTeX of this software and of the papers whose networks it shows."""
    about = scene()
    title = f"{about['name']}: see inside kernel prediction networks for burst denoising"
    entries = [
        f"@software{{kpnviz,\n  title = {{{title}}},\n"
        f"  author = {{{{{AUTHORS}}}}},\n  version = {{{kpnviz.__version__}}},\n  url = {{{about['source']}}}\n}}"
    ]
    for key, paper in about["papers"].items():
        authors = paper["authors"].replace(" and ", ", ").replace(", ", " and ")
        entries.append(
            f"@inproceedings{{{key}{paper['year']},\n  title = {{{paper['title']}}},\n  author = {{{authors}}},\n"
            f"  booktitle = {{{paper['venue']}}},\n  year = {{{paper['year']}}},\n  url = {{{paper['url']}}}\n}}"
        )
    return "\n\n".join(entries)
