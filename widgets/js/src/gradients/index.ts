// Gradient flow: the layers of the step at the cursor, and all of them over time.
import type { RenderProps } from "@anywidget/types";
import { button, h, label, set } from "../shared/dom";
import { Host } from "../shared/host";
import { counted, spoken } from "../shared/numbers";
import { table } from "../shared/table";
import { timeline } from "../shared/timeline";
import type { GradientsFrame, Series, Spread, What } from "./contract";
import { Plot, STATISTICS } from "./plot";
import { Rows } from "./rows";
import { SpreadPane } from "./spread";
import "./gradients.css";
import "./words";

const OFFERED: Record<What, string[]> = {
  parameters: ["grad", "relative", "update"],
  activations: ["gradient", "zeros", "std"],
};
const WINDOWS = ["0", "200", "50"] as const;

function render({ model, el }: RenderProps) {
  const host = new Host<GradientsFrame>(model, el);
  const { word } = host;
  el.classList.add("lt-gradients");

  const title = h("h2");
  const parameters = button("", null, () => host.send("what", { what: "parameters" }));
  const activations = button("", null, () => host.send("what", { what: "activations" }));
  const whats = h("div", { class: "lt-group lt-segments", role: "group" }, parameters, activations);
  const toggle = button("", null, () => {
    tabled = !tabled;
    draw(host.frame);
  });
  let tabled = false;
  const time = timeline(host);
  const alarm = h("p", { class: "lt-quiet lt-unmeasured", role: "status", hidden: true });
  const nothing = h("p", { class: "lt-nothing lt-quiet" });

  const open = (key: string, part = "", of = "grad") => host.send("open", { key, part, of });
  const point = (key: string | null) => {
    rows.mark(key);
    plot.mark(key);
  };
  const rows = new Rows(word, { open, point });
  const seek = (step: number) => host.send("seek", { step });
  const plot = new Plot(word, { seek, open, point: (key) => rows.mark(key) });
  const pane = new SpreadPane(word, open, () => host.send("close"), seek);
  const tableBox = h("div", { class: "lt-scroll lt-gradients-table", tabindex: 0, hidden: true });

  const heading = h("h2");
  const statistic = h("select", { class: "lt-select" });
  statistic.addEventListener("change", () => host.send("statistic", { statistic: statistic.value }));
  const lines = button("", null, () => picture(false));
  const heat = button("", null, () => picture(true));
  const pictures = h("div", { class: "lt-group lt-segments", role: "group" }, lines, heat);
  const span = h("select", { class: "lt-select" });
  span.addEventListener("change", () => host.send("window", { steps: Number(span.value) }));
  const axis = h("select", { class: "lt-select" });
  axis.addEventListener("change", () => {
    plot.fixed = axis.value === "fixed";
    plot.draw();
  });
  const key = h("span", { class: "lt-depth-key lt-quiet" });
  const note = h("span", { class: "lt-quiet" });
  const controls = h("div", { class: "lt-bar lt-time-bar" }, heading, statistic, pictures, span, axis, key, note);
  const chart = h("div", {}, controls, plot.element, pane.element);
  const bar = h("div", { class: "lt-bar" }, title, whats, h("div", { class: "lt-group lt-push" }, toggle));
  el.replaceChildren(bar, time.element, alarm, nothing, rows.element, tableBox, chart);

  function picture(hot: boolean): void {
    plot.heat = hot;
    set(lines, { "aria-pressed": String(!hot) });
    set(heat, { "aria-pressed": String(hot) });
    key.hidden = hot;
    plot.draw();
  }

  function options(select: HTMLSelectElement, choices: [string, string][], chosen: string): void {
    const tells = JSON.stringify(choices);
    if (select.dataset.tells !== tells) {
      select.dataset.tells = tells;
      select.replaceChildren(...choices.map(([value, text]) => h("option", { value }, text)));
    }
    if (select.value !== chosen) select.value = chosen;
  }

  function speak(): void {
    title.textContent = word("gradients.title");
    heading.textContent = word("gradients.overTime");
    label(parameters, word("gradients.parameters"));
    label(activations, word("gradients.activations"));
    label(lines, word("gradients.lines"));
    label(heat, word("gradients.heat"));
    label(toggle, word("table.show"));
    set(whats, { "aria-label": word("gradients.what") });
    set(pictures, { "aria-label": word("gradients.picture") });
    set(statistic, { "aria-label": word("gradients.statistic") });
    set(span, { "aria-label": word("gradients.window") });
    set(axis, { "aria-label": word("gradients.axis") });
    nothing.textContent = word("gradients.nothing");
    key.replaceChildren(h("i", { "aria-hidden": "true" }), word("gradients.depth"));
    const axes = ["window", "fixed"] as const;
    options(axis, axes.map((each) => [each, word(`gradients.axis.${each}`)]), axis.value || "window");
  }

  function draw(frame: GradientsFrame): void {
    time.draw(frame.time);
    const empty = frame.rows.length === 0;
    nothing.hidden = !empty;
    for (const part of [whats, chart]) part.hidden = frame.time.step === null;
    rows.element.hidden = tabled || empty;
    tableBox.hidden = !tabled || empty;
    alarm.hidden = frame.measured || frame.time.step === null;
    alarm.textContent = word("doctor.say.unmeasured");
    set(parameters, { "aria-pressed": String(frame.what === "parameters") });
    set(activations, { "aria-pressed": String(frame.what === "activations") });
    set(toggle, { "aria-pressed": String(tabled) });
    el.dataset.step = String(frame.time.step ?? "");
    rows.speak(frame.what);
    rows.draw(frame.rows, frame.what);
    const offered = OFFERED[frame.what];
    options(
      statistic,
      offered.map((each) => [each, word(STATISTICS[each] ?? "gradients.stat.grad")]),
      frame.statistic,
    );
    options(span, WINDOWS.map((each) => [each, word(`gradients.window.${each}`)]), String(frame.window));
    if (tabled) drawTable(frame);
    drawChart();
  }

  function drawTable(frame: GradientsFrame): void {
    const ofParameters = frame.what === "parameters";
    const heads = [
      word("gradients.layer"),
      word("pane.min"),
      word("pane.max"),
      word("gradients.norm"),
      word("gradients.zeros"),
      word(ofParameters ? "gradients.weight" : "gradients.std"),
      ...(ofParameters ? [word("gradients.ratio")] : []),
    ];
    const body = frame.rows.map((row) => [
      row.name,
      spoken(row.min),
      spoken(row.max),
      spoken(row.norm),
      spoken(ofParameters ? row.zeros : row.second),
      spoken(ofParameters ? row.value : row.third),
      ...(ofParameters ? [spoken(row.third)] : []),
    ]);
    const series = host.get<Series>("chart");
    const values = floats(model.get("matrix"));
    const steps = series.steps ?? [];
    const every = Math.max(1, Math.ceil(steps.length / 40));
    const chosen = steps.map((_, i) => i).filter((i) => i % every === 0 || i === steps.length - 1);
    const read = (row: number, column: number) => {
      const value = values[row * steps.length + column] ?? -1;
      return value < 0 ? "–" : spoken(Number.isFinite(value) ? value : "nan");
    };
    const name = word(STATISTICS[frame.statistic] ?? "gradients.stat.grad");
    const caption = frame.time.step === null ? "" : word("time.step", { step: counted(frame.time.step) });
    tableBox.replaceChildren(
      table(caption, heads, body),
      table(
        word("gradients.chart", { statistic: name }),
        [word("gradients.step"), ...(series.names ?? [])],
        chosen.map((i) => [counted(steps[i] ?? 0), ...(series.keys ?? []).map((_, row) => read(row, i))]),
      ),
    );
    set(tableBox, { role: "region", "aria-label": word("gradients.title") });
  }

  function drawChart(): void {
    const series = host.get<Series>("chart");
    if (!series.steps) return;
    plot.take(series, floats(model.get("matrix")));
    plot.draw(host.frame.time);
    note.textContent = series.per > 1 ? word("gradients.thinned", { steps: series.per }) : "";
    el.dataset.columns = String(series.steps.length);
    axis.disabled = series.statistic === "zeros";
    pane.draw(
      host.get<Spread | null>("spread"),
      floats(model.get("shares")),
      host.frame.time,
      host.frame.what === "activations",
    );
  }

  speak();
  picture(false);
  draw(host.frame);
  host.frames(draw);
  for (const name of ["chart", "matrix", "spread", "shares"]) host.on(name, chartSoon);
  let asked = 0;
  function chartSoon(): void {
    asked ||= requestAnimationFrame(() => {
      asked = 0;
      drawChart();
    });
  }
  host.on("language", () => {
    speak();
    draw(host.frame);
  });
  const room = new ResizeObserver(drawChart);
  room.observe(plot.element);
  room.observe(pane.element);
  const theme = new MutationObserver(drawChart);
  theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  host.cleanup(() => {
    room.disconnect();
    theme.disconnect();
    cancelAnimationFrame(asked);
  });
  return host.end;
}

/** Float32 in the order that the kernel wrote them, whatever the offset they came at. */
function floats(bytes: unknown): Float32Array<ArrayBuffer> {
  if (!(bytes instanceof DataView)) return new Float32Array();
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer);
}

export default { render };
