"""For mkdocs: pages that are files of the repository outside of docs/, and links that lead to them."""

import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
PAGES = {"index.md": "README.md", "extending.md": "CONTRIBUTING.md", "examples.md": "examples/README.md"}
LINK = re.compile(r"\]\(([^)#\s]*)(#[^)]*)?\)")
NOWHERE = ("LICENSE", "NOTICE")  # no pages: named, without a link
FOLDERS = {"docs/decisions": "decisions/0001-sum-memory.md"}


def on_files(files, config):
    for page, source in PAGES.items():
        files.append(File.generated(config, page, content=_linked((ROOT / source).read_text(encoding="utf-8"), source)))
    return files


def on_page_markdown(markdown, page, config, files):
    if page.file.src_uri in PAGES:
        return markdown
    return _linked(markdown, f"docs/{page.file.src_uri}")


def _linked(text: str, source: str) -> str:
    """`text` of the file `source`, with links to files of the repository as links to their pages."""
    here = (ROOT / source).parent
    depth = 0 if source in PAGES.values() else len(Path(source).parts) - 2
    shown = {(ROOT / path).resolve(): page for page, path in PAGES.items()}

    def link(match: re.Match) -> str:
        target, anchor = match[1], match[2] or ""
        if not target or ":" in target:
            return match[0]
        path = (here / target).resolve()
        if path.name in NOWHERE:
            return "]"
        if str(path.relative_to(ROOT)) in FOLDERS:
            return f"]({FOLDERS[str(path.relative_to(ROOT))]})"
        if path in shown:
            return f"]({'../' * depth}{shown[path]}{anchor})"
        if path.is_relative_to(ROOT / "docs"):
            return f"]({'../' * depth}{path.relative_to(ROOT / 'docs')}{anchor})"
        return match[0]

    return LINK.sub(link, text)
