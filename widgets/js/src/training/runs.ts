// Which runs there are: a legend whose entries show and hide them, and the table of their values.
import { h, s, set } from "../shared/dom";
import type { Host } from "../shared/host";
import { counted, spoken } from "../shared/numbers";
import { table } from "../shared/table";
import { flagText } from "./chart";
import type { ChartFrame, Line } from "./contract";
import { lookOf } from "./look";

/** A button for every run (where there are several) and for every metric but the loss. */
export function legend(host: Host<ChartFrame>, toggle: (what: "hidden" | "closed", key: string) => void) {
  const { word } = host;
  const element = h("div", { class: "lt-legend-bar lt-group", role: "group" });
  let drawn = "";

  function draw(frame: ChartFrame): void {
    const hidden = host.get<string[]>("hidden");
    const closed = host.get<string[]>("closed");
    const validated = frame.runs.some((run) => run.lines.some(({ part }) => part === "validation"));
    const key = JSON.stringify([
      frame.runs.map((run) => [run.key, run.name]),
      frame.metrics,
      hidden,
      closed,
      validated,
      host.language,
    ]);
    if (key === drawn) return;
    drawn = key;
    const focused = element.querySelector<HTMLElement>(":focus")?.dataset.key;
    const runs = frame.runs.length > 1 ? frame.runs : [];
    const metrics = frame.metrics.filter(({ name }) => name !== "loss");
    element.hidden = !(runs.length || metrics.length || validated);
    set(element, { "aria-label": word("metric.charts") });
    element.replaceChildren(
      ...runs.map((run) => {
        const { tone, dash } = lookOf(run, frame.runs.indexOf(run));
        return chip(run.key, run.name, word("run.show", { name: run.name }), !hidden.includes(run.key), "hidden",
          s("svg", { viewBox: "0 0 22 8", class: "lt-key" },
            s("path", { d: "M0,4H22", style: `stroke: ${tone}`, "stroke-dasharray": dash || null })));
      }),
      ...metrics.map(({ name }) =>
        chip(name, name, word("metric.show", { name }), !closed.includes(name), "closed", null),
      ),
      validated &&
        h("span", { class: "lt-quiet lt-keys" },
          s("svg", { viewBox: "0 0 22 8", class: "lt-key" },
            s("path", { d: "M0,4H22" })), word("metric.training"),
          s("svg", { viewBox: "0 0 22 8", class: "lt-key" },
            s("path", { d: "M0,4H22", "stroke-dasharray": "2 3" }),
            s("path", { class: "lt-marks", d: "M8,4a3,3 0 1,0 6,0a3,3 0 1,0 -6,0" })), word("metric.validation")) || "",
    );
    if (focused) element.querySelector<HTMLElement>(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  function chip(key: string, text: string, title: string, on: boolean, what: "hidden" | "closed", picture: Node | null) {
    const button = h("button", { type: "button", class: "lt-chip", title, "aria-pressed": String(on), "data-key": key },
      picture, h("span", {}, text));
    button.addEventListener("click", () => toggle(what, key));
    return button;
  }

  return { element, draw };
}

/** Final and best values of every run, the edits, and the steps of the first run. */
export function tables(host: Host<ChartFrame>, frame: ChartFrame): HTMLElement[] {
  const { word } = host;
  const named = (metric: string) => (metric === "loss" ? word("metric.loss") : metric);
  const validated = frame.runs.some((run) => run.lines.length > 1);
  const made: HTMLElement[] = [];
  if (frame.runs.length > 1 || validated) {
    const rows = frame.runs.flatMap((run) =>
      run.lines.map(({ metric, part, points, best }) => [
        run.name,
        named(metric),
        word(`metric.${part}`),
        counted(run.count),
        spoken(points.at(-1)?.[1], 5),
        spoken(best?.[1], 5),
        best ? counted(best[0]) : "–",
      ]),
    );
    const heads = (["run", "metric", "part", "steps", "final", "best", "bestAt"] as const).map((head) => word(`table.${head}`));
    const summary = table(word("run.runs"), heads, rows, 3);
    summary.classList.add("lt-runs");
    made.push(summary);
  }
  if (frame.edits.length)
    made.push(h("ul", { class: "lt-edits", "aria-label": word("table.edits") }, ...frame.edits.map((edit) => h("li", {}, flagText(word, edit)))));
  const lines = frame.runs[0]?.lines ?? [];
  made.push(stepTable(host, lines));
  return made;
}

function stepTable(host: Host<ChartFrame>, lines: Line[]): HTMLElement {
  const { word } = host;
  const head = ({ metric, part }: Line) =>
    [metric === "loss" ? word("table.loss") : metric, part === "validation" ? word("metric.validation") : ""]
      .filter(Boolean)
      .join(" · ");
  const byStep = lines.map(({ points }) => new Map(points));
  const steps = [...new Set(lines.flatMap(({ points }) => points.map(([step]) => step)))].sort((a, b) => b - a);
  const rows = steps.map((step) => [
    counted(step),
    ...byStep.map((values) => (values.has(step) ? spoken(values.get(step), 5) : "")),
  ]);
  const made = table(word("loss.title"), [word("table.step"), ...lines.map(head)], rows);
  made.classList.add("lt-by-step");
  return made;
}
