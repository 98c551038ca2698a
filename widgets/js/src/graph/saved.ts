// What is kept for the backward pass: a meter of bytes in the bar, dotted edges in the drawing.
import { select } from "d3-selection";
import { button, h, label, s, set } from "../shared/dom";
import { bytesText } from "../shared/numbers";
import type { Key } from "../shared/words";
import type { Edge, Item, Kept, Meter } from "./contract";

type Word = (key: Key, values?: Record<string, string | number>) => string;

const [WIDTH, HEIGHT] = [96, 22];

export class SavedMeter {
  readonly element: HTMLElement;
  private readonly toggle: HTMLButtonElement;
  private readonly text = h("span", { class: "lt-meter-text" });
  private readonly area = s("path", { class: "lt-meter-area" });
  private readonly line = s("path", { class: "lt-meter-line" });
  private readonly turn = s("path", { class: "lt-meter-turn" });
  private readonly dot = s("circle", { r: 3, class: "lt-meter-dot" });
  private readonly picture = s(
    "svg",
    { class: "lt-meter", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, role: "img" },
    this.area,
    this.turn,
    this.line,
    this.dot,
  );
  private shown = false;

  constructor(
    private readonly word: Word,
    show: (shown: boolean) => void,
  ) {
    this.toggle = button("", null, () => {
      this.shown = !this.shown;
      set(this.toggle, { "aria-pressed": String(this.shown) });
      show(this.shown);
    });
    set(this.toggle, { "aria-pressed": "false" });
    this.element = h("div", { class: "lt-group lt-saved-meter", hidden: true }, this.picture, this.text, this.toggle);
  }

  draw(meter: Meter | null | undefined): void {
    const { word } = this;
    this.element.hidden = !meter;
    if (!meter) return;
    label(this.toggle, word("saved.edges"), word("saved.edgesWhat"));
    set(this.toggle, { "aria-label": word("saved.edges") });
    const across = (i: number) => 3 + (i / Math.max(1, meter.curve.length - 1)) * (WIDTH - 6);
    const up = (bytes: number) => HEIGHT - 2 - (bytes / Math.max(1, meter.total)) * (HEIGHT - 6);
    // Bytes come at once with an op and go at once: steps, no slopes.
    const outline = meter.curve.map((bytes, i) => (i ? `H${across(i)}V${up(bytes)}` : `M${across(0)},${up(bytes)}`)).join("");
    set(this.line, { d: outline });
    set(this.area, { d: `${outline}V${HEIGHT - 2}H${across(0)}Z` });
    set(this.turn, { d: `M${across(meter.top)},1V${HEIGHT - 2}` });
    set(this.dot, { cx: across(meter.at), cy: up(meter.now) });
    const values = {
      now: bytesText(meter.now),
      total: bytesText(meter.total),
      lasting: bytesText(meter.lasting),
    };
    this.text.textContent = word("saved.now", values);
    set(this.picture, { "aria-label": word("saved.what", values) });
    this.element.title = word("saved.what", values);
  }
}

/** Dots the edges along which something was kept, and tags the boxes that keep what they made. */
export function dot(stage: Element, kept: Kept | null | undefined, word: Word): void {
  const edges = kept?.edges ?? {};
  select(stage)
    .selectAll<SVGElement, Edge>(".lt-edge:not(.lt-leaving)")
    .classed("lt-kept", (edge) => edge.key in edges);
  select(stage)
    .selectAll<SVGTextElement, Edge>(".lt-shape-label:not(.lt-leaving)")
    .classed("lt-kept", (edge) => edge.key in edges)
    .text((edge) => {
      const bytes = edges[edge.key];
      return bytes === undefined ? edge.text : bytesText(bytes);
    });
  select(stage)
    .selectAll<SVGGElement, Item>(".lt-item:not(.lt-leaving)")
    .each(function (item) {
      this.querySelector(".lt-keeps")?.remove();
      const own = Object.entries(kept?.items[item.key] ?? {});
      if (!own.length) return;
      const total = own.reduce((sum, [, bytes]) => sum + bytes, 0);
      const text = word("saved.keeps", {
        names: own.length > 2 ? own.length : own.map(([name]) => name).join(", "),
        bytes: bytesText(total),
      });
      const width = 10 + text.length * 5.1;
      this.append(
        s(
          "g",
          { class: "lt-keeps", transform: `translate(${-item.width / 2 - 4},${-item.height / 2 - 9})` },
          s("rect", { width, height: 13, rx: 6.5 }),
          s("text", { x: width / 2, y: 9.5 }, text),
        ),
      );
    });
}
