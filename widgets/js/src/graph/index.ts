// The computation graph of a step.
import type { RenderProps } from "@anywidget/types";
import { button, h, ICONS, label, set } from "../shared/dom";
import { Host } from "../shared/host";
import { counted, finite, shapeText, spoken } from "../shared/numbers";
import { table } from "../shared/table";
import { timeline } from "../shared/timeline";
import type { Detail, GraphFrame, Scene } from "./contract";
import { changes, comparison } from "./compare";
import { Drawing } from "./drawing";
import { menu } from "./menu";
import { MEASURES, scale } from "./overlay";
import { NodePane } from "./pane";
import { mark, Player } from "./backward";
import { dot, SavedMeter } from "./saved";
import { search } from "./search";
import "./graph.css";
import "./tools.css";
import "./words";

function render({ model, el }: RenderProps) {
  const host = new Host<GraphFrame>(model, el);
  const { word } = host;
  const scene = () => host.get<Scene>("scene");
  const detail = () => host.get<Detail | null>("detail");

  const close = () => {
    host.send("close");
    drawing.focus(detail()?.key ?? null);
  };
  const drawing = new Drawing(word, {
    toggle: (key) => host.send("toggle", { key }),
    alike: (key) => host.send("alike", { key }),
    find: () => finder.input.focus(),
    open: (key) => host.send("open", { key }),
    close,
  });
  const finder = search(host, drawing);
  const more = menu(host, drawing);
  const compared = comparison(host, drawing);
  const pane = new NodePane(word, {
    close,
    window: (of, wish) => host.send("window", { of, ...wish }),
    pick: (of, index) => host.send("pick", { of, index }),
    show: (of, shown) => host.send("show", { of, shown }),
    check: () => host.send("check"),
  });

  const player = new Player(word, (at) => host.send("backward", { at }));
  const meter = new SavedMeter(word, (show) => host.send("kept", { show }));
  const overlay = () => {
    dot(drawing.element, host.frame.kept, word);
    mark(drawing.element, host.frame.backward);
  };
  const title = h("h2");
  const step = h("span", { class: "lt-quiet", "data-role": "step" });
  const levelName = h("span", { class: "lt-quiet" });
  const level = h("span", { class: "lt-level", "aria-live": "polite" });
  const fewer = button("", ICONS.minus, () => unfold(-1), true);
  const deeper = button("", ICONS.plus, () => unfold(1), true);
  const smaller = button("−", null, () => drawing.zoomBy(1 / 1.3));
  const larger = button("+", null, () => drawing.zoomBy(1.3));
  const fit = button("", null, () => drawing.fit());
  const toggleTable = button("", null, () => {
    tabled = !tabled;
    host.send("table", { show: tabled });
    drawTable(host.frame);
  });
  let tabled = false;
  const levels = h("div", { class: "lt-group" }, levelName, fewer, level, deeper);
  const colourName = h("span", { class: "lt-quiet" });
  const measure = h("select", { class: "lt-select" });
  measure.addEventListener("change", () =>
    host.send("overlay", { measure: measure.value || null }),
  );
  const colours = h("label", { class: "lt-group" }, colourName, measure);
  const bar = h(
    "div",
    { class: "lt-bar" },
    title,
    step,
    h(
      "div",
      { class: "lt-group lt-push lt-tools" },
      finder.element,
      levels,
      meter.element,
      player.opener,
      toggleTable,
      more.element,
    ),
  );
  drawing.element.append(h("div", { class: "lt-group lt-zoom" }, smaller, larger, fit));
  const alarm = h("div", { class: "lt-alarm", role: "status", hidden: true });
  const notice = h("div", { class: "lt-said lt-quiet", role: "status", hidden: true });
  const nothing = h("p", { class: "lt-nothing lt-quiet" });
  const tableBox = h("div", { class: "lt-scroll lt-table-box", tabindex: 0, hidden: true });
  const main = h("div", { class: "lt-main" }, nothing, drawing.element, tableBox, pane.element);
  main.style.height = `${host.get<number>("height")}px`;
  const keys = h("div", { class: "lt-keys" });
  const legend = h("div", { class: "lt-legend" }, keys, colours);
  const time = timeline(host);
  const changed = changes(host, time.slider);
  time.element.append(changed.element);
  el.replaceChildren(
    bar,
    time.element,
    alarm,
    compared.element,
    notice,
    main,
    player.element,
    legend,
  );
  el.addEventListener("keydown", (event) => player.key(event), true);
  host.cleanup(() => player.pause());

  function unfold(by: number): void {
    host.send("depth", { depth: scene().depth + by });
  }

  function speak(): void {
    title.textContent = word("graph.title");
    levelName.textContent = word("graph.level");
    label(fewer, word("graph.fewer"), word("graph.fewer"));
    label(deeper, word("graph.more"), word("graph.more"));
    label(smaller, "−", word("graph.zoomOut"));
    label(larger, "+", word("graph.zoomIn"));
    label(fit, word("graph.fit"), word("graph.fitWhole"));
    label(toggleTable, word("table.show"));
    nothing.textContent = word("graph.nothing");
    colourName.textContent = word("graph.colour");
    set(measure, { "aria-label": word("graph.colourBy") });
    measure.replaceChildren(
      h("option", { value: "" }, word("graph.by.none")),
      ...MEASURES.map((by) => h("option", { value: by }, word(`graph.by.${by}`))),
    );
    measure.value = host.frame.overlay?.by ?? "";
    for (const part of [finder, more, changed]) part.speak();
    compared.draw();
    drawLegend();
    drawing.element.querySelector("svg")?.setAttribute("aria-description", word("graph.help"));
  }

  function drawLegend(): void {
    const kind = (name: "op" | "scope" | "parameter" | "input") =>
      h("span", { class: `lt-swatch lt-swatch-${name}` }, h("i"), word(`graph.kind.${name}`));
    const gradients = h(
      "span",
      { class: "lt-swatch", title: word("graph.legend") },
      `${word("graph.gradient")} −100`,
      h("i", { class: "lt-gradient-key" }),
      "+100",
    );
    const { overlay } = host.frame;
    const said = overlay ? scale(overlay, word) : gradients;
    keys.replaceChildren(kind("op"), kind("scope"), kind("parameter"), kind("input"), said);
  }

  function drawScene(): void {
    const now = scene();
    const empty = !now.items?.length;
    nothing.hidden = !empty;
    for (const part of [drawing.element, levels, legend, finder.element, more.element])
      part.hidden = empty;
    if (empty) return;
    if (tabled) drawing.element.hidden = true;
    level.textContent = word("graph.levelOf", { depth: now.depth, deepest: now.deepest });
    fewer.disabled = now.depth <= 0;
    deeper.disabled = now.depth >= now.deepest;
    levels.hidden = now.deepest === 0;
    drawing.draw(now);
    drawing.fill(host.frame);
    drawing.mark(detail()?.key ?? null);
    overlay();
  }

  function drawTable(frame: GraphFrame): void {
    set(toggleTable, { "aria-pressed": String(tabled) });
    tableBox.hidden = !tabled;
    drawing.element.hidden = tabled || !scene().items?.length;
    if (!tabled || !frame.rows) return;
    set(tableBox, { role: "region", "aria-label": word("graph.title") });
    const missing = word(frame.measured ? "pane.notYet" : "time.notMeasured");
    const rows = frame.rows.map((row) => [
      row.name,
      word(`graph.kind.${row.kind}`),
      row.module || "–",
      shapeText(row.shape),
      spoken(row.value?.mean, 4),
      spoken(row.value?.std, 4),
      finite(row.grad?.norm) ? spoken(row.grad.norm, 4) : row.requiresGrad ? missing : "–",
    ]);
    const heads = (["node", "kind", "module", "shape", "mean", "std", "gradient"] as const).map(
      (name) => word(`table.${name}`),
    );
    tableBox.replaceChildren(table(step.textContent ?? "", heads, rows, 3));
  }

  function drawFrame(frame: GraphFrame): void {
    const shown = frame.time?.shown;
    step.textContent =
      shown === undefined
        ? ""
        : word("time.step", { step: counted(shown) }) +
          (frame.measured === false ? ` · ${word("time.notMeasured")}` : "");
    el.dataset.step = shown === undefined ? "" : String(shown);
    time.draw(frame.time);
    changed.draw(frame);
    measure.value = frame.overlay?.by ?? "";
    drawLegend();
    if (scene().items?.length) drawing.fill(frame);
    pane.fill(detail(), frame.pane, frame.measured !== false);
    player.draw(frame.backward);
    meter.draw(frame.memory);
    overlay();
    drawTable(frame);
    const { failure } = frame;
    // Inside a training panel the panel says it.
    alarm.hidden = !failure || !host.get<boolean>("timeline");
    if (failure)
      alarm.replaceChildren(
        h("strong", {}, `${failure.op}: ${word(`graph.failed.${failure.kind}`)}`),
        h("p", {}, failure.message),
      );
  }

  function drawDetail(): void {
    pane.describe(detail());
    pane.fill(detail(), host.frame.pane, host.frame.measured !== false);
    drawing.mark(detail()?.key ?? null);
  }

  speak();
  drawScene();
  drawDetail();
  drawFrame(host.frame);
  host.on("scene", drawScene);
  host.on("detail", drawDetail);
  host.on("notice", () => {
    const { key, values } = host.get<{ key?: "graph.tooMany"; values?: Record<string, number> }>("notice");
    notice.hidden = !key;
    if (key) notice.textContent = word(key, values);
    clearTimeout(hide);
    hide = window.setTimeout(() => (notice.hidden = true), 8000);
  });
  let hide = 0;
  host.cleanup(() => clearTimeout(hide));
  host.frames(drawFrame);
  host.on("language", () => {
    speak();
    drawScene();
    drawDetail();
    drawFrame(host.frame);
  });
  const room = new ResizeObserver(() => drawing.resized());
  room.observe(drawing.element);
  host.cleanup(() => room.disconnect());
  return host.end;
}

export default { render };
