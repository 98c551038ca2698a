// The training panel.
import type { RenderProps } from "@anywidget/types";
import { button, h, ICONS, label, set } from "../shared/dom";
import { Host } from "../shared/host";
import { counted, spoken } from "../shared/numbers";
import { table } from "../shared/table";
import { timeline } from "../shared/timeline";
import { Chart } from "./chart";
import type { TrainingFrame } from "./contract";
import { rateControl } from "./rate";
import "./training.css";
import "./words";

function render({ model, el }: RenderProps) {
  const host = new Host<TrainingFrame>(model, el);
  const { word } = host;

  const run = button("", ICONS.pause, () =>
    host.send(host.frame.state === "running" ? "pause" : "resume"),
  );
  const step = button("", ICONS.step, () => host.send("step"));
  const stop = button("", ICONS.stop, () => host.send("stop"));
  const controls = h("div", { class: "lt-group", role: "group" }, run, step, stop);
  const state = h("span", { class: "lt-state", role: "status" });
  const count = h("span", { class: "lt-count", "data-role": "count" });
  const progress = h("progress", { max: 1, value: 0 });
  const pace = h("span", { class: "lt-quiet lt-pace" });
  const head = h("div", { class: "lt-bar" }, controls, state, h("div", { class: "lt-progress" }, count, progress, pace));

  const loss = h("h2", { "data-role": "loss" });
  const linear = button("", null, () => scale(false));
  const log = button("", null, () => scale(true));
  const scales = h("div", { class: "lt-group lt-segments", role: "group" }, linear, log);
  const toggleTable = button("", null, () => {
    tabled = !tabled;
    drawTable(host.frame);
  });
  let tabled = false;

  let seeking: number | null = null;
  let asked = 0;
  const chart = new Chart(word, (to) => {
    seeking = to;
    asked ||= requestAnimationFrame(() => {
      asked = 0;
      host.send("seek", { step: seeking });
    });
  });
  const tableBox = h("div", { class: "lt-scroll lt-losses", tabindex: 0, hidden: true });
  const time = timeline(host);
  // The slider lies under the chart and is as wide as its axis; what it reads stands above.
  const moment = h("div", { class: "lt-group" }, time.reading, time.live);
  const choices = h("div", { class: "lt-group lt-push" }, scales, toggleTable);
  const title = h("div", { class: "lt-bar lt-lossbar" }, loss, moment, choices);
  time.slider.classList.add("lt-under");
  const rate = rateControl(host);
  const alarm = h("div", { class: "lt-alarm", role: "alert", hidden: true });
  el.replaceChildren(head, alarm, title, chart.element, tableBox, time.slider, rate.element);

  function scale(logarithmic: boolean): void {
    chart.logarithmic = logarithmic;
    set(linear, { "aria-pressed": String(!logarithmic) });
    set(log, { "aria-pressed": String(logarithmic) });
    chart.draw();
  }

  function speak(): void {
    set(controls, { "aria-label": word("train.controls") });
    label(step, word("train.step"));
    label(stop, word("train.stop"));
    label(linear, word("loss.linear"));
    label(log, word("loss.log"));
    set(scales, { "aria-label": word("loss.scale") });
    label(toggleTable, word("table.show"));
    set(progress, { "aria-label": word("train.progress") });
  }

  function drawTable(frame: TrainingFrame): void {
    set(toggleTable, { "aria-pressed": String(tabled) });
    tableBox.hidden = !tabled;
    chart.element.hidden = tabled;
    if (!tabled) {
      chart.draw();
      return;
    }
    set(tableBox, { role: "region", "aria-label": word("loss.title") });
    const rows = [...frame.losses].reverse().map(([at, value]) => [counted(at), spoken(value, 5)]);
    tableBox.replaceChildren(
      table(word("loss.title"), [word("table.step"), word("table.loss")], rows),
    );
  }

  function drawFrame(frame: TrainingFrame): void {
    const steps = host.get<number | null>("steps");
    const over = ["done", "stopped", "error"].includes(frame.state);
    const running = frame.state === "running";
    const begun = frame.count > 0;
    label(run, word(running ? "train.pause" : begun ? "train.resume" : "train.start"));
    set(run.querySelector("path") ?? run, { d: running ? ICONS.pause : ICONS.play });
    run.disabled = step.disabled = stop.disabled = over;
    el.dataset.state = frame.state;
    el.dataset.count = String(frame.count);
    state.textContent = word(`train.state.${frame.state}`);
    state.dataset.state = frame.state;
    count.textContent = steps
      ? word("train.countOf", { count: counted(frame.count), steps: counted(steps) })
      : word("train.count", { count: counted(frame.count) });
    progress.hidden = !steps;
    if (steps) progress.value = frame.count / steps;
    pace.textContent = [
      running && frame.speed !== null && word("train.speed", { speed: spoken(frame.speed, 3) }),
      frame.left !== null && word("train.left", { time: timeText(frame.left) }),
    ]
      .filter(Boolean)
      .join(" · ");
    const shown = frame.time.live ? frame.loss : frame.lossShown;
    loss.textContent = `${word("loss.title")} ${spoken(shown, 4)}`;
    chart.draw(frame);
    if (tabled) drawTable(frame);
    time.draw(frame.time);
    rate.draw(frame);
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
  scale(false);
  set(toggleTable, { "aria-pressed": "false" });
  drawFrame(host.frame);
  host.frames(drawFrame);
  host.on("language", () => {
    speak();
    drawFrame(host.frame);
  });
  const room = new ResizeObserver(() => chart.draw());
  room.observe(chart.element);
  host.cleanup(() => room.disconnect());
  return host.end;
}

export default { render };
