// The loss as a landscape, with the path walked over it.
import type { RenderProps } from "@anywidget/types";
import { button, h, label, set } from "../shared/dom";
import { Host } from "../shared/host";
import { counted, finite, secondsText, spoken } from "../shared/numbers";
import { table } from "../shared/table";
import { timeline } from "../shared/timeline";
import type { Chart, Kind, SurfaceFrame, Window } from "./contract";
import { lossAt, type Place, placeOf } from "./land";
import { scale, SurfaceMap } from "./map";
import { Relief } from "./relief";
import "./surface.css";
import "./words";

function render({ model, el }: RenderProps) {
  const host = new Host<SurfaceFrame>(model, el);
  const { word } = host;
  const chart = () => host.get<Chart | null>("map");
  const elements = host.get<string[]>("elements");

  const map = new SurfaceMap(word, {
    aimed: () => drawSide(host.frame),
    put: (place) => host.frame.canPut && host.send("put", { ...place }),
    zoom,
    follow: () => host.send("fit"),
    pan: ({ u, v }) => move(({ window: [u0, u1, v0, v1] }) => [u0 + u, u1 + u, v0 + v, v1 + v]),
  });
  const relief = new Relief(word);

  const title = h("h2");
  const step = h("span", { class: "lt-quiet", "data-role": "step" });
  const plane = h("select", { class: "lt-sf-select" });
  const first = h("select", { class: "lt-sf-select" });
  const second = h("select", { class: "lt-sf-select" });
  const phase = h("span", { class: "lt-quiet lt-sf-phase", role: "status" });
  const halt = button("", null, () => host.send(host.frame.phase === "computing" ? "stop" : "resume"));
  const anew = button("", null, () => host.send("recentre"));
  const flat = button("", null, () => look(false));
  const raised = button("", null, () => look(true));
  const looks = h("div", { class: "lt-group lt-segments", role: "group" }, flat, raised);
  const toggleTable = button("", null, () => {
    tabled = !tabled;
    drawFrame(host.frame);
  });
  let tabled = false;
  let high = false;
  const choices = h("div", { class: "lt-group" }, plane, first, second);
  const bar = h("div", { class: "lt-bar" }, title, step, choices, h("div", { class: "lt-group lt-push" }, looks, anew, toggleTable));
  const time = timeline(host);
  const alarm = h("div", { class: "lt-alarm", role: "alert", hidden: true });

  const smaller = button("−", null, () => zoom(1.6));
  const larger = button("+", null, () => zoom(1 / 1.6));
  const fit = button("", null, () => host.send("fit"));
  const nothing = h("p", { class: "lt-sf-nothing lt-quiet" });
  const stage = h(
    "div",
    { class: "lt-sf-stage" },
    map.element,
    relief.element,
    nothing,
    h("div", { class: "lt-group lt-sf-zoom" }, smaller, larger, fit),
  );
  const legend = h("div", { class: "lt-sf-legend" });
  const side = h("div", { class: "lt-sf-side" });
  const here = h("div", { "aria-live": "polite", class: "lt-sf-here" });
  const put = button("", null, () => map.aim && host.send("put", { ...map.aim }));
  const ball = h("div", { class: "lt-sf-ballinfo" });
  side.append(ball, here, put, h("div", { class: "lt-group lt-sf-work" }, phase, halt));
  const tableBox = h("div", { class: "lt-scroll lt-sf-table", tabindex: 0, hidden: true });
  const main = h("div", { class: "lt-sf-main" }, stage, tableBox, legend, side);
  el.replaceChildren(bar, time.element, alarm, main);

  plane.addEventListener("change", () => {
    if (plane.value === "parameters") choose(elements[0], elements[1]);
    else host.send("plane", { kind: plane.value });
  });
  for (const select of [first, second])
    select.addEventListener("change", () => choose(first.value, second.value));

  function choose(across: string | undefined, up: string | undefined): void {
    if (across && up) host.send("plane", { kind: "parameters", parameters: [across, up] });
  }

  function move(to: (chart: Chart) => Window): void {
    const now = chart();
    if (now) host.send("window", { window: to(now) });
  }

  function zoom(factor: number): void {
    move(({ window: [u0, u1, v0, v1] }) => {
      const middle = map.aim ?? placeOf(host.frame.ball) ?? { u: (u0 + u1) / 2, v: (v0 + v1) / 2 };
      const near = (from: number, to: number) => to + (from - to) * factor;
      return [near(u0, middle.u), near(u1, middle.u), near(v0, middle.v), near(v1, middle.v)];
    });
  }

  function look(up: boolean): void {
    high = up;
    drawFrame(host.frame);
  }

  function names(frame: SurfaceFrame): [string, string] {
    if (frame.kind === "parameters") return frame.labels;
    const { kind } = frame;
    const share = (i: 0 | 1) => (frame.share ? ` (${spoken(frame.share[i] * 100, 3)} %)` : "");
    return [word(`surface.axis.${kind}.u`) + share(0), word(`surface.axis.${kind}.v`) + share(1)];
  }

  function speak(): void {
    title.textContent = word("surface.title");
    set(plane, { "aria-label": word("surface.plane") });
    set(first, { "aria-label": word("surface.first") });
    set(second, { "aria-label": word("surface.second") });
    set(looks, { "aria-label": word("surface.look") });
    label(flat, word("surface.flat"));
    label(raised, word("surface.relief"));
    label(anew, word("surface.recentre"));
    anew.title = word("surface.recentreWhy");
    label(toggleTable, word("table.show"));
    label(smaller, "−", word("surface.zoomOut"));
    label(larger, "+", word("surface.zoomIn"));
    label(fit, word("surface.fit"));
    fit.title = word("surface.fitWhy");
    label(put, word("surface.put"));
    put.title = word("surface.putWhy");
    nothing.textContent = word("surface.nothing");
    map.speak();
    relief.speak();
    told = "";
  }

  let told = "";
  function drawChoices(frame: SurfaceFrame): void {
    const tells = JSON.stringify([frame.kind, frame.chosen, frame.given, host.language]);
    if (tells === told) return;
    told = tells;
    const kinds: Kind[] = ["random", "pca", "gradient"];
    if (elements.length > 1 || frame.kind === "parameters") kinds.unshift("parameters");
    if (frame.given) kinds.push("given");
    fill(plane, kinds.map((kind) => [kind, word(`surface.plane.${kind}`)]), frame.kind);
    const known = elements.length ? elements : frame.chosen;
    for (const [at, select] of [first, second].entries()) {
      select.hidden = frame.kind !== "parameters" || known.length <= 2;
      fill(select, known.map((name) => [name, name]), frame.chosen[at] ?? "");
    }
  }

  function drawPhase(frame: SurfaceFrame): void {
    const { progress } = frame;
    halt.hidden = !["computing", "stopped", "failed"].includes(frame.phase);
    label(halt, word(frame.phase === "computing" ? "surface.stop" : "surface.resume"));
    if (frame.phase === "waiting")
      phase.textContent = word(frame.kind === "pca" ? "surface.phase.waitingPath" : "surface.phase.waiting");
    else if (frame.phase === "failed") phase.textContent = word("surface.phase.failed");
    else if (!progress?.stride) phase.textContent = word("surface.phase.begun");
    else
      phase.textContent = word(`surface.phase.${frame.phase}`, {
        across: progress.shape[0],
        up: progress.shape[1],
        count: counted(progress.count),
        total: counted(progress.total),
        seconds: secondsText(progress.seconds),
      });
    alarm.hidden = frame.phase !== "failed";
    alarm.replaceChildren(h("strong", {}, word("surface.phase.failed")), h("p", {}, frame.error));
  }

  function facts(heading: string, rows: (readonly [string, string, string?] | null)[]): HTMLElement {
    return h(
      "section",
      {},
      h("h3", {}, heading),
      h(
        "dl",
        {},
        ...rows.map((row) => row && h("div", { title: row[2] ?? null }, h("dt", {}, row[0]), h("dd", {}, row[1]))),
      ),
    );
  }

  function ground(place: Place): string {
    const now = chart();
    const loss = now && lossAt(now, place);
    if (loss === null) return word("surface.outside");
    return finite(loss) ? spoken(loss, 4) : word("surface.noNumber");
  }

  function drawSide(frame: SurfaceFrame): void {
    const [across, up] = frame.kind === "parameters" ? names(frame) : ["u", "v"];
    const at = frame.ball;
    const place = placeOf(at);
    const parts: (HTMLElement | string)[] = [];
    if (at && place) {
      const off = finite(at.off) && at.off > 0;
      parts.push(
        facts(`${word("surface.ball")} · ${word("time.step", { step: counted(at.step) })}`, [
          [across, spoken(place.u, 4)],
          [up, spoken(place.v, 4)],
          [word("surface.recorded"), spoken(at.loss, 4)],
          [word("surface.ground"), ground(place)],
          off ? [word("surface.off"), spoken(at.off, 3), word("surface.offWhy")] : null,
        ]),
      );
      const start = frame.trail[0]?.loss;
      if (finite(start) && finite(at.loss) && start > 0 && at.loss > 1.5 * start)
        parts.push(h("p", { class: "lt-sf-climbs" }, word("surface.climbs", { times: spoken(at.loss / start, 3) })));
    } else
      parts.push(h("section", {}, h("h3", {}, word("surface.ball")), h("p", { class: "lt-quiet" }, word(at ? "surface.lost" : "surface.noBall"))));
    if (frame.trail.length && frame.known < frame.time.kept)
      parts.push(h("p", { class: "lt-quiet" }, word("surface.partly", { known: counted(frame.known), kept: counted(frame.time.kept) })));
    ball.replaceChildren(...parts);

    const { aim } = map;
    const low = chart()?.lowest;
    put.hidden = !frame.canPut;
    put.disabled = !aim;
    here.replaceChildren(
      aim
        ? facts(word("surface.here"), [
            [across, spoken(aim.u, 4)],
            [up, spoken(aim.v, 4)],
            [word("surface.loss"), ground(aim)],
          ])
        : h("section", {}, h("h3", {}, word("surface.here")), h("p", { class: "lt-quiet" }, word("surface.aim"))),
      low
        ? facts(word("surface.lowest"), [
            [across, spoken(low.u, 4)],
            [up, spoken(low.v, 4)],
            [word("surface.loss"), spoken(low.loss, 4)],
          ])
        : "",
      chart()?.holes ? h("p", { class: "lt-quiet" }, word("surface.holes")) : "",
    );
  }

  function drawTable(frame: SurfaceFrame): void {
    tableBox.hidden = !tabled;
    stage.hidden = legend.hidden = tabled;
    if (!tabled) return;
    set(tableBox, { role: "region", "aria-label": word("surface.path") });
    const [across, up] = names(frame);
    const heads = [word("surface.step"), across, up, word("surface.loss"), word("surface.off")];
    const rows = frame.trail.map((point) => [
      counted(point.step),
      spoken(point.u, 5),
      spoken(point.v, 5),
      spoken(point.loss, 5),
      spoken(point.off, 3),
    ]);
    tableBox.replaceChildren(table(word("surface.path"), heads, rows, 1));
  }

  function drawFrame(frame: SurfaceFrame): void {
    const now = chart();
    const shown = frame.time.shown;
    step.textContent = shown === null ? "" : word("time.step", { step: counted(shown) });
    el.dataset.step = shown === null ? "" : String(shown);
    el.dataset.phase = frame.phase;
    el.dataset.stride = String(frame.progress?.stride ?? 0);
    time.draw(frame.time);
    drawChoices(frame);
    drawPhase(frame);
    set(toggleTable, { "aria-pressed": String(tabled) });
    set(flat, { "aria-pressed": String(!high) });
    set(raised, { "aria-pressed": String(high) });
    set(fit, { "aria-pressed": String(!frame.byHand) });
    nothing.hidden = now !== null;
    map.element.style.visibility = now ? "" : "hidden";
    map.element.style.display = high ? "none" : "";
    relief.element.hidden = !high;
    drawTable(frame);
    map.draw(now, frame, names(frame));
    if (high) relief.draw(now, frame);
    drawSide(frame);
  }

  function drawMap(): void {
    const now = chart();
    legend.replaceChildren(
      ...(now ? [h("span", { class: "lt-quiet" }, word("surface.loss")), scale(now, word)] : []),
    );
    drawFrame(host.frame);
  }

  speak();
  drawMap();
  host.on("map", drawMap);
  host.frames(drawFrame);
  host.on("language", () => {
    speak();
    drawMap();
  });
  const room = new ResizeObserver(() => high && relief.draw(chart(), host.frame));
  room.observe(stage);
  host.cleanup(() => room.disconnect());
  return host.end;
}

function fill(select: HTMLSelectElement, options: [string, string][], chosen: string): void {
  select.replaceChildren(...options.map(([value, text]) => h("option", { value }, text)));
  select.value = chosen;
}

export default { render };
