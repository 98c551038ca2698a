"""Take the pictures of the gallery: every view, in both themes and languages.

    python widgets/gallery/make.py [scene ...] [--folder FOLDER]

Needs Chromium and the extras `lab` and `test`. Each scene of `scenes/` runs in a JupyterLab and is
arranged by its own script; the pictures go to `pictures/` (or FOLDER) and the pages that show them
are written anew. A scene has TITLE and TEXT by language, CELLS (the last one's result is the view)
and `arrange(page)`, which does what a person would to show the view at its best.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from tests import lab_harness  # noqa: E402

THEMES, LANGUAGES = ("light", "dark"), ("en", "zh")
WIDTH, HEIGHT = 1280, 1900
OUTPUT = ".jp-OutputArea-output:has(.lt-view)"
HEADS = {
    "en": ("Gallery", "Every view of the lab, as it looks in JupyterLab. {other}", "[中文](zh.md)"),
    "zh": ("画廊", "实验室的每一个视图，在 JupyterLab 中的样子。{other}", "[English](README.md)"),
}
PAGES = {"en": "README.md", "zh": "zh.md"}
MADE = {
    "en": "The pictures and this page are made by `python widgets/gallery/make.py`.",
    "zh": "图片和本页由 `python widgets/gallery/make.py` 生成。",
}


def scenes() -> dict[str, ModuleType]:
    """The scripts of `scenes/`, by name."""
    found = {}
    for path in sorted(HERE.glob("scenes/*.py")):
        spec = importlib.util.spec_from_file_location(f"scene_{path.stem}", path)
        assert spec is not None and spec.loader is not None
        found[path.stem] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found[path.stem])
    return found


def shoot(scene: ModuleType, name: str, lab: Any, browser: Any, folder: Path) -> None:
    """One scene in both languages; the theme is switched while it is open."""
    for language in LANGUAGES:
        speak = f'import labtorch_widgets as lab\nlab.language("{language}");'
        file = f"{name}-{language}.ipynb"
        lab_harness.write_notebook(lab.folder / file, [speak, *scene.CELLS])
        context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
        notebook = lab_harness.Notebook(lab, context.new_page(), file)
        notebook.run_all(timeout=60)
        notebook.page.wait_for_selector(OUTPUT)
        scene.arrange(notebook.page)
        if notebook.errors or notebook.console:
            raise SystemExit(f"{name}: {notebook.errors} {notebook.console}")
        for theme in THEMES:
            notebook.theme(theme)
            notebook.page.mouse.move(2, 2)
            notebook.page.wait_for_timeout(400)
            picture = notebook.page.locator(OUTPUT).last.screenshot()
            save(picture, folder / f"{name}-{language}-{theme}.webp")
        notebook.theme("light")
        context.close()
        lab.end_kernels()


def save(png: bytes, path: Path) -> None:
    """As WebP: flat colours take a quarter of the room that PNG needs."""
    from PIL import Image  # comes with matplotlib

    Image.open(io.BytesIO(png)).convert("RGB").save(path, "WEBP", quality=82, method=6)


def write_page(found: dict[str, ModuleType], language: str) -> None:
    """The page of one language; GitHub shows the picture that fits the reader's theme."""
    title, text, other = HEADS[language]
    lines = [f"# {title}", "", text.format(other=other), "", MADE[language], ""]
    for name, scene in found.items():
        source = f"pictures/{name}-{language}"
        lines += [
            f"## {scene.TITLE[language]}",
            "",
            scene.TEXT[language],
            "",
            "<picture>",
            f'<source media="(prefers-color-scheme: dark)" srcset="{source}-dark.webp">',
            f'<img alt="{scene.TITLE[language]}" src="{source}-light.webp">',
            "</picture>",
            "",
        ]
    (HERE / PAGES[language]).write_text("\n".join(lines), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scenes", nargs="*", help="names in scenes/; all by default")
    parser.add_argument("--folder", type=Path, default=HERE / "pictures")
    options = parser.parse_args()
    found = scenes()
    if unknown := set(options.scenes) - set(found):
        parser.error(f"no scene {', '.join(sorted(unknown))}; there are {', '.join(found)}")
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, lab_harness.browser() as browser:
        lab = lab_harness.Lab(Path(home) / "lab")
        try:
            for name in options.scenes or found:
                print(name, flush=True)
                shoot(found[name], name, lab, browser, options.folder)
        finally:
            lab.close()
    for language in LANGUAGES:
        write_page(found, language)


if __name__ == "__main__":
    main()
