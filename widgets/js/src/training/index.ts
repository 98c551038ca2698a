// The training panel, and, without its controls, the comparison of several trainings.
import type { RenderProps } from "@anywidget/types";
import { button, h, ICONS, label, set } from "../shared/dom";
import { Host } from "../shared/host";
import { counted, spoken } from "../shared/numbers";
import { timeline } from "../shared/timeline";
import { Chart } from "./chart";
import { PACES, type ChartFrame, type TrainingFrame } from "./contract";
import { parameterDrawer } from "./drawer";
import { rateControl } from "./rate";
import { legend, tables } from "./runs";
import "./training.css";
import "./words";

const OVER = ["done", "stopped", "error"];
const MAIN = 196;
const SMALL = 128;

/** The charts with their legend and table: what panel and comparison have in common. */
function charts(host: Host<ChartFrame>, seek: (step: number) => void) {
  const { word } = host;
  const linear = button("", null, () => keep("logarithmic", false));
  const log = button("", null, () => keep("logarithmic", true));
  const scales = h("div", { class: "lt-group lt-segments", role: "group" }, linear, log);
  const toggleTable = button("", null, () => keep("tabled", !host.get<boolean>("tabled")));
  const keys = legend(host, (what, key) => {
    const before = host.get<string[]>(what);
    keep(what, before.includes(key) ? before.filter((each) => each !== key) : [...before, key]);
  });
  const main = h("div", { class: "lt-main-chart" });
  const small = h("div", { class: "lt-multiples" });
  const tableBox = h("div", { class: "lt-scroll lt-losses", tabindex: 0, hidden: true });
  const drawn = new Map<string, Chart>();
  const room = new ResizeObserver(() => drawCharts(host.frame));
  room.observe(main);
  host.cleanup(() => room.disconnect());

  /** A choice shows at once, and is kept by the kernel, for other tabs and after a reload. */
  function keep(name: string, value: unknown): void {
    host.model.set(name, value);
    host.send("keep", { name, value });
  }
  for (const name of ["logarithmic", "tabled", "hidden", "closed"]) host.on(name, () => draw(host.frame));

  function chart(metric: string): Chart {
    let found = drawn.get(metric);
    if (!found) {
      const made = new Chart(word, metric, metric === "loss" ? MAIN : SMALL, {
        seek,
        point: (step) => {
          for (const each of drawn.values()) each.point(step, step !== null && each === made);
        },
      });
      found = made;
      drawn.set(metric, made);
      (metric === "loss" ? main : small).append(made.element);
    }
    return found;
  }

  function drawCharts(frame: ChartFrame): void {
    const closed = host.get<string[]>("closed");
    const names = ["loss", ...frame.metrics.map(({ name }) => name).filter((name) => name !== "loss")];
    small.hidden = names.length < 2 || names.slice(1).every((name) => closed.includes(name));
    for (const name of names) {
      const each = chart(name);
      each.element.hidden = name !== "loss" && closed.includes(name);
      each.logarithmic = name === "loss" && host.get<boolean>("logarithmic");
      each.hidden = host.get<string[]>("hidden");
      each.draw(frame);
    }
    host.el.style.setProperty("--lt-right", `${chart("loss").marginRight(frame)}px`);
  }

  function draw(frame: ChartFrame): void {
    const logarithmic = host.get<boolean>("logarithmic");
    const tabled = host.get<boolean>("tabled");
    set(linear, { "aria-pressed": String(!logarithmic) });
    set(log, { "aria-pressed": String(logarithmic) });
    set(toggleTable, { "aria-pressed": String(tabled) });
    label(linear, word("loss.linear"));
    label(log, word("loss.log"));
    set(scales, { "aria-label": word("loss.scale") });
    label(toggleTable, word("table.show"));
    keys.draw(frame);
    tableBox.hidden = !tabled;
    main.hidden = tabled;
    if (tabled) {
      small.hidden = true;
      set(tableBox, { role: "region", "aria-label": word("loss.title") });
      const at = tableBox.scrollTop;
      tableBox.replaceChildren(...tables(host, frame));
      tableBox.scrollTop = at;
    } else drawCharts(frame);
  }

  return { scales, toggleTable, legend: keys.element, parts: [main, tableBox, small], draw, keep };
}

function renderComparison(host: Host<ChartFrame>, el: HTMLElement): void {
  const { word } = host;
  const title = h("h2");
  const shown = charts(host, () => {});
  const bar = h("div", { class: "lt-bar" }, title, shown.legend, h("div", { class: "lt-group lt-push" }, shown.scales, shown.toggleTable));
  el.classList.add("lt-comparison");
  const summary = h("div", { class: "lt-scroll lt-summary", role: "region", tabindex: 0 });
  el.replaceChildren(bar, ...shown.parts, summary);
  const draw = (frame: ChartFrame) => {
    title.textContent = word("compare.title");
    set(summary, { "aria-label": word("run.runs") });
    shown.draw(frame);
    const [first] = tables(host, frame);
    summary.hidden = host.get<boolean>("tabled");
    summary.replaceChildren(first ?? "");
    el.dataset.runs = String(frame.runs.length);
  };
  draw(host.frame);
  host.frames(draw);
  host.on("language", () => draw(host.frame));
  host.on("tabled", () => draw(host.frame));
}

function renderPanel(host: Host<TrainingFrame>, el: HTMLElement): void {
  const { word } = host;
  const run = button("", ICONS.pause, () => host.send(host.frame.state === "running" ? "pause" : "resume"));
  const op = button("", OP, () => host.send("op"));
  const step = button("", ICONS.step, () => host.send("step"));
  const stop = button("", ICONS.stop, () => host.send("stop"));
  const controls = h("div", { class: "lt-group", role: "group" }, run, op, step, stop);
  const pace = h("select", { class: "lt-select" });
  pace.addEventListener("change", () => host.send("pace", { name: pace.value }));
  const state = h("span", { class: "lt-state", role: "status" });
  const count = h("span", { class: "lt-count", "data-role": "count" });
  const progress = h("progress", { max: 1, value: 0 });
  const speed = h("span", { class: "lt-quiet lt-pace" });
  const head = h(
    "div",
    { class: "lt-bar" },
    controls,
    pace,
    state,
    h("div", { class: "lt-progress" }, count, progress, speed),
  );

  const loss = h("h2", { "data-role": "loss" });
  const readings = h("div", { class: "lt-group lt-readings" });

  let seeking: number | null = null;
  let asked = 0;
  const shown = charts(host as unknown as Host<ChartFrame>, (to) => {
    seeking = to;
    asked ||= requestAnimationFrame(() => {
      asked = 0;
      host.send("seek", { step: seeking });
    });
  });
  const time = timeline(host);
  // The slider lies under the chart and is as wide as its axis; what it reads stands above.
  const moment = h("div", { class: "lt-group" }, time.reading, time.live);
  const toggleDrawer = button("", null, () => shown.keep("drawer", !host.get<boolean>("drawer")));
  const choices = h("div", { class: "lt-group lt-push" }, shown.scales, shown.toggleTable, toggleDrawer);
  const title = h("div", { class: "lt-bar lt-lossbar" }, loss, moment, choices);
  time.slider.classList.add("lt-under");
  const rate = rateControl(host);
  const drawer = parameterDrawer(host);
  const alarm = h("div", { class: "lt-alarm", role: "alert", hidden: true });
  const [main, tableBox, small] = shown.parts;
  el.replaceChildren(
    head,
    alarm,
    title,
    readings,
    shown.legend,
    main ?? "",
    tableBox ?? "",
    time.slider,
    small ?? "",
    rate.element,
    drawer.element,
  );

  function speak(): void {
    set(controls, { "aria-label": word("train.controls") });
    label(step, word("train.step"));
    label(op, word("train.op"));
    op.title = word("train.opTitle");
    step.title = word("train.stepTitle");
    label(stop, word("train.stop"));
    label(toggleDrawer, word("edit.title"));
    set(progress, { "aria-label": word("train.progress") });
    set(pace, { "aria-label": word("pace.title") });
    pace.replaceChildren(...PACES.map((name) => h("option", { value: name }, word(`pace.${name}`))));
    pace.value = host.frame.pace;
  }

  function countText(frame: TrainingFrame): string {
    const { epoch, epochs, done, length } = frame.epochs;
    if (epoch) {
      const values = { epoch, epochs: epochs ?? "", done: counted(done ?? 0), length: counted(length ?? 0) };
      if (length) return word(epochs ? "train.epochOf" : "train.epoch", values);
      return word(epochs ? "train.epochUnknownOf" : "train.epochUnknown", values);
    }
    const steps = host.get<number | null>("steps");
    return steps
      ? word("train.countOf", { count: counted(frame.count), steps: counted(steps) })
      : word("train.count", { count: counted(frame.count) });
  }

  function paceText(frame: TrainingFrame): string {
    if (frame.op && frame.within) {
      const { name, kind, backward } = frame.op;
      return word(kind !== "op" ? "train.opLeaf" : backward ? "train.opBackward" : "train.opForward", { name });
    }
    const running = frame.state === "running";
    return [
      frame.validating && word("train.validating"),
      running && frame.speed !== null && word("train.speed", { speed: spoken(frame.speed, 3) }),
      frame.left !== null && word("train.left", { time: timeText(frame.left) }),
    ]
      .filter(Boolean)
      .join(" · ");
  }

  function drawReadings(frame: TrainingFrame): void {
    const now = frame.time.live ? frame.loss : frame.lossShown;
    loss.textContent = `${word("loss.title")} ${spoken(now, 4)}`;
    readings.hidden = frame.readings.length < 2 && !frame.readings[0]?.validation && frame.time.live;
    readings.replaceChildren(
      ...frame.readings.flatMap(({ metric, value, validation }) => {
        const parts = metric === "loss" ? [] : [reading(metric, spoken(value, 4), metric)];
        if (validation) {
          const name = `${metric === "loss" ? "" : `${metric} `}${word("metric.validation")}`;
          const best = validation.best === null ? "" : ` (${word("metric.best", { value: spoken(validation.best, 4) })})`;
          parts.push(reading(name, `${spoken(validation.value, 4)}${best}`, `${metric} validation`));
        }
        return parts;
      }),
      ...(frame.time.live || frame.rateShown === null
        ? []
        : [reading(word("table.rate"), String(frame.rateShown), "rate")]),
    );
  }

  function reading(name: string, value: string, role: string): HTMLElement {
    return h("span", { "data-role": role }, h("span", { class: "lt-quiet" }, `${name} `), value);
  }

  function drawFrame(frame: TrainingFrame): void {
    const steps = host.get<number | null>("steps");
    const over = OVER.includes(frame.state);
    const running = frame.state === "running";
    const begun = frame.count > 0 || frame.within;
    label(run, word(running ? "train.pause" : begun ? "train.resume" : "train.start"));
    set(run.querySelector("path") ?? run, { d: running ? ICONS.pause : ICONS.play });
    run.disabled = op.disabled = step.disabled = stop.disabled = pace.disabled = over;
    if (!pace.matches(":focus")) pace.value = frame.pace;
    el.dataset.state = frame.state;
    el.dataset.count = String(frame.count);
    el.dataset.within = String(frame.within);
    state.textContent = word(`train.state.${frame.state}`);
    state.dataset.state = frame.state;
    count.textContent = countText(frame);
    progress.hidden = !steps;
    if (steps) progress.value = frame.count / steps;
    speed.textContent = paceText(frame);
    set(toggleDrawer, { "aria-pressed": String(host.get<boolean>("drawer")) });
    drawReadings(frame);
    shown.draw(frame);
    time.draw(frame.time);
    rate.draw(frame);
    drawer.draw(frame);
    drawAlarm(frame);
  }

  let told = "";
  function drawAlarm({ fault, nonfinite, state: now }: TrainingFrame): void {
    alarm.hidden = now !== "error";
    const tells = JSON.stringify([fault, nonfinite, now, host.language]);
    if (alarm.hidden || tells === told) return;
    told = tells;
    const kept = h("p", { class: "lt-quiet" }, word("train.kept"));
    if (fault) {
      const place = [
        fault.where || (fault.line === null ? "" : word("train.cell")),
        fault.line === null ? "" : word("train.line", { line: fault.line }),
        fault.function && !fault.function.startsWith("<")
          ? word("pane.in", { function: fault.function })
          : "",
      ];
      const where = place.filter(Boolean).join(" · ");
      alarm.replaceChildren(
        h("strong", {}, fault.type),
        h("p", { class: "lt-message" }, fault.message),
        where ? h("p", {}, h("code", {}, fault.text), h("span", { class: "lt-quiet" }, `  ${where}`)) : "",
        kept,
      );
      return;
    }
    alarm.replaceChildren(
      h(
        "strong",
        {},
        nonfinite
          ? word("train.nonfiniteAt", { step: counted(nonfinite.step), op: nonfinite.op })
          : word("train.nonfinite"),
      ),
      nonfinite ? h("p", { class: "lt-message" }, nonfinite.message) : "",
      kept,
    );
  }

  function timeText(seconds: number): string {
    const whole = Math.ceil(seconds);
    if (whole < 60) return word("duration.seconds", { seconds: whole });
    const minutes = Math.floor(whole / 60);
    if (minutes < 60) return word("duration.minutes", { minutes, seconds: whole % 60 });
    return word("duration.hours", { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
  }

  speak();
  drawFrame(host.frame);
  host.frames(drawFrame);
  host.on("drawer", () => drawFrame(host.frame));
  host.on("language", () => {
    speak();
    drawFrame(host.frame);
  });
}

// A bracket around one step of many.
const OP = "M3 2.5v11l5.5-5.5zM10 3.2l1-1 2.8 5.8-2.8 5.8-1-1L12.2 8z";

function render({ model, el }: RenderProps) {
  const host = new Host<TrainingFrame>(model, el);
  if (host.get<boolean>("controls")) renderPanel(host, el);
  else renderComparison(host as unknown as Host<ChartFrame>, el);
  return host.end;
}

export default { render };
