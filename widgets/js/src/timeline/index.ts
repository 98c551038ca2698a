// Where a step's time and memory go.
import type { RenderProps } from "@anywidget/types";
import { button, h, label, set } from "../shared/dom";
import { Host } from "../shared/host";
import { bytesText, counted, secondsText, spoken } from "../shared/numbers";
import { table } from "../shared/table";
import { timeline } from "../shared/timeline";
import { keyOf, TimeChart } from "./chart";
import type { Bar, Group, Structure, TimelineFrame } from "./contract";
import { BarPane } from "./pane";
import "./timeline.css";
import "./words";

const GROUPS: Group[] = ["op", "module", "line", "call"];

function render({ model, el }: RenderProps) {
  const host = new Host<TimelineFrame>(model, el);
  const { word } = host;
  const structure = () => host.get<Structure>("structure");
  let chosen: string | null = null; // key of the bar in the pane

  const chart = new TimeChart(word, open);
  const pane = new BarPane(
    word,
    () => {
      open(null);
      chart.focus();
    },
    () => {
      const bar = selected(host.frame);
      if (bar) chart.zoomTo(bar);
    },
  );
  const title = h("h2");
  const step = h("span", { class: "lt-quiet", "data-role": "step" });
  const smaller = button("−", null, () => chart.zoomBy(1.6));
  const larger = button("+", null, () => chart.zoomBy(1 / 1.6));
  const earlier = button("‹", null, () => chart.shift(-0.3));
  const later = button("›", null, () => chart.shift(0.3));
  const all = button("", null, () => chart.whole());
  const zoom = h("div", { class: "lt-group" }, earlier, smaller, larger, later, all);
  const by = h("select", { class: "lt-ops-select" });
  const toggleTable = button("", null, () => host.send("table", { by: host.frame.by ? null : by.value || "op" }));
  by.addEventListener("change", () => host.send("table", { by: by.value }));
  const bar = h("div", { class: "lt-bar" }, title, step, h("div", { class: "lt-group lt-push" }, zoom, by, toggleTable));
  const time = timeline(host);
  const facts = h("p", { class: "lt-ops-facts lt-quiet", "data-role": "facts" });
  const nothing = h("p", { class: "lt-ops-nothing lt-quiet" });
  const tableBox = h("div", { class: "lt-scroll lt-ops-table", tabindex: 0, hidden: true });
  const legend = h("div", { class: "lt-ops-legend lt-quiet" });
  const held = h("p", { class: "lt-ops-held lt-quiet" });
  const main = h("div", { class: "lt-ops-main" }, nothing, chart.element, pane.element);
  el.replaceChildren(bar, time.element, facts, main, legend, held, tableBox);

  function selected(frame: TimelineFrame): Bar | null {
    return frame.bars.find((each) => keyOf(each) === chosen) ?? null;
  }

  function open(bar: Bar | null): void {
    chosen = bar ? keyOf(bar) : null;
    if (bar?.[0] === "op") host.send("open", { node: bar[1] });
    else if (host.frame.opened !== null) host.send("close");
    drawFrame(host.frame);
  }

  function speak(): void {
    title.textContent = word("timeline.title");
    label(smaller, "−", word("timeline.zoomOut"));
    label(larger, "+", word("timeline.zoomIn"));
    label(earlier, "‹", word("timeline.earlier"));
    label(later, "›", word("timeline.later"));
    label(all, word("timeline.all"));
    all.title = word("timeline.allWhy");
    label(toggleTable, word("table.show"));
    set(by, { "aria-label": word("timeline.by") });
    const swatch = (kind: string, text: string) => h("span", {}, h("i", { class: `lt-ops-key lt-ops-key-${kind}`, "aria-hidden": "true" }), text);
    legend.replaceChildren(
      swatch("forward", word("timeline.forward")),
      swatch("backward", word("timeline.backward")),
      swatch("gap", word("timeline.gap")),
    );
    const value = by.value || "op";
    by.replaceChildren(...GROUPS.map((group) => h("option", { value: group }, word(`timeline.by.${group}`))));
    by.value = value;
  }

  function drawFacts(frame: TimelineFrame): void {
    const { duration, measuring, unmeasured } = frame;
    const texts = frame.bars.length
      ? [
          word("timeline.duration", { seconds: secondsText(duration) }),
          measuring ? word("timeline.measuring", { seconds: secondsText(measuring) }) : "",
          unmeasured !== null && unmeasured > 0 ? word("timeline.unmeasured", { seconds: secondsText(unmeasured) }) : "",
          structure().gpu ? word("timeline.gpu") : "",
        ]
      : [];
    facts.textContent = texts.filter(Boolean).join(" · ");
    facts.hidden = !texts.length;
  }

  function drawHeld(frame: TimelineFrame): void {
    const { memory } = frame;
    held.hidden = !memory;
    if (!memory) return;
    const nodes = structure().nodes;
    const parts = memory.blocks.slice(0, 5).map(({ node, name, bytes }) => {
      const op = nodes[node]?.name ?? "";
      return `${name ? word("timeline.state", { name, op }) : op} ${bytesText(bytes)}`;
    });
    held.textContent = `${word("timeline.peakHeld")}: ${parts.join(" · ")}${memory.blocks.length > 5 ? " …" : ""}`;
  }

  function drawTable(frame: TimelineFrame): void {
    set(toggleTable, { "aria-pressed": String(frame.by !== null) });
    tableBox.hidden = !frame.table;
    if (!frame.table || !frame.by) return;
    by.value = frame.by;
    const what = word(`timeline.label.${frame.by}`);
    const heads = [
      what,
      word("timeline.calls"),
      word("timeline.head.forward"),
      word("timeline.head.backward"),
      word("timeline.total"),
      word("timeline.share"),
      word("timeline.usual"),
      word("timeline.spread"),
      word("timeline.flops"),
    ];
    const missing = frame.by === "line" ? word("timeline.noLine") : word("timeline.outside");
    const rows = frame.table.map((row) => [
      row.label || missing,
      counted(row.calls),
      row.forward ? secondsText(row.forward) : "–",
      row.backward ? secondsText(row.backward) : "–",
      secondsText(row.total),
      row.share === null ? "–" : `${spoken(row.share * 100, 3)} %`,
      row.usual ? secondsText(row.usual[0]) : "–",
      row.usual ? `${secondsText(row.usual[1])} … ${secondsText(row.usual[2])}` : "–",
      row.flops === null ? "–" : counted(row.flops),
    ]);
    const caption = word("timeline.caption", { label: what, step: counted(frame.time.shown ?? 0), steps: counted(frame.steps) });
    set(tableBox, { role: "region", "aria-label": caption });
    const top = tableBox.scrollTop;
    tableBox.replaceChildren(table(caption, heads, rows, 1));
    tableBox.scrollTop = top;
  }

  function drawFrame(frame: TimelineFrame): void {
    const { shown } = frame.time;
    const empty = !frame.bars.length;
    step.textContent = shown === null ? "" : word("time.step", { step: counted(shown) });
    el.dataset.step = shown === null ? "" : String(shown);
    time.draw(frame.time);
    nothing.hidden = !empty;
    legend.hidden = empty;
    nothing.textContent = word(shown === null ? "timeline.nothing" : "timeline.notTimed");
    chart.element.hidden = empty;
    for (const each of [smaller, larger, earlier, later, all]) each.disabled = empty;
    drawFacts(frame);
    const now = selected(frame);
    pane.draw(now, now ? chart.name(now) : "", frame, structure());
    chart.draw(frame, structure(), now);
    drawHeld(frame);
    drawTable(frame);
  }

  speak();
  drawFrame(host.frame);
  host.frames(drawFrame);
  host.on("language", () => {
    speak();
    drawFrame(host.frame);
  });
  const room = new ResizeObserver(() => chart.redraw());
  room.observe(chart.element);
  host.cleanup(() => room.disconnect());
  return host.end;
}

export default { render };
