// Feature maps of every layer, live, and the arithmetic behind one pixel.
import type { RenderProps } from "@anywidget/types";
import { button, h, label, set } from "../shared/dom";
import { Host } from "../shared/host";
import { counted, finite, shapeText, spoken } from "../shared/numbers";
import { onTheme } from "../shared/raster";
import { table } from "../shared/table";
import { timeline } from "../shared/timeline";
import type { FeatureFrame, Scene } from "./contract";
import { Detail } from "./detail";
import { Overview } from "./overview";
import "./features.css";
import "./words";

const RANGES = ["map", "layer", "model"] as const;
const BACK = "M11 2.5v11L4.5 8z";
const ON = "M5 2.5v11L11.5 8z";

function render({ model, el }: RenderProps) {
  const host = new Host<FeatureFrame>(model, el);
  const { word } = host;
  const scene = (): Scene => ({ columns: 0, layers: [], ...host.get<Partial<Scene>>("scene") });
  const open = (layer: string, channel: number) => host.send("open", { layer, channel });

  const overview = new Overview(word, open, (first) => host.send("layers", { first }));
  const detail = new Detail(word, (command, values) => host.send(command, values), open, () => {
    host.send("close");
    overview.toFocus();
  });

  const title = h("h2");
  const step = h("span", { class: "lt-quiet", "data-role": "step" });
  const sample = h("span", { class: "lt-sample", "aria-live": "polite" });
  const bySample = (by: number) => host.send("sample", { index: (host.frame.sample ?? 0) + by });
  const earlier = button("", BACK, () => bySample(-1), true);
  const later = button("", ON, () => bySample(1), true);
  const samples = h("div", { class: "lt-group" }, earlier, sample, later);
  const rangeName = h("span", { class: "lt-quiet" });
  const ranges = RANGES.map((scope) => button("", null, () => host.send("range", { scope })));
  const range = h("div", { class: "lt-group lt-segments", role: "group" }, ...ranges);
  let tabled = false;
  const toggleTable = button("", null, () => {
    tabled = !tabled;
    host.send("table", { show: tabled });
    drawTable(host.frame);
  });
  const choices = h("div", { class: "lt-group lt-push" }, rangeName, range);
  const bar = h("div", { class: "lt-bar" }, title, step, samples, choices, toggleTable);
  const time = timeline(host);

  const channels = h("span", { class: "lt-quiet" });
  const byRow = (by: number) =>
    host.send("channels", { first: (host.frame.top ?? 0) + by * host.frame.rows });
  const up = button("", BACK, () => byRow(-1), true);
  const down = button("", ON, () => byRow(1), true);
  const pager = h("div", { class: "lt-group" }, up, channels, down);
  const scale = h("span", { class: "lt-quiet lt-push" });
  const under = h("div", { class: "lt-bar lt-under-strip" }, pager, scale);

  const alarm = h("div", { class: "lt-alarm", role: "status", hidden: true });
  const nothing = h("p", { class: "lt-nothing-yet lt-quiet" });
  const tableBox = h("div", { class: "lt-scroll lt-table-box", tabindex: 0, role: "region", hidden: true });
  el.classList.add("lt-features");
  el.replaceChildren(
    bar,
    time.element,
    alarm,
    nothing,
    overview.element,
    tableBox,
    under,
    detail.element,
  );

  function speak(): void {
    title.textContent = word("features.title");
    rangeName.textContent = word("features.range");
    set(range, { "aria-label": word("features.range") });
    RANGES.forEach((scope, i) => {
      const each = ranges[i];
      if (each) label(each, word(`features.range.${scope}`));
    });
    label(toggleTable, word("table.show"));
    label(earlier, word("features.previous"), word("features.previous"));
    label(later, word("features.next"), word("features.next"));
    label(up, word("features.earlierChannels"), word("features.earlierChannels"));
    label(down, word("features.laterChannels"), word("features.laterChannels"));
    set(tableBox, { "aria-label": word("features.title") });
  }

  function drawScene(): void {
    overview.build(scene(), host.frame.rows ?? 8);
    drawFrame(host.frame);
  }

  function drawFrame(frame: FeatureFrame): void {
    const { shown } = frame;
    step.textContent = shown === undefined ? "" : word("time.step", { step: counted(shown) });
    el.dataset.step = shown === undefined ? "" : String(shown);
    time.draw(frame.time);
    alarm.hidden = !frame.error;
    alarm.replaceChildren(h("strong", {}, word("features.failed")), h("p", {}, frame.error ?? ""));
    const empty = frame.note !== null;
    nothing.hidden = !empty;
    if (frame.note) nothing.textContent = word(`features.${frame.note}`);
    for (const part of [samples, choices, toggleTable, under]) part.hidden = empty;
    overview.element.hidden = empty || tabled;
    if (empty) {
      tableBox.hidden = true;
      detail.element.hidden = true;
      return;
    }
    drawChoices(frame);
    overview.draw(frame);
    detail.draw(frame, scene().layers);
    drawTable(frame);
  }

  function drawChoices(frame: FeatureFrame): void {
    const { sample: at = 0, samples: count = 1, top = 0, most = 1, rows } = frame;
    sample.textContent = word("features.sample", { index: at + 1, count });
    earlier.disabled = at <= 0;
    later.disabled = at >= count - 1;
    RANGES.forEach((scope, i) => {
      const each = ranges[i];
      if (each) set(each, { "aria-pressed": String(frame.range === scope) });
    });
    pager.hidden = most <= rows || tabled;
    channels.textContent = word("features.channels", {
      first: top,
      last: Math.min(top + rows, most) - 1,
      count: most,
    });
    up.disabled = top <= 0;
    down.disabled = top + rows >= most;
    const limit = finite(frame.limit) ? frame.limit : null;
    scale.replaceChildren(
      h(
        "span",
        { class: "lt-scale" },
        limit === null ? "−" : spoken(-limit, 2),
        h("i", { "aria-hidden": "true" }),
        limit === null ? "+" : `+${spoken(limit, 2)}`,
      ),
      frame.range === "model"
        ? ""
        : ` ${word(frame.range === "map" ? "features.each" : "features.eachLayer")}`,
    );
  }

  function drawTable(frame: FeatureFrame): void {
    set(toggleTable, { "aria-pressed": String(tabled) });
    tableBox.hidden = !tabled;
    overview.element.hidden = tabled || frame.note !== null;
    if (!tabled || !frame.table) return;
    const opened = frame.opened && scene().layers[frame.opened.at];
    const rows = frame.table.map((row) => [
      row.name || word("features.picture"),
      shapeText(row.shape),
      spoken(row.min, 4),
      spoken(row.mean, 4),
      spoken(row.max, 4),
      row.zeros === undefined ? "–" : `${spoken(row.zeros * 100, 3)} %`,
      row.odd === undefined ? "–" : counted(row.odd),
    ]);
    const heads = [
      word(opened ? "features.channelHead" : "features.layer"),
      word("features.shape"),
      word("pane.min"),
      word("pane.mean"),
      word("pane.max"),
      word("pane.zeros"),
      word("features.odd"),
    ];
    const caption = [opened ? overview.name(opened) : "", step.textContent ?? ""];
    tableBox.replaceChildren(table(caption.filter(Boolean).join(" · "), heads, rows, 2));
  }

  speak();
  drawScene();
  host.on("scene", drawScene);
  host.frames(drawFrame);
  host.on("language", () => {
    speak();
    drawScene();
  });
  onTheme(host, () => drawFrame(host.frame));
  host.cleanup(() => detail.stop());
  return host.end;
}

export default { render };
