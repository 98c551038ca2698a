// A kernel or a pooling window on its way over a picture.
import type { RenderProps } from "@anywidget/types";
import { cells, largestOf } from "../shared/cells";
import { button, h, ICONS, label, set } from "../shared/dom";
import { duration, Host } from "../shared/host";
import { formula } from "../shared/mathml";
import { shapeText, spoken } from "../shared/numbers";
import { Plane } from "../shared/plane";
import { floatsOf, onTheme } from "../shared/raster";
import { table } from "../shared/table";
import type { Key } from "../shared/words";
import { placeOf, sumFormula, timesKernel } from "./arithmetic";
import type { ConvolutionFrame, Mode } from "./contract";
import { KernelEditor, slider } from "./controls";
import "./convolution.css";
import "./words";

const MODES: Mode[] = ["convolution", "max", "average"];
const ROOM = 300;
const SWEEP = 250; // milliseconds a step

function render({ model, el }: RenderProps) {
  const host = new Host<ConvolutionFrame>(model, el);
  const { word } = host;
  let at: [number, number] = [0, 0];
  let timer = 0;
  let hovering = false;
  let tabled = false;
  let image = new Float32Array();
  let output = new Float32Array();

  const title = h("h2");
  const modes = MODES.map((mode) => button("", null, () => host.send("set", { name: "mode", value: mode })));
  const modeGroup = h("div", { class: "lt-group lt-segments", role: "group" }, ...modes);
  const toggleTable = button("", null, () => {
    tabled = !tabled;
    draw(host.frame);
  });
  const bar = h("div", { class: "lt-bar" }, title, modeGroup, h("div", { class: "lt-push" }), toggleTable);

  const picture = new Plane(ROOM);
  const result = new Plane(ROOM, (row, column) => {
    stop();
    move(row, column);
  }, (over) => {
    hovering = over !== null;
  });
  const captions = { image: h("h3"), kernel: h("h3"), output: h("h3") };
  const pane = (name: string, ...children: Node[]) => h("div", { class: `lt-pane-${name}` }, ...children);

  const presets = h("select", { class: "lt-select" });
  presets.addEventListener("change", () => {
    if (presets.value) host.send("preset", { kernel: presets.value });
  });
  const editor = new KernelEditor((row, column, value) => host.send("cell", { row, column, value }));
  const flips = [false, true].map((value) => button("", null, () => host.send("set", { name: "flip", value })));
  const flipGroup = h("div", { class: "lt-group lt-segments lt-flip", role: "group" }, ...flips);
  const applied = h("div", { class: "lt-applied" });
  const kernelPane = pane("kernel", captions.kernel, presets, editor.element, flipGroup, applied);

  const knob = (name: string, least: number, most: number) =>
    slider(least, most, (value) => host.send("set", { name, value }));
  const size = slider(1, 7, (value) => host.send("size", { size: value }));
  const knobs = {
    window: knob("window", 1, 7),
    stride: knob("stride", 1, 8),
    padding: knob("padding", 0, 8),
    dilation: knob("dilation", 1, 6),
  };
  const controls = h(
    "div",
    { class: "lt-knobs" },
    size.element,
    ...Object.values(knobs).map(({ element }) => element),
  );

  const play = button("", ICONS.play, () => (timer ? stop() : sweep()));
  const next = button("", ICONS.step, () => {
    stop();
    advance();
  });
  const reading = h("p", { class: "lt-at" });
  const tools = h("div", { class: "lt-group" }, play, next);
  const outputPane = pane("output", captions.output, result.element, reading, tools);
  const alarm = h("div", { class: "lt-alarm", role: "status", hidden: true });
  const stage = h("div", { class: "lt-stage" }, pane("image", captions.image, picture.element), kernelPane, outputPane);
  const sums = h("div", { class: "lt-sums" });
  const sizes = h("div", { class: "lt-sizes" });
  const tableBox = h("div", { class: "lt-scroll lt-table-box", tabindex: 0, role: "region", hidden: true });
  el.classList.add("lt-convolution");
  el.replaceChildren(bar, controls, alarm, stage, tableBox, sums, sizes);

  function draw(frame: ConvolutionFrame): void {
    const pooling = frame.mode !== "convolution";
    image = floatsOf(frame.image.values as DataView) as Float32Array<ArrayBuffer>;
    output = floatsOf(frame.output?.values as DataView | undefined) as Float32Array<ArrayBuffer>;
    el.dataset.mode = frame.mode;
    title.textContent = word("convolution.title");
    set(modeGroup, { "aria-label": word("convolution.mode") });
    MODES.forEach((mode, i) => {
      const each = modes[i];
      if (!each) return;
      label(each, word(`convolution.mode.${mode}`));
      set(each, { "aria-pressed": String(frame.mode === mode) });
    });
    label(toggleTable, word("table.show"));
    set(toggleTable, { "aria-pressed": String(tabled) });
    drawControls(frame, pooling);
    picture.draw(frame.image, frame.padding);
    captions.image.textContent = `${word("convolution.image")} ${shapeText(frame.image.size)}`;
    set(picture.element, { "aria-label": captions.image.textContent });
    const { problem } = frame;
    alarm.hidden = !problem;
    if (problem) {
      const { key, ...numbers } = problem;
      alarm.textContent = word(`convolution.${key}`, numbers as Record<string, number>);
    }
    for (const part of [outputPane, sums]) part.hidden = !frame.output;
    if (frame.output) {
      result.draw(frame.output);
      captions.output.textContent = `${word("convolution.output")} ${shapeText(frame.output.size)}`;
      const [rows, columns] = frame.output.size;
      at = [Math.min(at[0], rows - 1), Math.min(at[1], columns - 1)];
      drawPixel(frame);
    } else {
      stop();
      picture.clear();
    }
    drawSizes(frame);
    drawTable(frame);
  }

  function drawControls(frame: ConvolutionFrame, pooling: boolean): void {
    kernelPane.hidden = size.element.hidden = knobs.dilation.element.hidden = pooling;
    knobs.window.element.hidden = !pooling;
    size.draw(word("convolution.size"), frame.kernel.length);
    for (const [name, { draw: fill }] of Object.entries(knobs)) {
      const key = name as keyof typeof knobs;
      fill(word(`convolution.${key}`), frame[key]);
    }
    captions.kernel.textContent = `${word("convolution.kernel")} ${shapeText(frame.size)}`;
    set(presets, { "aria-label": word("convolution.preset") });
    presets.replaceChildren(
      ...["", ...frame.presets].map((name) =>
        h(
          "option",
          { value: name, disabled: name === "" },
          word(`convolution.preset.${name || "own"}` as Key),
        ),
      ),
    );
    presets.value = frame.preset ?? "";
    set(editor.element, { "aria-label": word("convolution.kernel") });
    editor.draw(frame.kernel, (row, column) => word("convolution.kernelElement", { row, column }));
    set(flipGroup, { "aria-label": word("convolution.flip") });
    flips.forEach((each, i) => {
      label(each, word(i ? "convolution.true" : "convolution.correlation"));
      set(each, { "aria-pressed": String(frame.flip === Boolean(i)) });
    });
    const limit = largestOf([frame.applied]);
    const side = frame.applied.length > 5 ? 12 : 18;
    applied.replaceChildren(
      h("span", { class: "lt-quiet" }, word(frame.flip ? "convolution.applied" : "convolution.asIs")),
      cells(frame.applied, { size: side, limit, read: false, label: word("convolution.kernel") }),
    );
    play.hidden = duration() === 0;
    label(play, word(timer ? "convolution.pause" : "convolution.play"));
    set(play.querySelector("path") ?? play, { d: timer ? ICONS.pause : ICONS.play });
    label(next, word("convolution.step"));
  }

  function drawPixel(frame: ConvolutionFrame): void {
    const [row, column] = at;
    const columns = frame.output?.size[1] ?? 1;
    const value = output[row * columns + column] ?? NaN;
    const place = placeOf(frame, image, row, column);
    const won = frame.mode === "max" ? winner(place.window, place.outside) : undefined;
    picture.window(place.rows, place.columns, won);
    result.point(row, column, timer !== 0);
    const text = word("convolution.at", { row, column, value: spoken(value, 6) });
    reading.textContent = text;
    set(result.element, {
      "aria-label": word("convolution.pixel"),
      "aria-description": word("convolution.pixelHelp"),
      "aria-valuetext": text,
    });
    const padded = (r: number, c: number) => place.outside[r]?.[c] ?? false;
    const wide = Math.max(...frame.size) > 4;
    const look = (limit: number, key: Key) => ({
      size: wide ? 34 : 46,
      limit,
      read: true,
      label: word(key),
    });
    const parts: Node[] = [
      cells(place.window, {
        ...look(largestOf([place.window]), "convolution.windowHere"),
        padded,
        ...(won ? { won } : {}),
      }),
    ];
    if (frame.mode === "convolution") {
      const products = timesKernel(place.window, frame.applied);
      parts.push(
        h("i", {}, "×"),
        cells(frame.applied, look(largestOf([frame.applied]), "convolution.kernel")),
        h("i", {}, "="),
        cells(products, look(largestOf([products]), "convolution.products")),
      );
    }
    const said = { convolution: "sum", max: "max", average: "mean" } as const;
    parts.push(
      h("span", { class: "lt-sum" }, `${word(`convolution.${said[frame.mode]}`)} = `, h("b", {}, spoken(value, 6))),
    );
    const outside = place.outside.flat().some(Boolean);
    sums.replaceChildren(
      h("div", { class: "lt-equation" }, ...parts),
      formula(frame.formula.mathml, frame.formula.latex),
      sumFormula(frame, place, row, column, value),
      outside
        ? h("p", { class: "lt-quiet" }, word(frame.mode === "max" ? "convolution.padMax" : "convolution.padNote"))
        : "",
    );
  }

  function drawSizes(frame: ConvolutionFrame): void {
    const { alternatives, sizeFormulas } = frame;
    const several = sizeFormulas.length > 1;
    const names = [word("convolution.rows"), word("convolution.columns")];
    sizes.replaceChildren(
      h("h3", {}, word("convolution.sizeOut")),
      ...sizeFormulas.map((each, i) =>
        h("div", { class: "lt-size" }, several ? h("span", {}, names[i] ?? "") : "", formula(each.mathml, each.latex)),
      ),
      alternatives ? h("p", { class: "lt-quiet" }, word("convolution.omitted", alternatives)) : "",
    );
  }

  function drawTable(frame: ConvolutionFrame): void {
    tableBox.hidden = !tabled || !frame.output;
    if (!tabled || !frame.output) return;
    const [rows, columns] = frame.output.size;
    const heads = [word("convolution.row"), ...Array.from({ length: columns }, (_, c) => String(c))];
    const body = Array.from({ length: rows }, (_, r) => [
      String(r),
      ...[...output.subarray(r * columns, (r + 1) * columns)].map((value) => spoken(value, 4)),
    ]);
    set(tableBox, { "aria-label": word("convolution.output") });
    tableBox.replaceChildren(table(captions.output.textContent ?? "", heads, body));
  }

  function move(row: number, column: number): void {
    at = [row, column];
    drawPixel(host.frame);
  }

  function advance(): void {
    const [rows = 1, columns = 1] = host.frame.output?.size ?? [];
    const after = (at[0] * columns + at[1] + 1) % (rows * columns);
    move(Math.floor(after / columns), after % columns);
  }

  /** From window to window; while the pointer is on the output it waits. */
  function sweep(): void {
    timer = window.setInterval(() => {
      if (!hovering && !document.hidden) advance();
    }, SWEEP);
    draw(host.frame);
  }

  function stop(): void {
    clearInterval(timer);
    if (!timer) return;
    timer = 0;
    draw(host.frame);
  }

  draw(host.frame);
  host.frames(draw);
  host.on("language", () => draw(host.frame));
  onTheme(host, () => draw(host.frame));
  host.cleanup(() => clearInterval(timer));
  return host.end;
}

/** Which element of the window is its maximum: the first of several. */
function winner(window: number[][], outside: boolean[][]): [number, number] {
  let best: [number, number] = [0, 0];
  let most = -Infinity;
  window.forEach((line, r) =>
    line.forEach((value, c) => {
      if (outside[r]?.[c] || value <= most) return;
      most = value;
      best = [r, c];
    }),
  );
  return best;
}

export default { render };
