// Numbers as people read them. "nan", "inf" and "-inf" travel as words: JSON has none.
export type Num = number | "nan" | "inf" | "-inf";

const GLYPHS = { nan: "NaN", inf: "∞", "-inf": "−∞" } as const;

export function spoken(value: Num | null | undefined, digits = 3): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "string") return GLYPHS[value];
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text =
    size < 1e-3 || size >= 1e6
      ? value.toExponential(Math.max(0, digits - 1)).replace(/\.?0*e\+?/, "e")
      : String(Number(value.toPrecision(digits)));
  return text.replaceAll("-", "−");
}

export function counted(value: number): string {
  return value.toLocaleString("en");
}

export function shapeText(shape: number[]): string {
  return shape.length ? shape.join(" × ") : "()";
}

export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 ** 2) return `${Number((bytes / 1024).toPrecision(3))} KiB`;
  return `${Number((bytes / 1024 ** 2).toPrecision(3))} MiB`;
}

export function secondsText(seconds: number): string {
  if (seconds < 1e-3) return `${Number((seconds * 1e6).toPrecision(3))} µs`;
  if (seconds < 1) return `${Number((seconds * 1e3).toPrecision(3))} ms`;
  return `${Number(seconds.toPrecision(3))} s`;
}

export function finite(value: Num | null | undefined): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
