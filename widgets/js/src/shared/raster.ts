// Maps of numbers on a canvas, on the signed scale of the theme.
import palette from "../../../labtorch_widgets/shared/palette.json";
import type { Frame, Host } from "./host";

type Rgb = [number, number, number];

const ODD: Record<string, Rgb> = { light: [240, 200, 197], dark: [112, 58, 56] };

/** 256 colours: 1 to 255 from the strongest negative to the strongest positive, 0 not finite. */
export function inks(el: Element): Uint8ClampedArray {
  const theme = getComputedStyle(el).colorScheme === "dark" ? "dark" : "light";
  const zero = rgb(palette.zero[theme]);
  const table = new Uint8ClampedArray(256 * 3);
  table.set(ODD[theme] ?? [0, 0, 0]);
  for (let i = 1; i < 256; i++) {
    const share = (i - 128) / 127;
    const end = rgb(share > 0 ? palette.positive : palette.negative);
    table.set(
      zero.map((from, c) => from + ((end[c] ?? 0) - from) * Math.abs(share)),
      3 * i,
    );
  }
  return table;
}

function rgb(hex: string): Rgb {
  const part = (at: number) => parseInt(hex.slice(at, at + 2), 16);
  return [part(1), part(3), part(5)];
}

/** Paints shades (see `inks`), one a pixel. */
export function paintShades(
  canvas: HTMLCanvasElement,
  shades: Uint8Array,
  rows: number,
  columns: number,
  table: Uint8ClampedArray,
): void {
  if (canvas.width !== columns) canvas.width = columns;
  if (canvas.height !== rows) canvas.height = rows;
  const context = canvas.getContext("2d");
  if (!context || !rows || !columns) return;
  const image = context.createImageData(columns, rows);
  for (let i = 0; i < rows * columns; i++) {
    const at = 3 * (shades[i] ?? 0);
    image.data[4 * i] = table[at] ?? 0;
    image.data[4 * i + 1] = table[at + 1] ?? 0;
    image.data[4 * i + 2] = table[at + 2] ?? 0;
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

/** The shade of each number where `limit` is the largest magnitude shown. */
export function shadesOf(values: ArrayLike<number>, limit: number): Uint8Array {
  return Uint8Array.from({ length: values.length }, (_, i) => {
    const value = values[i] ?? NaN;
    if (!Number.isFinite(value)) return 0;
    return limit > 0 ? Math.round(Math.max(-1, Math.min(1, value / limit)) * 127) + 128 : 128;
  });
}

export function bytesOf(view: DataView | null | undefined): Uint8Array {
  return view ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength) : new Uint8Array();
}

export function floatsOf(view: DataView | null | undefined): Float32Array {
  // A message's buffers need not be aligned: copied, they are.
  return view
    ? new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength))
    : new Float32Array();
}

/** Canvases do not follow style sheets: draws again when JupyterLab's theme changes. */
export function onTheme<F extends Frame>(host: Host<F>, draw: () => void): void {
  const watch = new MutationObserver(() => requestAnimationFrame(draw));
  watch.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  host.cleanup(() => watch.disconnect());
}
