"""A real JupyterLab and a real Chromium, driven from tests.

One server and one browser serve a whole test session; every test opens its own notebook in its own
page. Lab's settings, data and runtime folders are temporary, so that nobody's own set-up is read or
changed, and the server asks the network for nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "apputils-extension/themes": {"theme": "JupyterLab Light"},
    "notebook-extension/tracker": {"windowingMode": "none"},  # all cells in the DOM
    "docmanager-extension/plugin": {"autosave": False},
}
ROOT = Path(__file__).resolve().parents[1]


def chromium() -> str | None:
    """The browser to use: $CHROMIUM, or the one on the path."""
    names = [os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"]
    return next((found for name in names if name and (found := shutil.which(name))), None)


class Lab:
    """A running JupyterLab whose root is `folder`."""

    token = "classroom"

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder / "notebooks", folder / "home"
        self.folder.mkdir(parents=True)
        for name, values in SETTINGS.items():
            file = self.home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(values))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        folders = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "IPYTHONDIR": "ipython",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        }
        environment = os.environ | {k: str(self.home / v) for k, v in folders.items()}
        environment |= {"JUPYTER_PREFER_ENV_PATH": "1", "ANYWIDGET_HMR": "0"}
        # cells may use what stands beside the tests
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        self.log = (self.home / "lab.log").open("w")
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                *("--ip=127.0.0.1", f"--port={self.port}", "--ServerApp.port_retries=0"),
                f"--IdentityProvider.token={self.token}",
                f"--ServerApp.root_dir={self.folder}",
                "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
                "--LabApp.news_url=",
                "--LabApp.extension_manager=readonly",
                "--LabApp.expose_app_in_browser=True",
            ],
            env=environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        self._await_start()

    def _await_start(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                self._ask("api/status")
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    log = (self.home / "lab.log").read_text()[-3000:]
                    raise RuntimeError(f"JupyterLab did not start:\n{log}") from None
                time.sleep(0.1)

    def _ask(self, path: str, method: str = "GET") -> bytes:
        url = f"http://127.0.0.1:{self.port}/{path}?token={self.token}"
        request = urllib.request.Request(url, method=method)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.read()

    def url(self, notebook: str) -> str:
        return f"http://127.0.0.1:{self.port}/doc/tree/{notebook}?token={self.token}&reset"

    def end_kernels(self, folder: str = "") -> None:
        """End the kernels of the notebooks in `folder`: what they train must not slow the next."""
        for session in json.loads(self._ask("api/sessions")):
            if session["path"].startswith(f"{folder}/" if folder else ""):
                with contextlib.suppress(OSError):  # it is gone already
                    self._ask(f"api/sessions/{session['id']}", "DELETE")

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._ask("api/shutdown", "POST")  # ends the kernels, too
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Notebook:
    """One notebook, open in a page of the browser."""

    def __init__(self, lab: Lab, page: Any, name: str) -> None:
        self.lab, self.page, self.name = lab, page, name
        self.console: list[str] = []
        page.on("console", lambda m: m.type == "error" and self.console.append(m.text))
        page.on("pageerror", lambda error: self.console.append(str(error)))
        page.goto(lab.url(name))
        page.wait_for_function(
            """() => {
                const panel = window.jupyterapp?.shell?.currentWidget;
                const kernel = panel?.sessionContext?.session?.kernel;
                return panel?.context?.isReady && kernel?.connectionStatus === "connected"
                    && kernel.status === "idle";
            }""",
            timeout=60_000,
        )
        self.console.clear()  # what Lab itself complains of while it starts is not ours

    def run_all(self, timeout: float = 120) -> None:
        """Run every cell and wait until the last has finished."""
        self.page.set_default_timeout(timeout * 1000)
        self.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")

    def run(self, code: str, timeout: float = 30) -> str:
        """Run code in the kernel, beside the cells; what it printed."""
        self.page.set_default_timeout(timeout * 1000)
        return self.page.evaluate(
            """async (code) => {
                const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
                const future = kernel.requestExecute({ code, store_history: false });
                let text = "";
                future.onIOPub = (message) => {
                    if (message.header.msg_type === "stream") text += message.content.text;
                    if (message.header.msg_type === "error")
                        text += message.content.ename + ": " + message.content.evalue;
                };
                await future.done;
                return text;
            }""",
            code,
        )

    @property
    def errors(self) -> list[str]:
        """Errors in the outputs of cells: 'number: name: message'."""
        return self.page.evaluate(
            """() => window.jupyterapp.shell.currentWidget.content.widgets.flatMap((cell, i) =>
                cell.model.type !== "code" ? [] : cell.model.sharedModel.getOutputs()
                    .filter((output) => output.output_type === "error")
                    .map((output) => `${i}: ${output.ename}: ${output.evalue}`))"""
        )

    def theme(self, name: str) -> None:
        """Switch to "light" or "dark"."""
        title = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}[name]
        self.page.evaluate(
            "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })",
            title,
        )
        self.page.wait_for_function(
            "(light) => document.body.dataset.jpThemeLight === light",
            arg=str(name == "light").lower(),
        )
        self.page.wait_for_timeout(300)  # the new style sheet is drawn

    def screenshot(self, name: str, selector: str | None = None) -> None:
        """Keep a picture in $LABTORCH_SCREENSHOTS, for people to look at."""
        folder = os.environ.get("LABTORCH_SCREENSHOTS")
        if not folder:
            return
        Path(folder).mkdir(parents=True, exist_ok=True)
        target = self.page.locator(selector).first if selector else self.page
        target.screenshot(path=str(Path(folder) / f"{name}.png"))


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        instance = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)
        try:
            yield instance
        finally:
            instance.close()


def write_notebook(path: Path, cells: list[str]) -> None:
    """A notebook with these code cells."""
    import nbformat

    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in cells],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        },
    )
    nbformat.write(notebook, path)
