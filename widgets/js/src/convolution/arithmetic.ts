// The window of an output pixel, and the sum that it makes, with all numbers put in.
import type { ConvolutionFrame } from "./contract";
import { spoken } from "../shared/numbers";

const MATHML = "http://www.w3.org/1998/Math/MathML";
const TERMS = 9;

export interface Place {
  rows: number[];
  columns: number[];
  window: number[][]; // 0 in the padding
  outside: boolean[][];
}

export function placeOf(frame: ConvolutionFrame, image: Float32Array, row: number, column: number): Place {
  const { stride, padding, dilation } = frame;
  const [tall, wide] = frame.image.size;
  const axis = (at: number, size: number) =>
    Array.from({ length: size }, (_, k) => at * stride - padding + k * dilation);
  const rows = axis(row, frame.size[0]);
  const columns = axis(column, frame.size[1]);
  const outside = rows.map((y) => columns.map((x) => y < 0 || y >= tall || x < 0 || x >= wide));
  const window = rows.map((y, r) =>
    columns.map((x, c) => (outside[r]?.[c] ? 0 : (image[y * wide + x] ?? 0))),
  );
  return { rows, columns, window, outside };
}

export function timesKernel(window: number[][], kernel: number[][]): number[][] {
  return window.map((line, r) => line.map((x, c) => x * (kernel[r]?.[c] ?? 0)));
}

/** y(row, column) = w x + w x + ... = the engine's number, as MathML; zeros are left out. */
export function sumFormula(
  frame: ConvolutionFrame,
  place: Place,
  row: number,
  column: number,
  output: number,
): Element {
  const pairs = frame.mode === "convolution" ? kernelTerms(frame, place) : plainTerms(place);
  const shown = pairs.slice(0, TERMS);
  const inner: Element[] = [];
  shown.forEach(([w, x], i) => {
    if (i) inner.push(m("mo", frame.mode === "max" ? "," : "+"));
    if (w !== null) inner.push(number(w), m("mo", "·"));
    inner.push(number(x));
  });
  if (pairs.length > TERMS) inner.push(m("mo", "+"), m("mo", "⋯"));
  if (!inner.length) inner.push(m("mn", "0"));
  const head = [sub("y", `${row}, ${column}`), m("mo", "=")];
  const body =
    frame.mode === "max"
      ? [m("mi", "max"), m("mo", "("), ...inner, m("mo", ")")]
      : frame.mode === "average"
        ? [m("mfrac", m("mn", "1"), m("mn", String(frame.window ** 2))), m("mo", "("), ...inner, m("mo", ")")]
        : inner;
  return m("math", m("mrow", ...head, ...body, m("mo", "="), m("mn", spoken(output, 6))));
}

function kernelTerms({ applied }: ConvolutionFrame, { window }: Place): [number | null, number][] {
  return window.flatMap((line, r) =>
    line
      .map((x, c): [number, number] => [applied[r]?.[c] ?? 0, x])
      .filter(([w, x]) => w !== 0 && x !== 0),
  );
}

function plainTerms({ window, outside }: Place): [number | null, number][] {
  return window.flatMap((line, r) =>
    line.filter((_, c) => !outside[r]?.[c]).map((x): [null, number] => [null, x]),
  );
}

function m(tag: string, ...children: (Element | string)[]): Element {
  const element = document.createElementNS(MATHML, tag);
  element.append(...children);
  return element;
}

function sub(letter: string, index: string): Element {
  return m("msub", m("mi", letter), m("mn", index));
}

function number(value: number, digits = 3): Element {
  const text = m("mn", spoken(value, digits));
  return value < 0 ? m("mrow", m("mo", "("), text, m("mo", ")")) : text;
}
