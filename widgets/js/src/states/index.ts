// The hidden states of recurrent layers.
import type { RenderProps } from "@anywidget/types";
import { button, h, label, set } from "../shared/dom";
import { Host } from "../shared/host";
import { counted, finite, spoken } from "../shared/numbers";
import { table } from "../shared/table";
import { timeline } from "../shared/timeline";
import { CellPane } from "./cell";
import { Chart, type Form, stateName } from "./chart";
import type { Course, Layer, Picture, StatesFrame } from "./contract";
import "./states.css";
import { TextPane } from "./text";
import "./words";

const SORTS = ["unit", "activity", "similarity"] as const;

function render({ model, el }: RenderProps) {
  const host = new Host<StatesFrame>(model, el);
  const { word } = host;
  const picture = () => host.get<Picture>("picture");
  const course = (frame: StatesFrame): Course | null => (frame.problem === null ? frame : null);

  const title = h("h2");
  const step = h("span", { class: "lt-quiet", "data-role": "step" });
  const layer = select((value) => host.send("layer", { key: value }));
  const before = button("◀", null, () => host.send("sequence", { index: Number(sequence.value) - 1 }));
  const sequence = h("input", { type: "number", class: "lt-number", min: 0, step: 1 });
  const after = button("▶", null, () => host.send("sequence", { index: Number(sequence.value) + 1 }));
  const sequenceName = h("span", { class: "lt-quiet" });
  const ofBatch = h("span", { class: "lt-quiet", "data-role": "batch" });
  entered(sequence, () => host.send("sequence", { index: Number(sequence.value) || 0 }));
  const toggleTable = button("", null, () => {
    tabled = !tabled;
    host.send("table", { show: tabled });
    drawTable(course(host.frame));
  });
  let tabled = false;
  const bar = h(
    "div",
    { class: "lt-bar" },
    title, step, layer.element,
    h("div", { class: "lt-group" }, sequenceName, before, sequence, after, ofBatch),
    h("div", { class: "lt-group lt-push" }, toggleTable),
  );

  const names = h("div", { class: "lt-group lt-states-segments", role: "group" });
  const heat = button("", null, () => draw("heat"));
  const lines = button("", null, () => draw("lines"));
  const forms = h("div", { class: "lt-group lt-states-segments", role: "group" }, heat, lines);
  const sort = select((value) => host.send("sort", { by: value }));
  const scale = h("span", { class: "lt-scale" });
  const averaged = h("span", { class: "lt-quiet" });
  const choices = h("div", { class: "lt-bar lt-states-bar" }, names, forms, sort.element, averaged, h("div", { class: "lt-push" }, scale));

  // Keys come faster than frames: each moves on from where the last one went.
  let wanted: { unit: number; t: number; until: number } | null = null;
  function place(): { unit: number; t: number } {
    const found = course(host.frame);
    const shown = found ? { unit: found.cell.unit, t: found.cell.t } : { unit: 0, t: 0 };
    return wanted && performance.now() < wanted.until ? wanted : shown;
  }
  function look(unit: number | null, t: number | null): void {
    const from = place();
    wanted = { unit: unit ?? from.unit, t: t ?? from.t, until: performance.now() + 800 };
    host.send("look", { ...(unit !== null && { unit }), ...(t !== null && { t }) });
  }

  const chart = new Chart(word, {
    place,
    look,
    brush: (start, stop) => brush(start, stop),
  });
  const threshold = h("input", { type: "number", class: "lt-number", min: 0, step: 0.05, value: 0.5 });
  const from = h("input", { type: "number", class: "lt-number", min: 0, step: 1, value: 0 });
  const to = h("input", { type: "number", class: "lt-number", min: 0, step: 1, value: 0 });
  for (const box of [threshold, from, to])
    entered(box, () => brush(Number(from.value), Number(to.value)));
  const clear = button("", null, () => host.send("select"));
  const selected = h("output", { class: "lt-states-selected" });
  const [thresholdName, fromName, toName] = [h("span"), h("span"), h("span")];
  const selection = h(
    "div",
    { class: "lt-bar lt-states-bar", role: "group", hidden: true },
    h("label", { class: "lt-group" }, thresholdName, threshold),
    h("label", { class: "lt-group" }, fromName, from),
    h("label", { class: "lt-group" }, toName, to),
    clear, selected,
  );
  const gradientNote = h("p", { class: "lt-states-note lt-quiet", "data-role": "gradient" });
  const warning = h("p", { class: "lt-alarm", role: "status", hidden: true });
  const failure = h("p", { class: "lt-alarm", role: "status", hidden: true });
  const text = new TextPane(word, place, (t) => look(null, t), (output) => host.send("ask", { output }));
  const cell = new CellPane(word, place, (t) => look(null, t));
  const tableBox = h("div", { class: "lt-scroll lt-states-table", tabindex: 0, hidden: true });
  const nothing = h("p", { class: "lt-states-nothing lt-quiet" });
  const pictureBox = h("div", {}, choices, selection, chart.element, gradientNote);
  const body = h("div", {}, warning, text.element, pictureBox, tableBox, cell.element);
  const time = timeline(host);
  el.replaceChildren(bar, time.element, failure, nothing, body);

  /** JupyterLab keeps Enter from an input, which would otherwise say that it has changed. */
  function entered(box: HTMLInputElement, act: () => void): void {
    box.addEventListener("change", act);
    box.addEventListener("keydown", (event) => event.key === "Enter" && act());
  }

  function select(act: (value: string) => void) {
    const name = h("span", { class: "lt-quiet" });
    const box = h("select", { class: "lt-select" });
    box.addEventListener("change", () => act(box.value));
    return { element: h("label", { class: "lt-group" }, name, box), name, box };
  }

  /** Fills a list, unless it is open, under somebody's pointer. */
  function fill(box: HTMLSelectElement, options: [string, string][], value: string): void {
    const same = [...box.options].map((o) => `${o.value}\n${o.text}`).join("\n");
    if (same !== options.map(([v, t]) => `${v}\n${t}`).join("\n"))
      box.replaceChildren(...options.map(([v, t]) => h("option", { value: v }, t)));
    box.value = value;
  }

  function brush(start: number, stop: number): void {
    [from.value, to.value] = [String(start), String(stop)];
    host.send("select", { threshold: Number(threshold.value) || 0, start, stop });
  }

  function draw(form: Form): void {
    chart.form = form;
    set(heat, { "aria-pressed": String(form === "heat") });
    set(lines, { "aria-pressed": String(form === "lines") });
    selection.hidden = form !== "lines";
    chart.draw(picture(), course(host.frame));
  }

  function speak(): void {
    title.textContent = word("states.title");
    layer.name.textContent = word("states.layer");
    sort.name.textContent = word("states.sort");
    sequenceName.textContent = word("states.sequence");
    set(sequence, { "aria-label": word("states.sequence") });
    label(before, "◀", word("states.previous"));
    label(after, "▶", word("states.next"));
    label(toggleTable, word("table.show"));
    label(heat, word("states.heat"));
    label(lines, word("states.lines"));
    set(forms, { "aria-label": word("states.form") });
    set(names, { "aria-label": word("states.state") });
    set(selection, { "aria-label": word("states.select") });
    thresholdName.textContent = word("states.threshold");
    fromName.textContent = word("states.from");
    toName.textContent = word("states.to");
    label(clear, word("states.clear"));
    cell.speak();
  }

  function layerText(each: Layer): string {
    const parts = [each.kind ? `${each.name} (${each.kind.toUpperCase()})` : each.name];
    if (each.layers > 1) parts.push(word("states.layerOf", { layer: each.layer + 1 }));
    if (each.directions > 1) parts.push(word(each.backwards ? "states.backwards" : "states.forwards"));
    return parts.join(" · ");
  }

  function drawFrame(frame: StatesFrame): void {
    const found = course(frame);
    step.textContent = frame.step === null ? "" : word("time.step", { step: counted(frame.step ?? 0) });
    el.dataset.step = frame.step === null ? "" : String(frame.step);
    el.dataset.problem = frame.problem ?? "";
    time.draw(frame.time);
    failure.hidden = !frame.error;
    failure.textContent = frame.error ? word("states.failed", { error: frame.error }) : "";
    nothing.hidden = found !== null;
    if (frame.problem) nothing.textContent = word(`states.${frame.problem}`);
    body.hidden = !found;
    for (const part of [layer.element, toggleTable]) part.hidden = !frame.layers?.length;
    for (const part of [sequenceName, before, sequence, after, ofBatch]) part.hidden = !found;
    if (frame.layers?.length)
      fill(layer.box, frame.layers.map((each) => [each.key, layerText(each)]), frame.layer ?? "");
    if (found) drawCourse(found);
  }

  function drawCourse(found: Course): void {
    const own = found.sequence;
    if (document.activeElement !== sequence) sequence.value = String(own.index);
    set(sequence, { max: own.batch - 1 });
    before.disabled = own.index <= 0;
    after.disabled = own.index >= own.batch - 1;
    ofBatch.textContent = [
      word("states.sequenceOf", { batch: counted(own.batch) }),
      own.packed && word("states.sequencePacked"),
    ].filter(Boolean).join(" · ");
    ofBatch.title = word("states.sequenceKept", { first: own.first, last: own.stop - 1 });
    names.replaceChildren(
      ...found.names.map((name) => {
        const each = button(name, null, () => host.send("show", { name }));
        set(each, { "aria-pressed": String(name === found.name), "data-name": name, title: stateName(word, name), "aria-label": stateName(word, name) });
        return each;
      }),
    );
    fill(sort.box, SORTS.map((by) => [by, word(`states.sort.${by}`)]), found.sort);
    const { limit, block } = picture();
    if (limit !== undefined)
      scale.replaceChildren(spoken(-limit, 2), h("i", { "aria-hidden": "true" }), `+${spoken(limit, 2)}`);
    averaged.textContent = block > 1 ? word("states.averaged", { block }) : "";
    chart.draw(picture(), found);
    drawSelection(found);
    const earlier = found.gradient.step ?? null;
    gradientNote.textContent = [
      earlier !== null && word("states.gradientAt", { step: counted(earlier) }),
      gradientText(found),
    ]
      .filter(Boolean)
      .join(" ");
    const wrong = found.reads.find((t) => t >= found.length);
    warning.hidden = wrong === undefined;
    if (wrong !== undefined)
      warning.textContent = word("states.readsPadding", { t: wrong, last: found.length - 1 });
    text.draw(found);
    cell.draw(found);
    drawTable(found);
  }

  function drawSelection({ brush: found, units }: Course): void {
    clear.disabled = !found;
    if (!found) {
      selected.textContent = word("states.brushHint");
      return;
    }
    const list = found.units.slice(0, 24).join(", ") + (found.units.length > 24 ? " …" : "");
    selected.textContent = found.units.length
      ? word("states.selected", { count: found.units.length, units, list })
      : word("states.selectedNone");
  }

  /** How the gradient changes on its way back, in a sentence. */
  function gradientText(found: Course): string {
    const { gradient } = found;
    if (gradient.state !== "ready") return word(`states.gradient.${gradient.state}`);
    const values = gradient.layers.find(({ key }) => key === found.layer)?.values ?? [];
    const real = values.map((value, t) => [t, value] as const).filter(([, value]) => finite(value) && value > 0);
    const [first, last] = [real[0], real.at(-1)];
    if (!first || !last || first === last) return "";
    const [late, early] = found.backwards ? [first, last] : [last, first];
    const ratio = Number(late[1]) / Number(early[1]);
    const key = ratio >= 1 ? "states.shrinks" : "states.grows";
    return word(key, { late: late[0], early: early[0], times: spoken(ratio >= 1 ? ratio : 1 / ratio, 2) });
  }

  function drawTable(found: Course | null): void {
    set(toggleTable, { "aria-pressed": String(tabled) });
    tableBox.hidden = !tabled;
    pictureBox.hidden = tabled;
    if (!tabled) {
      chart.draw(picture(), found);
      return;
    }
    if (!found?.rows) return;
    const caption = word("states.unit", { unit: found.cell.unit });
    set(tableBox, { role: "region", "aria-label": caption });
    const heads = ["t", word("states.token"), ...found.names, word("states.gradientShort"), word("states.dependenceShort")];
    const number = (value: unknown) => spoken((value ?? null) as number | null, 4);
    const rows = found.rows.map((row) => [
      String(row.t) + (Number(row.t) >= found.length ? ` (${word("states.padding")})` : ""),
      String(row.token ?? "–"),
      ...found.names.map((name) => number(row[name])),
      number(row.gradient),
      number(row.dependence),
    ]);
    tableBox.replaceChildren(table(caption, heads, rows, 2));
  }

  speak();
  draw("heat");
  drawFrame(host.frame);
  host.on("picture", () => chart.draw(picture(), course(host.frame)));
  host.frames(drawFrame);
  host.on("language", () => {
    speak();
    drawFrame(host.frame);
  });
  const redraw = () => chart.draw(picture(), course(host.frame));
  const room = new ResizeObserver(redraw);
  room.observe(chart.element);
  // The heat map is painted, not styled: it has to be told of another theme, and while JupyterLab
  // changes its theme the page is put away for a moment.
  const repaint = (tries = 60) => {
    if (chart.element.clientWidth) redraw();
    else if (tries && !pictureBox.hidden) requestAnimationFrame(() => repaint(tries - 1));
  };
  const theme = new MutationObserver(() => repaint());
  theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  host.cleanup(() => {
    room.disconnect();
    theme.disconnect();
    cell.end();
  });
  return host.end;
}

export default { render };
