// The playground.
import type { RenderProps } from "@anywidget/types";
import { button, h, ICONS, label, s, set } from "../shared/dom";
import { Host } from "../shared/host";
import { counted, spoken } from "../shared/numbers";
import { table } from "../shared/table";
import { timeline } from "../shared/timeline";
import { codeView } from "./code";
import {
  ACTIVATIONS,
  type Choices,
  DATA,
  type Line,
  MOST,
  OPTIMIZERS,
  PENALTIES,
  type Place,
  type PlayFrame,
  type Point,
} from "./contract";
import { choice, range } from "./fields";
import { lossView } from "./loss";
import { Network } from "./network";
import { type Brush, Plane } from "./plane";
import "./playground.css";
import "./words";

const RESET = "M8 2.6a5.4 5.4 0 1 0 5.2 6.9h-1.6A3.9 3.9 0 1 1 8 4.1c1 0 2 .4 2.7 1.1L8.6 7.3h5V2.4l-1.8 1.7A5.4 5.4 0 0 0 8 2.6z";
const DICE = "M3 2h10a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1V3a1 1 0 0 1 1-1zm.5 1.5v9h9v-9zM5 5h2v2H5zm4 4h2v2H9zm0-4h2v2H9zM5 9h2v2H5z";
// What stands for the data that have no points to show before they are chosen.
const SIGNS: Record<string, string> = {
  iris: "M24 44V27M24 27c-7-5-7-13 0-21 7 8 7 16 0 21zM24 27c-2-8-8-11-17-9 2 8 8 11 17 9zM24 27c2-8 8-11 17-9-2 8-8 11-17 9z",
  wine: "M15 6h18c2 12-1 20-9 20S13 18 15 6zM24 26v15M16 42h16M15 15h18",
  drawn: "M9 39l3-10L32 9l7 7-20 20zM28 13l7 7M9 39l10-3",
};
const RATES = [0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];
const STRENGTHS = [0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 1];
const BATCHES = [1, 5, 10, 20, 30, 0];
const SPEEDS = [2, 20, 100, 0];

function render({ model, el }: RenderProps) {
  const host = new Host<PlayFrame>(model, el);
  const { word } = host;
  const choices = () => host.get<Choices>("choices");
  const choose = (changes: Partial<Choices>) => host.send("choose", { changes });
  let looking: Place | null = null;
  let tabled = false;

  // the controls of the training

  const run = button("", ICONS.play, () => host.send(host.frame.state === "running" ? "pause" : "play"));
  run.classList.add("lt-run");
  const step = button("", ICONS.step, () => host.send("step"));
  const reset = button("", RESET, () => host.send("reset"));
  const controls = h("div", { class: "lt-group", role: "group" }, run, step, reset);
  const count = h("span", { class: "lt-count", "data-role": "count" });
  const speed = choice("", SPEEDS, (n) => (n ? word("play.pace", { steps: n }) : word("play.fullSpeed")), (n) =>
    host.send("pace", { speed: n }),
  );
  const rate = choice("optimizer", RATES, String, (lr) => choose({ lr }));
  const optimizer = choice("optimizer", OPTIMIZERS, (o) => word(`play.optimizer.${o}`), (optimizer) => choose({ optimizer }));
  const penalty = choice("penalty", PENALTIES, (p) => word(`play.penalty.${p}`), (penalty) => choose({ penalty }));
  const strength = choice("penalty", STRENGTHS, String, (strength) => choose({ strength }));
  const activation = choice("activation", ACTIVATIONS, (a) => word(`play.activation.${a}`), (activation) => choose({ activation }));
  const bar = h("div", { class: "lt-bar lt-top" }, controls, count, speed.element, h("div", { class: "lt-fields" }, rate.element, optimizer.element, penalty.element, strength.element));
  const alarm = h("div", { class: "lt-alarm", role: "alert", hidden: true });
  const time = timeline(host);

  const plane = new Plane(word, (points) => choose({ data: "drawn", points }));

  // the data

  const dataTitle = h("h2");
  const thumbs = h("div", { class: "lt-thumbs", role: "group", "data-part": "data" });
  const noise = range("noise", [0, 2, 0.1], (value) => spoken(value, 2), (noise) => choose({ noise }));
  const train = range("split", [10, 90, 10], (value) => word("play.percent", { value }), (train) => choose({ train }));
  const batch = choice("batch", BATCHES, (n) => (n ? String(n) : word("play.batchAll")), (batch) => choose({ batch }));
  const seedName = h("span");
  const seed = h("input", { type: "number", class: "lt-box", min: 0, max: 99999, step: 1 });
  const dice = button("", DICE, () => choose({ seed: (choices().seed + 1) % 100000 }), true);
  const newSeed = () => {
    const value = Number(seed.value);
    if (Number.isInteger(value) && value >= 0 && value <= 99999 && seed.value !== "") choose({ seed: value });
    else seed.value = String(choices().seed);
  };
  seed.addEventListener("change", newSeed);
  const seedField = h("div", { class: "lt-field lt-seed", "data-part": "seed" }, h("label", {}, seedName, seed), dice);
  const keep = h("input", { type: "checkbox" });
  keep.addEventListener("change", () => host.send("keep", { on: keep.checked }));
  const keepName = h("span");
  const keepField = h("label", { class: "lt-keep" }, keep, keepName);
  const brushes = ([1, 0, "erase"] as const).map((brush) => {
    const element = button("", null, () => pick(plane.brush === brush ? null : brush));
    if (brush !== "erase") element.prepend(h("i", { class: `lt-class-${brush}`, "aria-hidden": "true" }));
    return [brush, element] as const;
  });
  const clear = button("", null, () => choose({ data: "drawn", points: [] }));
  const brushTitle = h("h3");
  const drawTools = h("div", { class: "lt-brushes", role: "group" }, ...brushes.map(([, e]) => e), clear);
  const room = h("p", { class: "lt-quiet lt-room", role: "status" });
  const drawing = h("div", {}, brushTitle, drawTools, room);
  const data = h("section", { class: "lt-data" }, dataTitle, thumbs, noise.element, train.element, batch.element, seedField, keepField, drawing);

  // the network

  const look = (place: Place | null) => {
    looking = place;
    drawPlane(host.frame);
  };
  const network = new Network(word, {
    choose,
    look,
    write: (layer, unit, source, value) => host.send("weight", { layer, unit, source, value }),
  });
  const layers = h("h2", { "aria-live": "polite" });
  const fewer = button("", ICONS.minus, () => choose({ layers: choices().layers.slice(0, -1) }), true);
  const more = button("", ICONS.plus, () => choose({ layers: [...choices().layers, choices().layers.at(-1) ?? 4] }), true);
  const middle = h(
    "section",
    { class: "lt-middle" },
    h("div", { class: "lt-middle-head", "data-part": "network" }, h("div", { class: "lt-group" }, fewer, layers, more), activation.element),
    h("div", { class: "lt-net-box" }, network.element),
  );

  // the output

  const losses = lossView(word);
  const planeTitle = h("h2");
  const scale = h("div", { class: "lt-scale" });
  const output = h(
    "section",
    { class: "lt-side" },
    losses.element,
    h("div", {}, planeTitle, plane.element, scale, plane.reading),
  );

  function pick(brush: Brush): void {
    plane.brush = brush;
    plane.element.classList.toggle("lt-drawing", brush !== null);
    for (const [each, element] of brushes) set(element, { "aria-pressed": String(each === brush) });
    plane.speak();
    drawRoom();
  }

  // the program

  const codeTitle = h("h2");
  const code = codeView();
  const imports = ["torch", "labtorch"].map((name) => {
    const element = button(name, null, () => host.send("engine", { name }));
    return [name, element] as const;
  });
  const engines = h("div", { class: "lt-group lt-segments", role: "group" }, ...imports.map(([, e]) => e));
  const copy = button("", null, () => put(copy, host.get<Line[]>("lines").map(([text]) => text).join("\n")));
  const link = button("", null, () => put(link, `lab.playground(${JSON.stringify(choices().text)})`));
  const toggleTable = button("", null, () => {
    tabled = !tabled;
    drawTable();
  });
  const notes = h("p", { class: "lt-notes lt-quiet", role: "status" });
  const program = h(
    "section",
    { class: "lt-program" },
    h("div", { class: "lt-bar" }, codeTitle, engines, copy, link, h("div", { class: "lt-group lt-push" }, toggleTable)),
    notes,
    code.element,
  );
  const tableBox = h("div", { class: "lt-scroll lt-table-box", tabindex: 0, role: "region", hidden: true });
  el.classList.add("lt-playground");
  el.replaceChildren(bar, time.element, alarm, h("div", { class: "lt-board" }, data, middle, output, program), tableBox);

  async function put(element: HTMLButtonElement, text: string): Promise<void> {
    await navigator.clipboard.writeText(text);
    label(element, word("play.copied"));
    setTimeout(speak, 1500);
  }

  // What belongs together lights up together: a unit and the line of code that makes it.
  function light({ target }: Event): void {
    const part = target instanceof Element ? target.closest<HTMLElement>("[data-part]")?.dataset.part : "";
    for (const each of el.querySelectorAll<HTMLElement>("[data-part]"))
      each.classList.toggle("lt-together", Boolean(part) && each.dataset.part === part);
  }
  el.addEventListener("pointerover", light);
  el.addEventListener("focusin", light);
  el.addEventListener("pointerleave", light);

  // drawing

  function speak(): void {
    set(controls, { "aria-label": word("play.controls") });
    label(step, word("play.step"));
    label(reset, word("play.reset"));
    dataTitle.textContent = word("play.data");
    set(thumbs, { "aria-label": word("play.data") });
    seedName.textContent = word("play.seed");
    label(dice, "", word("play.otherSeed"));
    keepName.textContent = word("play.keep");
    keepField.title = word("play.keepLong");
    set(network.element, { "aria-label": word("play.network") });
    label(fewer, "", word("play.fewerLayers"));
    label(more, "", word("play.moreLayers"));
    for (const [brush, element] of brushes) label(element, word(`play.brush.${brush}`));
    brushTitle.textContent = word("play.draw");
    set(drawTools, { "aria-label": word("play.draw") });
    label(clear, word("play.clear"));
    codeTitle.textContent = word("play.code");
    codeTitle.title = word("play.codeHelp");
    set(engines, { "aria-label": word("play.engine") });
    label(copy, word("play.copy"));
    label(link, word("play.link"));
    label(toggleTable, word("table.show"));
    plane.speak();
  }

  function drawThumbs(): void {
    const now = choices();
    const samples = host.get<Record<string, Point[]>>("samples");
    const focused = thumbs.querySelector<HTMLElement>(":focus")?.dataset.name;
    thumbs.replaceChildren(
      ...DATA.map((name) => {
        const text = word(`play.data.${name}`);
        const points = name === "drawn" ? now.points : samples[name];
        const element = h(
          "button",
          { type: "button", class: "lt-thumb", "data-name": name, "aria-pressed": String(name === now.data) },
          points?.length ? thumbnail(points, name === "waves") : s("svg", { viewBox: "0 0 48 48", class: "lt-sign", "aria-hidden": "true" }, s("path", { d: SIGNS[name] ?? "" })),
          h("span", {}, text),
        );
        element.addEventListener("click", () => {
          if (name === "drawn" && plane.brush === null) pick(1);
          if (name !== "drawn") pick(null);
          choose({ data: name });
        });
        return element;
      }),
    );
    thumbs.querySelector<HTMLElement>(`[data-name="${focused}"]`)?.focus();
  }

  function drawChoices(): void {
    const now = choices();
    drawThumbs();
    speed.draw(word("play.speed"), host.get<number>("speed"));
    rate.draw(word("play.lr"), now.lr);
    optimizer.draw(word("play.optimizer"), now.optimizer);
    penalty.draw(word("play.penalty"), now.penalty);
    strength.draw(word("play.strength"), now.strength);
    strength.element.hidden = now.penalty === "none";
    activation.draw(word("play.activation"), now.activation);
    noise.draw(word("play.noise"), now.noise);
    noise.element.hidden = now.data === "drawn";
    train.draw(word("play.train"), now.train);
    batch.draw(word("play.batch"), now.batch);
    set(seed, { "aria-label": word("play.seed") });
    if (!seed.matches(":focus")) seed.value = String(now.seed);
    keep.checked = host.get<boolean>("keep");
    const deep = now.layers.length;
    layers.textContent = word(deep === 1 ? "play.hiddenOne" : "play.hidden", { count: deep });
    fewer.disabled = deep === 0;
    more.disabled = deep >= MOST.layers;
    plane.regression = now.data === "waves";
    for (const [name, element] of imports) set(element, { "aria-pressed": String(name === host.get("engine")) });
    drawRoom();
    drawPoints();
    drawProgram();
    drawFrame(host.frame);
  }

  function drawRoom(): void {
    const now = choices();
    const left = MOST.points - now.points.length;
    const drawing = now.data === "drawn" || plane.brush !== null;
    clear.disabled = now.data !== "drawn" || !now.points.length;
    room.textContent = !drawing
      ? ""
      : left
        ? word("play.left", { count: now.points.length, left })
        : word("play.full", { count: MOST.points });
  }

  function drawPoints(): void {
    plane.points(host.get<number[][]>("points"), choices().points, choices().data === "drawn");
    if (tabled) drawTable();
  }

  function drawProgram(): void {
    code.draw(host.get<Line[]>("lines"), word("play.code"));
  }

  function drawNetwork(): void {
    network.draw(choices(), host.frame, host.get<{ names: string[]; maps: string }>("inputs"));
  }

  function drawPlane(frame: PlayFrame): void {
    const map = looking ? network.map(looking) : null;
    planeTitle.textContent = looking && map ? network.name(looking) : word("play.output");
    plane.element.classList.toggle("lt-looking", map !== null);
    if (map) plane.show(map.cells, map.limit);
    else plane.show(frame.output, null);
    const most = map ? spoken(map.limit, 2) : plane.regression ? "1" : null;
    const ends = most ? [`−${most}`, `+${most}`] : [word("play.scaleLow"), word("play.scaleHigh")];
    const key = ends.join();
    if (scale.dataset.key === key) return;
    scale.dataset.key = key;
    scale.replaceChildren(ends[0] ?? "", h("i", { "aria-hidden": "true" }), ends[1] ?? "");
  }

  function drawFrame(frame: PlayFrame): void {
    const running = frame.state === "running";
    el.dataset.state = frame.state;
    el.dataset.count = String(frame.count);
    el.dataset.shown = String(frame.shown);
    label(run, word(running ? "play.pause" : "play.start"));
    set(run.querySelector("path") ?? run, { d: running ? ICONS.pause : ICONS.play });
    run.disabled = step.disabled = !frame.trainable;
    count.textContent = word("play.count", { count: counted(frame.count) });
    time.draw(frame.time);
    losses.draw(frame);
    drawNetwork();
    drawPlane(frame);
    notes.textContent = [
      frame.missing && word("play.missing"),
      ...(["rate", "edits", "kept"] as const).map((each) => {
        const values = frame.notes[each];
        return values && word(`play.note.${each}`, values);
      }),
    ]
      .filter(Boolean)
      .join(" ");
    drawAlarm(frame);
    if (tabled && !running) drawTable();
  }

  let told = "";
  function drawAlarm({ alarm: now }: PlayFrame): void {
    alarm.hidden = !now;
    const tells = JSON.stringify([now, host.language]);
    if (!now || tells === told) return;
    told = tells;
    const restart = button(word("play.restart"), RESET, () => host.send("reset"));
    const text = now.kind === "diverged" ? word("play.diverged", { step: counted(now.step) }) : word("play.fault", now);
    alarm.replaceChildren(h("p", {}, text), restart);
  }

  function drawTable(): void {
    set(toggleTable, { "aria-pressed": String(tabled) });
    tableBox.hidden = !tabled;
    if (!tabled) return;
    const now = choices();
    set(tableBox, { "aria-label": word("play.tableWeights") });
    const weights = host.frame.layers.flatMap((layer, at) =>
      layer.weights.map((row, unit) => {
        const place = { layer: at + 1, unit };
        const sources = row.map((w, i) => `${network.name({ layer: at, unit: i })}: ${spoken(w, 4)}`);
        return [network.name(place), spoken(layer.biases[unit], 4), sources.join("; ")];
      }),
    );
    const points = host.get<number[][]>("points").map(([x1, x2, label, tested], at) => [
      String(at + 1),
      word(tested ? "play.part.test" : "play.part.train"),
      spoken(x1, 3),
      spoken(x2, 3),
      spoken(label, 3),
    ]);
    tableBox.replaceChildren(
      table(word("play.tableWeights"), [word("play.table.unit"), word("play.bias"), word("play.weight")], weights),
      table(
        word("play.tablePoints"),
        ["#", word("play.table.part"), "x1", "x2", word(now.data === "waves" ? "play.table.label" : "play.table.class")],
        points,
        2,
      ),
    );
  }

  pick(null);
  speak();
  set(toggleTable, { "aria-pressed": "false" });
  drawChoices();
  host.frames(drawFrame);
  for (const name of ["choices", "speed", "keep", "engine"]) host.on(name, drawChoices);
  host.on("lines", drawProgram);
  host.on("points", drawPoints);
  host.on("inputs", drawNetwork);
  host.on("language", () => {
    told = "";
    speak();
    drawChoices();
  });
  const resized = new ResizeObserver(() => drawNetwork());
  resized.observe(network.element);
  host.cleanup(() => resized.disconnect());
  return host.end;
}

function thumbnail(points: Point[], regression: boolean): SVGElement {
  const dots = points.map(([x1, x2, label]) => {
    const dot = s("circle", { cx: (x1 + 6) * 4, cy: (6 - x2) * 4, r: 2 });
    const share = regression ? label : 2 * label - 1;
    dot.style.fill = share < 0 ? "var(--lt-negative)" : "var(--lt-positive)";
    return dot;
  });
  return s("svg", { viewBox: "0 0 48 48", "aria-hidden": "true" }, ...dots);
}

export default { render };
