// One map enlarged: its pixels, a mark on one of them, the window of a kernel.
import { h, s, set } from "./dom";
import { floatsOf, inks, paintShades, shadesOf } from "./raster";

export interface PlaneMap {
  size: [number, number]; // rows and columns of the map itself
  told: [number, number]; // of the numbers that came
  values: DataView | Float32Array;
  limit: number;
}

export class Plane {
  readonly element: HTMLElement;
  private readonly canvas = h("canvas", { "aria-hidden": "true" });
  private readonly marks = s("svg", { class: "lt-marks", "aria-hidden": "true" });
  private map: PlaneMap | null = null;
  private values: Float32Array = new Float32Array();

  /** With `pick`, the plane is a control: click, or arrow keys, choose a pixel. */
  constructor(
    private readonly room: number,
    private readonly pick?: (row: number, column: number) => void,
    hover?: (at: [number, number] | null) => void,
  ) {
    const role = pick ? { role: "slider", tabindex: 0 } : { role: "img" };
    this.element = h("div", { class: "lt-plane", ...role }, this.canvas, this.marks);
    if (!pick) return;
    this.element.addEventListener("pointerdown", (event) => {
      const at = this.under(event);
      if (at) pick(...at);
    });
    this.element.addEventListener("keydown", (event) => this.key(event));
    this.element.addEventListener("pointermove", (event) => hover?.(this.under(event)));
    this.element.addEventListener("pointerleave", () => hover?.(null));
  }

  private border = 0;
  row = 0;
  column = 0;

  /** With a `border`, there is room around the map for so many pixels of padding. */
  draw(map: PlaneMap, border = 0): void {
    this.map = map;
    this.border = border;
    const [rows, columns] = map.size;
    this.values = map.values instanceof Float32Array ? map.values : floatsOf(map.values);
    const size = this.cell();
    Object.assign(this.element.style, { width: `${columns * size}px`, height: `${rows * size}px` });
    if (border) this.element.style.margin = `${border * size}px`;
    else this.element.style.removeProperty("margin");
    const [told, across] = map.told;
    paintShades(this.canvas, shadesOf(this.values, map.limit), told, across, inks(this.element));
    set(this.marks, { viewBox: `0 0 ${columns} ${rows}` });
  }

  /** Pixels of the screen that one of the map takes. */
  cell(): number {
    if (!this.map) return 1;
    const size = this.room / (Math.max(...this.map.size) + 2 * this.border);
    return size > 2 ? Math.min(36, Math.floor(size)) : size;
  }

  value(row: number, column: number): number | null {
    if (!this.map) return null;
    const [rows, columns] = this.map.size;
    const [told, across] = this.map.told;
    const at = Math.floor((row / rows) * told) * across + Math.floor((column / columns) * across);
    return this.values[at] ?? null;
  }

  /** Marks one pixel; with `cover`, what comes after it is not to be seen yet. */
  point(row: number, column: number, cover = false): void {
    [this.row, this.column] = [row, column];
    const [tall, wide] = this.map?.size ?? [0, 0];
    const after = [
      s("rect", { x: column + 1, y: row, width: wide - column - 1, height: 1, class: "lt-cover" }),
      s("rect", { x: 0, y: row + 1, width: wide, height: tall - row - 1, class: "lt-cover" }),
    ];
    this.marks.replaceChildren(...(cover ? after : []), ...outlined(column, row, 1, 1, "lt-point"));
    if (this.pick && this.map) {
      const [rows, columns] = this.map.size;
      set(this.element, {
        "aria-valuemin": 0,
        "aria-valuemax": rows * columns - 1,
        "aria-valuenow": row * columns + column,
      });
    }
  }

  /** Marks the pixels that a kernel meets; those beyond the map are padding. `won`: its maximum. */
  window(rows: (number | null)[], columns: (number | null)[], won?: [number, number]): void {
    if (!this.map) return;
    const [tall, wide] = this.map.size;
    const parts: SVGElement[] = [];
    const met = (axis: (number | null)[]) => axis.filter((at): at is number => at !== null);
    const [ys, xs] = [met(rows), met(columns)];
    for (const y of ys)
      for (const x of xs) {
        const outside = y < 0 || y >= tall || x < 0 || x >= wide;
        parts.push(
          s("rect", { x, y, width: 1, height: 1, class: outside ? "lt-outside" : "lt-met" }),
        );
      }
    if (ys.length && xs.length) {
      const [left, top] = [Math.min(...xs), Math.min(...ys)];
      const size = [Math.max(...xs) - left + 1, Math.max(...ys) - top + 1] as const;
      parts.push(...outlined(left, top, ...size, "lt-window"));
    }
    const winner = won && [rows[won[0]], columns[won[1]]];
    if (winner && winner[0] != null && winner[1] != null)
      parts.push(...outlined(winner[1], winner[0], 1, 1, "lt-point"));
    this.marks.replaceChildren(...parts);
  }

  /** Marks a box: rows and columns, ends included. */
  box([top, bottom, left, right]: [number, number, number, number]): void {
    this.marks.replaceChildren(
      ...outlined(left, top, right - left + 1, bottom - top + 1, "lt-window"),
    );
  }

  clear(): void {
    this.marks.replaceChildren();
  }

  private under(event: PointerEvent): [number, number] | null {
    if (!this.map) return null;
    const place = this.canvas.getBoundingClientRect();
    const [rows, columns] = this.map.size;
    const row = Math.floor(((event.clientY - place.top) / place.height) * rows);
    const column = Math.floor(((event.clientX - place.left) / place.width) * columns);
    const inside = row >= 0 && row < rows && column >= 0 && column < columns;
    return inside ? [row, column] : null;
  }

  private key(event: KeyboardEvent): void {
    if (!this.map || !this.pick) return;
    const [rows, columns] = this.map.size;
    const steps: Record<string, [number, number]> = {
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
      Home: [0, -columns],
      End: [0, columns],
      PageUp: [-rows, 0],
      PageDown: [rows, 0],
    };
    const by = steps[event.key];
    if (!by) return;
    const within = (at: number, size: number) => Math.max(0, Math.min(size - 1, at));
    this.pick(within(this.row + by[0], rows), within(this.column + by[1], columns));
    event.preventDefault();
  }
}

/** An outline that shows on every colour: a dark line inside of a light one. */
function outlined(x: number, y: number, width: number, height: number, name: string) {
  const box = { x, y, width, height };
  return [s("rect", { ...box, class: `${name} lt-halo` }), s("rect", { ...box, class: name })];
}
