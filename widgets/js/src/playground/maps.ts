// Maps of the plane: a signed byte per cell, painted with the one signed scale. A colour is its end
// of the scale, as opaque as it is strong, over the theme's zero: so it follows the theme by itself.
import palette from "../../../labtorch_widgets/shared/palette.json";

const NO_NUMBER = -128;
const rgb = (hex: string) => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
const [POSITIVE, NEGATIVE] = [rgb(palette.positive), rgb(palette.negative)];

export function decoded(text: string): Int8Array {
  return Int8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/** Paints a square of cells; false where there was no number in it at all. */
export function paintMap(canvas: HTMLCanvasElement, cells: Int8Array): boolean {
  const side = Math.round(Math.sqrt(cells.length));
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  if (!context || !side) return false;
  const image = context.createImageData(side, side);
  let numbers = 0;
  cells.forEach((cell, at) => {
    if (cell === NO_NUMBER) return;
    numbers++;
    const [red = 0, green = 0, blue = 0] = cell > 0 ? POSITIVE : NEGATIVE;
    image.data.set([red, green, blue, (Math.abs(cell) / 127) * 255], at * 4);
  });
  context.putImageData(image, 0, 0);
  return numbers > 0;
}

/** The line where the map passes zero, as the path data of a picture `size` wide (marching squares). */
export function zeroLine(cells: Int8Array, size: number): string {
  const side = Math.round(Math.sqrt(cells.length));
  const unit = size / side;
  const value = (row: number, column: number) => cells[row * side + column] ?? 0;
  const middle = (at: number) => (at + 0.5) * unit;
  const parts: string[] = [];
  for (let i = 0; i + 1 < side; i++)
    for (let j = 0; j + 1 < side; j++) {
      const corners = [value(i, j), value(i, j + 1), value(i + 1, j + 1), value(i + 1, j)] as const;
      if (corners.includes(NO_NUMBER)) continue;
      const [a, b, c, d] = corners;
      const cuts: string[] = [];
      const cut = (from: number, to: number, x: (t: number) => number, y: (t: number) => number) => {
        if (from > 0 === to > 0) return;
        const t = from / (from - to);
        cuts.push(`${x(t).toFixed(1)},${y(t).toFixed(1)}`);
      };
      cut(a, b, (t) => middle(j + t), () => middle(i));
      cut(b, c, () => middle(j + 1), (t) => middle(i + t));
      cut(d, c, (t) => middle(j + t), () => middle(i + 1));
      cut(a, d, () => middle(j), (t) => middle(i + t));
      for (let k = 0; k + 1 < cuts.length; k += 2) parts.push(`M${cuts[k]}L${cuts[k + 1]}`);
    }
  return parts.join("");
}
