"""What watching with views open costs a training: the document's CNN at full speed.

    python tests/benchmarks/views.py [--seconds 8] [--rounds 3] [view ...]

The step runs unwatched, then in a training panel with a dashboard that has the named views open (by
default all that fit), in turns. The figure is the median over rounds of the time a step takes with
views over the time it takes without: 1.10 means ten per cent slower. No browser draws here; what is
measured is the kernel's side, which shares its processors with the training.
"""

from __future__ import annotations

import argparse
import time
from statistics import median
from typing import Any

import labtorch_widgets as lab
from steps import Engine, cnn, np


def unwatched(step: Any, seconds: float) -> float:
    """Seconds a step takes."""
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        step()
        count += 1
    return (time.perf_counter() - start) / count


def watched(step: Any, model: Any, views: list[str] | None, seconds: float) -> float:
    panel = lab.train(step, start=False, graph=False)
    dashboard = lab.watch(panel, views=views)
    panel.resume()
    time.sleep(0.5)
    if views is None:  # all that fit, now that a step is known
        for name in dashboard.fitting:
            dashboard.show(name)
    time.sleep(0.5)
    before, start = panel.step_count, time.perf_counter()
    time.sleep(seconds)
    taken = (time.perf_counter() - start) / (panel.step_count - before)
    panel.stop()
    print(f"  {', '.join(dashboard.opened)}: {panel.recording.dropped}")
    panel._loop.ended.wait()
    dashboard.close()
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("views", nargs="*")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    engine = Engine("labtorch")
    model, criterion, make, x, y = cnn(engine, np.random.default_rng(0))
    optimizer = make(model.parameters())

    def step() -> Any:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    ratios = []
    for _ in range(options.rounds):
        plain = unwatched(step, options.seconds)
        seen = watched(step, model, options.views or None, options.seconds)
        ratios.append(seen / plain)
        print(f"{1e3 * plain:.2f} ms, with views {1e3 * seen:.2f} ms: {ratios[-1]:.3f}", flush=True)
    print(f"cnn with views: {median(ratios):.3f}")


if __name__ == "__main__":
    main()
