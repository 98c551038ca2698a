// Reading the landscape: places on the plane, and the loss between the points of the grid.
import { finite } from "../shared/numbers";
import { type Chart, HEIGHT, type Point, WIDTH } from "./contract";

export interface Place {
  u: number;
  v: number;
}

export function toMap({ window: [u0, u1, v0, v1] }: Chart, { u, v }: Place): [number, number] {
  return [((u - u0) / (u1 - u0)) * WIDTH, ((v1 - v) / (v1 - v0)) * HEIGHT];
}

export function fromMap({ window: [u0, u1, v0, v1] }: Chart, x: number, y: number): Place {
  return { u: u0 + (x / WIDTH) * (u1 - u0), v: v1 - (y / HEIGHT) * (v1 - v0) };
}

/** Where a point of the path lies; null where its weights were not finite. */
export function placeOf(point: Point | null): Place | null {
  return point && finite(point.u) && finite(point.v) ? { u: point.u, v: point.v } : null;
}

/** The loss there, between the four points around it; null outside, NaN where one is no number. */
export function lossAt(chart: Chart, place: Place): number | null {
  const [u0, u1, v0, v1] = chart.window;
  const rows = chart.values;
  const columns = rows[0]?.length ?? 0;
  const across = ((place.u - u0) / (u1 - u0)) * (columns - 1);
  const up = ((place.v - v0) / (v1 - v0)) * (rows.length - 1);
  if (!(across >= 0 && across <= columns - 1 && up >= 0 && up <= rows.length - 1)) return null;
  const i = Math.min(Math.floor(across), columns - 2);
  const j = Math.min(Math.floor(up), rows.length - 2);
  const [s, t] = [across - i, up - j];
  const at = (dj: number, di: number): number => {
    const value = rows[j + dj]?.[i + di];
    return finite(value) ? value : NaN;
  };
  return (
    (1 - t) * ((1 - s) * at(0, 0) + s * at(0, 1)) + t * ((1 - s) * at(1, 0) + s * at(1, 1))
  );
}
