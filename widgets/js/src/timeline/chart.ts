// Bars in time, row below row, and under them the memory; zoomed, and walked over with the arrows.
import { scaleLinear } from "d3-scale";
import { h, s, set } from "../shared/dom";
import { bytesText, secondsText, spoken } from "../shared/numbers";
import type { Key } from "../shared/words";
import type { Bar, Memory, Structure, TimelineFrame } from "./contract";

type Word = (key: Key, values?: Record<string, string | number>) => string;

const ROW = 24;
const SIDE = 12;
const AXIS = 22;
const MEMORY = 64;
const LETTER = 6.7; // pixels a letter takes, about
const SEEN = 0.35; // pixels: what is narrower is not drawn

export class TimeChart {
  readonly element: HTMLElement;
  private readonly svg = s("svg", { class: "lt-ops-chart", role: "group" });
  private readonly tip = h("div", { class: "lt-ops-tip", hidden: true });
  private frame: TimelineFrame | null = null;
  private structure: Structure | null = null;
  private window: [number, number] | null = null; // seconds; null: the whole step
  private here = ""; // key of the bar that the keyboard is on
  private selected: Bar | null = null;

  constructor(
    private readonly word: Word,
    private readonly open: (bar: Bar | null) => void,
  ) {
    this.element = h("div", { class: "lt-ops-stage" }, this.svg, this.tip);
    this.svg.addEventListener("click", (event) => {
      const bar = this.barOf(event.target);
      if (!bar) return;
      this.here = keyOf(bar);
      this.open(bar);
    });
    this.svg.addEventListener("dblclick", (event) => {
      const bar = this.barOf(event.target);
      if (bar) this.zoomTo(bar);
    });
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerleave", () => (this.tip.hidden = true));
    this.svg.addEventListener("keydown", (event) => this.key(event));
  }

  private barOf(target: EventTarget | null): Bar | null {
    const key = target instanceof Element ? target.closest<SVGElement>("[data-key]")?.dataset.key : null;
    return this.frame?.bars.find((bar) => keyOf(bar) === key) ?? null;
  }

  get range(): [number, number] {
    return this.window ?? [0, this.frame?.duration || 1e-9];
  }

  zoomBy(factor: number): void {
    const [from, to] = this.range;
    const at = this.selected;
    const middle = at && at[4] < to && at[4] + at[5] > from ? at[4] + at[5] / 2 : (from + to) / 2;
    this.show(middle - (middle - from) * factor, middle + (to - middle) * factor);
  }

  zoomTo([, , , , start, seconds]: Bar): void {
    this.show(start - seconds * 0.04, start + seconds * 1.04);
  }

  shift(share: number): void {
    const [from, to] = this.range;
    const by = Math.max(-from, Math.min((this.frame?.duration ?? to) - to, share * (to - from)));
    this.show(from + by, to + by);
  }

  whole(): void {
    this.window = null;
    this.redraw();
  }

  private show(from: number, to: number): void {
    const end = this.frame?.duration ?? 1;
    const low = Math.max(0, from);
    const high = Math.min(end, Math.max(to, low + end * 1e-4));
    this.window = low <= 0 && high >= end ? null : [low, high];
    this.redraw();
  }

  private key(event: KeyboardEvent): void {
    const now = this.barOf(event.target);
    const side = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const level = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (side && event.shiftKey) this.shift(side * 0.2);
    else if (side && now) this.move(now, (bar) => bar[2] === now[2] && side * (bar[4] - now[4]) > 0);
    else if (level && now) {
      const middle = now[4] + now[5] / 2;
      this.move(now, (bar) => level * (bar[2] - now[2]) > 0, (bar) => Math.abs(bar[2] - now[2]) + off(bar, middle));
    } else if (event.key === "Enter" || event.key === " ") this.open(now);
    else if (event.key === "Escape") this.open(null);
    else if (event.key === "+" || event.key === "=") this.zoomBy(1 / 1.6);
    else if (event.key === "-") this.zoomBy(1.6);
    else if (event.key === "0") this.whole();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** To the nearest of the bars that will do, scrolled into the window where it lies outside. */
  private move(from: Bar, willDo: (bar: Bar) => boolean, far?: (bar: Bar) => number): void {
    const distance = far ?? ((bar: Bar) => Math.abs(bar[4] - from[4]));
    let best: Bar | null = null;
    for (const bar of this.frame?.bars ?? [])
      if (bar[0] !== "gap" && willDo(bar) && (!best || distance(bar) < distance(best))) best = bar;
    if (!best) return;
    this.here = keyOf(best);
    const [left, right] = this.range;
    const [start, end] = [best[4], best[4] + best[5]];
    if (start < left || start > right) this.show(start - (right - left) / 2, start + (right - left) / 2);
    else if (end - start < ((right - left) / this.element.clientWidth) * 3)
      this.show(start - (end - start) * 40, end + (end - start) * 40);
    else this.redraw();
    this.focus();
  }

  focus(): void {
    this.svg.querySelector<SVGElement>(`[data-key="${CSS.escape(this.here)}"]`)?.focus();
  }

  private point(event: PointerEvent): void {
    const bar = this.barOf(event.target);
    this.tip.hidden = !bar;
    if (!bar) return;
    this.tip.textContent = this.telling(bar);
    const box = this.element.getBoundingClientRect();
    const x = event.clientX - box.left;
    const flip = x > box.width - 240;
    this.tip.style.transform = `translate(${x + (flip ? -12 : 12)}px, ${event.clientY - box.top + 14}px)${flip ? " translateX(-100%)" : ""}`;
  }

  name([kind, of, , phase]: Bar): string {
    if (kind === "op") return this.structure?.nodes[of]?.name ?? "";
    if (kind === "scope") return this.structure?.scopes[of]?.name ?? "";
    return this.word(kind === "gap" ? "timeline.gap" : `timeline.${phase}`);
  }

  telling(bar: Bar): string {
    return this.word("timeline.bar", {
      name: this.name(bar),
      phase: this.word(`timeline.${bar[3]}`),
      seconds: secondsText(bar[5]),
      share: `${spoken((bar[5] / (this.frame?.duration || 1)) * 100, 3)} %`,
    });
  }

  draw(frame: TimelineFrame, structure: Structure, selected: Bar | null): void {
    this.frame = frame;
    this.structure = structure;
    this.selected = selected;
    this.redraw();
  }

  redraw(): void {
    const { frame, structure } = this;
    const width = this.element.clientWidth;
    if (!frame?.bars.length || !structure || !width) return;
    if (this.window && this.window[0] >= frame.duration) this.window = null;
    const across = scaleLinear(this.range, [SIDE, width - SIDE]);
    const rows = structure.depth + 2;
    const base = rows * ROW + 4;
    const height = base + AXIS + (frame.memory ? MEMORY + 24 : 0);
    const focused = this.svg.contains(document.activeElement);
    const drawn: Bar[] = [];
    const shapes = frame.bars.flatMap((bar) => {
      const [left, right] = [across(bar[4]), across(bar[4] + bar[5])];
      if (right < SIDE || left > width - SIDE || right - left < SEEN) return [];
      drawn.push(bar);
      return [this.bar(bar, Math.max(left, SIDE), Math.min(right, width - SIDE))];
    });
    if (!drawn.some((bar) => keyOf(bar) === this.here)) this.here = drawn[0] ? keyOf(drawn[0]) : "";
    set(this.svg, {
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      "aria-label": this.word("timeline.chart"),
      "aria-description": this.word("timeline.help"),
    });
    this.svg.replaceChildren(
      s("defs", {}, hatch()),
      ...shapes,
      ...this.axis(across, base, width),
      ...(frame.memory ? this.memory(frame.memory, across, base + AXIS + 4, width) : []),
    );
    this.svg.querySelector(`[data-key="${CSS.escape(this.here)}"]`)?.setAttribute("tabindex", "0");
    if (focused) this.focus();
  }

  private bar(bar: Bar, left: number, right: number): SVGGElement {
    const [kind, , row, phase] = bar;
    const width = right - left;
    const name = kind === "gap" ? "" : this.name(bar);
    const type = kind === "scope" ? (this.structure?.scopes[bar[1]]?.type ?? "") : "";
    const text = fitting(type && type !== name ? `${name} ${type}` : name, name, width - 9);
    const chosen = this.selected !== null && keyOf(this.selected) === keyOf(bar);
    return s(
      "g",
      {
        class: `lt-ops-bar lt-ops-${kind} lt-ops-${phase}${chosen ? " lt-ops-chosen" : ""}`,
        "data-key": keyOf(bar),
        ...(kind === "gap" ? {} : { role: "button", tabindex: -1, "aria-label": this.telling(bar) }),
      },
      s("rect", {
        x: left,
        y: row * ROW + 3,
        width: Math.max(0.5, width - (width > 3 ? 1 : 0)),
        height: ROW - 4,
        rx: Math.min(3, width / 4),
      }),
      text ? s("text", { x: left + 5, y: row * ROW + 17 }, text) : null,
    );
  }

  private axis(across: (s: number) => number, base: number, width: number): SVGElement[] {
    const scale = scaleLinear(this.range, [SIDE, width - SIDE]);
    return scale.ticks(Math.max(2, Math.floor(width / 120))).flatMap((tick) => [
      s("line", { x1: across(tick), x2: across(tick), y1: 2, y2: base + 4, class: "lt-ops-rule" }),
      s("text", { x: across(tick), y: base + 17, class: "lt-ops-tick" }, tick ? secondsText(tick) : "0"),
    ]);
  }

  /** The staircase of bytes that wait for the backward pass. */
  private memory(memory: Memory, across: (s: number) => number, top: number, width: number): SVGElement[] {
    const most = memory.peak.bytes || 1;
    const down = (bytes: number) => top + MEMORY * (1 - bytes / most);
    const inside = (x: number) => Math.min(width - SIDE, Math.max(SIDE, x));
    let path = "";
    let level = 0;
    for (const [second, bytes] of memory.stairs) {
      const x = inside(across(second)).toFixed(1);
      path += `${path ? "L" : `M${SIDE},${down(0)}L`}${x},${down(level).toFixed(1)}V${down(bytes).toFixed(1)}`;
      level = bytes;
    }
    path += `L${inside(across(this.frame?.duration ?? 0)).toFixed(1)},${down(level).toFixed(1)}V${down(0)}Z`;
    const peak = across(memory.peak.seconds);
    const seen = peak >= SIDE && peak <= width - SIDE;
    const title = `${this.word("timeline.memory")} · ${this.word("timeline.peak", { bytes: bytesText(most) })}`;
    return [
      s("path", { d: path, class: "lt-ops-memory", role: "img", "aria-label": title }),
      ...(seen ? [s("circle", { cx: peak, cy: down(most), r: 3.5, class: "lt-ops-peak" })] : []),
      s("text", { x: SIDE, y: top + MEMORY + 16, class: "lt-ops-note" }, title),
    ];
  }
}

/** What stays with a bar from step to step, as far as the steps are built alike. */
export function keyOf([kind, of, row, phase, start]: Bar): string {
  return kind === "op" ? `op-${of}-${phase}` : `${kind}-${of}-${row}-${phase}-${kind === "gap" ? start : ""}`;
}

/** The long text where there is room for it, else the short one, cut where it has to be. */
function fitting(long: string, short: string, room: number): string {
  const letter = (text: string) => (/[^\x00-\u2fff]/.test(text) ? 12 : LETTER);
  for (const text of [long, short]) if (text.length * letter(text) <= room) return text;
  const letters = Math.floor(room / letter(short));
  return letters > 3 ? `${short.slice(0, letters - 1)}…` : "";
}

function off(bar: Bar, middle: number): number {
  return bar[4] <= middle && middle <= bar[4] + bar[5] ? 0 : 10 + Math.abs(bar[4] + bar[5] / 2 - middle);
}

function hatch(): SVGPatternElement {
  return s(
    "pattern",
    { id: "lt-ops-hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    s("line", { x1: 0, x2: 0, y1: 0, y2: 6 }),
  );
}
