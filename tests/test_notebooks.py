"""The chapters run from top to bottom, are the same in both languages, and check what they ask."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
SOLUTIONS = sorted(NOTEBOOKS.glob("*/solutions/*.ipynb"))
STUDENTS = [path.parents[1] / path.name for path in SOLUTIONS]
OTHERS = sorted(set(NOTEBOOKS.glob("*/*.ipynb")) - set(STUDENTS))
ALL = [*SOLUTIONS, *STUDENTS, *OTHERS]


def name(path):
    return path.relative_to(NOTEBOOKS).as_posix()


def code(path):
    return [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


def nbval(path, folder, strict):
    """The numbers of the code cells that fail under nbval, and what it said."""
    result = folder / "result.xml"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null"),
            *("--nbval" if strict else "--nbval-lax", "--nbval-current-env"),
            f"--nbval-sanitize-with={Path(__file__).with_name('nbval.cfg')}",
            *("--nbval-cell-timeout=120", f"--junitxml={result}", f"--rootdir={path.parent}"),
            str(path),
        ],
        capture_output=True,
        text=True,
    )
    cases = list(ElementTree.parse(result).iter("testcase"))
    assert len(cases) == len(code(path)), done.stdout[-3000:]
    failed = {
        int(re.search(r"Cell (\d+)", case.get("name"))[1])
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    }
    return failed, done.stdout


def checks(path):
    return {i for i, c in enumerate(code(path)) if "exercise-check" in c.metadata.get("tags", [])}


def test_there_are_notebooks_in_both_languages():
    names = [{p.name for p in ALL if p.parent.name == lang} for lang in ("en", "zh")]
    assert names[0] == names[1] and "welcome.ipynb" in names[0]


@pytest.mark.notebook
@pytest.mark.parametrize("path", [*SOLUTIONS, *OTHERS], ids=name)
def test_every_cell_gives_the_output_that_is_saved(path, tmp_path):
    failed, said = nbval(path, tmp_path, strict=True)
    assert not failed, said[-6000:]


@pytest.mark.notebook
@pytest.mark.parametrize("path", STUDENTS, ids=name)
def test_a_students_notebook_fails_in_exactly_its_check_cells(path, tmp_path):
    failed, said = nbval(path, tmp_path, strict=False)
    assert failed == checks(path) and failed, said[-6000:]


@pytest.mark.parametrize("solution", SOLUTIONS, ids=name)
def test_the_students_notebook_is_made_from_the_solution(solution):
    from labtorch.cli.students import student

    made = student(nbformat.read(solution, 4))
    assert nbformat.read(solution.parents[1] / solution.name, 4) == made


@pytest.mark.parametrize(
    "english", [p for p in (*SOLUTIONS, *OTHERS) if name(p).startswith("en/")], ids=name
)
def test_both_languages_have_the_same_code(english):
    chinese = NOTEBOOKS / "zh" / english.relative_to(NOTEBOOKS / "en")
    pairs = [[(c.source, c.metadata.get("tags")) for c in code(p)] for p in (english, chinese)]
    assert pairs[0] == pairs[1]


@pytest.mark.parametrize("path", ALL, ids=name)
def test_a_saved_notebook_is_small_and_holds_no_widget_state(path):
    notebook = nbformat.read(path, 4)
    assert "widgets" not in notebook.metadata
    assert path.stat().st_size < 1_000_000


@pytest.mark.parametrize("path", [*SOLUTIONS, *OTHERS], ids=name)
def test_no_output_names_a_place_on_this_machine(path):
    text = path.read_text()
    assert not re.search(r"/(home|root|tmp|Users)/", text)


@pytest.mark.parametrize("path", [*SOLUTIONS, *OTHERS], ids=name)
def test_what_is_to_be_bold_is_bold(path):
    """In `**猜：**先` Markdown takes the second `**` for an opening one; `**猜**：先` is bold."""
    mistune = pytest.importorskip("mistune")
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "markdown":
            html = re.sub(r"<code>.*?</code>|\$.*?\$", "", mistune.html(cell.source), flags=re.S)
            assert "**" not in html, re.search(r".{0,20}\*\*.{0,20}", html)[0]


@pytest.mark.parametrize("path", [*SOLUTIONS, *OTHERS], ids=name)
def test_links_lead_to_notebooks_that_exist(path):
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\(([^)#:]+\.ipynb)\)", cell.source):
                assert (path.parent / target).is_file() or (
                    path.parent.parent / target
                ).is_file(), target


@pytest.mark.browser
@pytest.mark.parametrize("path", [*SOLUTIONS, *OTHERS], ids=name)
def test_a_notebook_runs_in_a_browser_without_a_complaint(path, open_notebook):
    notebook = open_notebook(path)
    notebook.run_all()
    assert notebook.errors == []
    assert notebook.page.locator(".lt-view").count() >= 1 or "lab." not in path.read_text()
    assert notebook.console == []
