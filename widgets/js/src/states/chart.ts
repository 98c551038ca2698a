// Units over time, as a heat map or as lines, and below them the gradient of every step.
import { h, s, set } from "../shared/dom";
import { symlog } from "../shared/colour";
import { counted, finite, spoken } from "../shared/numbers";
import type { Key } from "../shared/words";
import palette from "../../../labtorch_widgets/shared/palette.json";
import type { Course, Picture } from "./contract";

type Word = (key: Key, values?: Record<string, string | number>) => string;
export type Form = "heat" | "lines";

const LEFT = 54;
const RIGHT = 14;
const BAR = 34; // height of a layer's bars
const MISSING = 255;

interface Actions {
  place(): { unit: number; t: number };
  look(unit: number | null, t: number | null): void;
  brush(start: number, stop: number): void;
}

export class Chart {
  readonly element: HTMLElement;
  form: Form = "heat";
  private readonly canvas = h("canvas", { "aria-hidden": "true" });
  private readonly over = s("svg", { class: "lt-states-over", "aria-hidden": "true" });
  private readonly tip = h("div", { class: "lt-states-tip", hidden: true });
  private readonly plot: HTMLElement;
  private picture: Picture | null = null;
  private course: Course | null = null;
  private from: number | null = null; // where a brush began

  constructor(
    private readonly word: Word,
    private readonly act: Actions,
  ) {
    this.plot = h("div", { class: "lt-states-plot", tabindex: 0, role: "application" }, this.canvas, this.over);
    this.element = h("div", { class: "lt-states-chart" }, this.plot, this.tip);
    this.plot.addEventListener("pointermove", (event) => this.hover(event));
    this.plot.addEventListener("pointerleave", () => (this.tip.hidden = true));
    this.plot.addEventListener("pointerdown", (event) => this.press(event));
    this.plot.addEventListener("pointerup", (event) => this.release(event));
    this.plot.addEventListener("keydown", (event) => this.key(event));
  }

  draw(picture: Picture | null, course: Course | null): void {
    this.picture = picture;
    this.course = course;
    const width = this.element.clientWidth;
    if (!picture?.levels || !course || !width) return;
    const { rows } = picture;
    const tall = this.form === "lines" ? 240 : Math.max(Math.min(rows * 14, 260), Math.min(rows, 400), 84);
    const bars = course.gradient.layers.slice(0, 4).length;
    const token = course.tokens && this.across(1) - this.across(0) >= 9 ? 18 : 0;
    const height = 8 + tall + token + 22 + (bars ? 20 + bars * (BAR + 6) : 0);
    const ratio = devicePixelRatio || 1;
    const inner = width - LEFT - RIGHT;
    set(this.canvas, { width: Math.round(inner * ratio), height: Math.round(tall * ratio) });
    Object.assign(this.canvas.style, { left: `${LEFT}px`, top: "8px", width: `${inner}px`, height: `${tall}px` });
    this.plot.style.height = `${height}px`;
    set(this.over, { width, height, viewBox: `0 0 ${width} ${height}` });
    if (this.form === "heat") this.heat(picture);
    else this.lines(picture, course, ratio);
    this.overlay(course, picture, tall, token, width);
    const { cell } = course;
    set(this.plot, {
      "aria-label": this.word("states.chart", {
        name: stateName(this.word, course.name),
        units: course.units,
        steps: course.steps,
        unit: cell.unit,
        t: cell.t,
        value: spoken(course.value, 4),
      }),
    });
  }

  private across(t: number): number {
    const course = this.course;
    const inner = this.element.clientWidth - LEFT - RIGHT;
    return LEFT + (t / Math.max(course?.longest ?? 1, 1)) * inner;
  }

  /** The colours as the theme has them now; a canvas knows no CSS variables. */
  private shades(): Uint8ClampedArray {
    const dark = getComputedStyle(this.element).colorScheme === "dark";
    const zero = channels(dark ? palette.zero.dark : palette.zero.light);
    const [low, high] = [channels(palette.negative), channels(palette.positive)];
    const shades = new Uint8ClampedArray(256 * 4);
    for (let level = 0; level < 256; level++) {
      const share = (level - 127) / 127;
      const end = share > 0 ? high : low;
      for (let c = 0; c < 3; c++)
        shades[level * 4 + c] = zero[c]! + (end[c]! - zero[c]!) * Math.min(Math.abs(share), 1);
      shades[level * 4 + 3] = 255;
    }
    shades.set(dark ? [150, 60, 55, 255] : [240, 175, 170, 255], MISSING * 4);
    return shades;
  }

  private heat({ levels, rows, columns }: Picture): void {
    const context = this.canvas.getContext("2d");
    if (!context) return;
    const shades = this.shades();
    const image = new ImageData(columns, rows);
    for (let at = 0; at < rows * columns; at++) {
      const level = levels.getUint8(at) * 4;
      for (let c = 0; c < 4; c++) image.data[at * 4 + c] = shades[level + c]!;
    }
    const small = new OffscreenCanvas(columns, rows);
    small.getContext("2d")?.putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    const share = columns / Math.max(this.course?.longest ?? columns, 1);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.drawImage(small, 0, 0, this.canvas.width * share, this.canvas.height);
  }

  /** One line for each unit: many faint ones make a shadow, few stand out. */
  private lines({ levels, rows, columns, units }: Picture, course: Course, ratio: number): void {
    const context = this.canvas.getContext("2d");
    if (!context) return;
    const style = getComputedStyle(this.element);
    const { width, height } = this.canvas;
    const chosen = new Set(course.brush?.units ?? []);
    const step = width / Math.max(course.longest, 1);
    context.clearRect(0, 0, width, height);
    const trace = (row: number) => {
      context.beginPath();
      let drawing = false;
      for (let t = 0; t < columns; t++) {
        const level = levels.getUint8(row * columns + t);
        const [x, y] = [(t + 0.5) * step, height - (level / 254) * height];
        if (level === MISSING) drawing = false;
        else if (drawing) context.lineTo(x, y);
        else {
          context.moveTo(x, y);
          drawing = true;
        }
      }
      context.stroke();
    };
    const ink = style.getPropertyValue("color") || "black";
    const block = this.picture?.block ?? 1;
    const has = (row: number, test: (unit: number) => boolean) =>
      units.slice(row * block, (row + 1) * block).some(test);
    for (let row = 0; row < rows; row++) {
      context.strokeStyle = ink;
      context.globalAlpha = Math.max(1 / Math.sqrt(rows), 0.08) * (course.brush ? 0.7 : 1.3);
      context.lineWidth = ratio;
      trace(row);
    }
    context.globalAlpha = 0.85;
    context.strokeStyle = palette.positive;
    for (let row = 0; row < rows; row++) if (has(row, (unit) => chosen.has(unit))) trace(row);
    context.globalAlpha = 1;
    context.lineWidth = 2 * ratio;
    context.strokeStyle = style.colorScheme === "dark" ? "#ff8a80" : "#b3261e";
    for (let row = 0; row < rows; row++) if (has(row, (unit) => unit === course.cell.unit)) trace(row);
  }

  private overlay(course: Course, picture: Picture, tall: number, token: number, width: number): void {
    const { word } = this;
    const parts: (Node | null)[] = [
      s(
        "defs",
        {},
        s(
          "pattern",
          { id: "lt-hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
          s("line", { x1: 0, y1: 0, x2: 0, y2: 6 }),
        ),
      ),
    ];
    const bottom = 8 + tall;
    const text = (x: number, y: number, value: string, cls: string) => s("text", { x, y, class: cls }, value);
    const column = this.across(1) - this.across(0);
    if (course.length < course.longest) {
      const x = this.across(course.length);
      const wide = width - RIGHT - x;
      parts.push(s("rect", { x, y: 8, width: wide, height: tall, class: "lt-padding" }));
      if (wide > 50) parts.push(text(x + 6, 22, word("states.padding"), "lt-padding-name"));
    }
    if (this.form === "heat") {
      const row = Math.floor(picture.units.indexOf(course.cell.unit) / picture.block);
      const high = tall / picture.rows;
      if (row >= 0) {
        const y = 8 + row * high;
        parts.push(
          s("rect", { x: LEFT - 1, y: y - 0.5, width: width - LEFT - RIGHT + 2, height: Math.max(high, 2) + 1, class: "lt-row" }),
          text(LEFT - 6, y + high / 2 + 4, String(course.cell.unit), "lt-unit"),
        );
      }
      for (const unit of course.brush?.units ?? []) {
        const at = Math.floor(picture.units.indexOf(unit) / picture.block);
        parts.push(s("rect", { x: LEFT - 4, y: 8 + at * high, width: 3, height: Math.max(high - 0.5, 1), class: "lt-chosen" }));
      }
    } else {
      parts.push(
        text(LEFT - 6, 16, spoken(picture.limit, 2), "lt-unit"),
        text(LEFT - 6, 8 + tall / 2 + 4, "0", "lt-unit"),
        text(LEFT - 6, bottom, spoken(-picture.limit, 2), "lt-unit"),
        s("line", { x1: LEFT, x2: width - RIGHT, y1: 8 + tall / 2, y2: 8 + tall / 2, class: "lt-zero" }),
      );
      if (course.brush) {
        const { start, stop, threshold } = course.brush;
        const level = Math.min(threshold / picture.limit, 1) * (tall / 2);
        parts.push(s("rect", { x: this.across(start), y: 8, width: this.across(stop + 1) - this.across(start), height: tall, class: "lt-range" }));
        for (const y of [8 + tall / 2 - level, 8 + tall / 2 + level])
          parts.push(s("line", { x1: LEFT, x2: width - RIGHT, y1: y, y2: y, class: "lt-threshold" }));
      }
    }
    const x = this.across(course.cell.t);
    parts.push(s("rect", { x, y: 4, width: Math.max(column, 2), height: tall + 8, rx: 2, class: "lt-column" }));
    if (token)
      course.tokens?.forEach((each, t) =>
        parts.push(text(this.across(t) + column / 2, bottom + 14, each === " " ? "␣" : each.slice(0, Math.max(1, Math.floor(column / 8))), t === course.cell.t ? "lt-token lt-now" : "lt-token")),
      );
    const every = Math.max(1, Math.ceil(38 / column));
    for (let t = 0; t < course.longest; t += every)
      parts.push(text(this.across(t) + column / 2, bottom + token + 15, counted(t), "lt-tick"));
    parts.push(text(LEFT - 6, bottom + token + 15, "t", "lt-unit"));
    for (const t of course.reads)
      parts.push(
        s("path", { d: `M${this.across(t) + column / 2},${bottom + 1}l4,6h-8z`, class: t >= course.length ? "lt-read lt-wrong" : "lt-read" }, s("title", {}, word("states.reads", { t }))),
      );
    this.gradients(course, bottom + token + 26, parts, column);
    this.over.replaceChildren(...parts.filter((part): part is Node => part !== null));
  }

  /** |∂L/∂h_t|, a row of bars for each layer, on the scale that all gradients share. */
  private gradients(course: Course, top: number, parts: (Node | null)[], column: number): void {
    const layers = course.gradient.layers.slice(0, 4);
    if (!layers.length) return;
    parts.push(s("text", { x: LEFT, y: top + 10, class: "lt-caption" }, this.word(`states.gradient.${course.gradient.of}`)));
    layers.forEach(({ key, values }, at) => {
      const floor = top + 18 + at * (BAR + 6) + BAR;
      const layer = course.layers.find((each) => each.key === key);
      const name = layer ? `${layer.layer + 1}${layer.directions > 1 ? (layer.backwards ? "←" : "→") : ""}` : "";
      const own = key === course.layer;
      if (layers.length > 1)
        parts.push(s("text", { x: LEFT - 6, y: floor - BAR / 2 + 4, class: own ? "lt-unit lt-now" : "lt-unit" }, this.word("states.layerOf", { layer: name }).slice(0, 9)));
      parts.push(s("line", { x1: LEFT, x2: this.across(course.longest), y1: floor, y2: floor, class: "lt-floor" }));
      values.forEach((value, t) => {
        const tall = finite(value) ? Math.max(symlog(value) * BAR, value > 0 ? 1 : 0) : BAR;
        const gap = column > 4 ? 1 : 0;
        const bar = s("rect", { x: this.across(t) + gap / 2, y: floor - tall, width: Math.max(column - gap, 0.6), height: tall, class: !finite(value) ? "lt-bad" : own ? "lt-bar-own" : "lt-bar-other" });
        bar.append(s("title", {}, `${this.word("states.at", { t })}: ${spoken(value, 3)}`));
        parts.push(bar);
      });
    });
  }

  // ------------------------------------------------------------------ pointer and keys
  private at(event: PointerEvent): { row: number; t: number; inside: boolean } | null {
    const { picture, course } = this;
    if (!picture || !course) return null;
    const box = this.canvas.getBoundingClientRect();
    const t = Math.floor(((event.clientX - box.left) / box.width) * course.longest);
    const row = Math.floor(((event.clientY - box.top) / box.height) * picture.rows);
    if (t < 0 || t >= course.steps) return null;
    return { row, t, inside: row >= 0 && row < picture.rows };
  }

  private hover(event: PointerEvent): void {
    const found = this.at(event);
    const { picture, course } = this;
    this.tip.hidden = !found?.inside || this.form !== "heat";
    if (!found?.inside || !picture || !course || this.form !== "heat") return;
    const level = picture.levels.getUint8(found.row * picture.columns + found.t);
    const value = level === MISSING ? "NaN" : spoken(((level - 127) / 127) * picture.limit, 2);
    const unit = picture.units[found.row * picture.block] ?? 0;
    this.tip.textContent = this.word("states.near", { unit, t: found.t, value });
    const box = this.element.getBoundingClientRect();
    const x = Math.min(event.clientX - box.left + 12, box.width - 210);
    this.tip.style.transform = `translate(${x}px, ${event.clientY - box.top + 14}px)`;
  }

  private press(event: PointerEvent): void {
    const found = this.at(event);
    if (!found || event.button) return;
    if (this.form === "lines") {
      this.from = found.t;
      this.plot.setPointerCapture(event.pointerId);
      return;
    }
    const unit = this.picture?.units[found.row * (this.picture?.block ?? 1)];
    this.act.look(found.inside ? (unit ?? null) : null, found.t);
  }

  private release(event: PointerEvent): void {
    const found = this.at(event);
    const from = this.from;
    this.from = null;
    if (!found || from === null) return;
    if (found.t === from) this.act.look(null, found.t);
    else this.act.brush(Math.min(from, found.t), Math.max(from, found.t));
  }

  private key(event: KeyboardEvent): void {
    const { course, picture } = this;
    if (!course || !picture) return;
    const { unit, t } = this.act.place();
    const place = picture.units.indexOf(unit);
    const other = (by: number) => picture.units[Math.max(0, Math.min(place + by, picture.units.length - 1))] ?? unit;
    const moves: Record<string, () => void> = {
      ArrowLeft: () => this.act.look(null, Math.max(0, t - 1)),
      ArrowRight: () => this.act.look(null, Math.min(course.steps - 1, t + 1)),
      ArrowUp: () => this.act.look(other(-1), null),
      ArrowDown: () => this.act.look(other(1), null),
      PageUp: () => this.act.look(other(-10), null),
      PageDown: () => this.act.look(other(10), null),
      Home: () => this.act.look(null, 0),
      End: () => this.act.look(null, course.steps - 1),
    };
    const move = moves[event.key];
    if (!move) return;
    move();
    event.preventDefault();
    event.stopPropagation();
  }
}

export function stateName(word: Word, name: string): string {
  const key = `states.name.${name}` as Key;
  const found = word(key);
  return found === key ? name : found;
}

function channels(colour: string): number[] {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}
