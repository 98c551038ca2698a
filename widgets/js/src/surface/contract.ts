// What the kernel sends to this view.
import type { Frame, Span } from "../shared/host";
import type { Num } from "../shared/numbers";

export type Kind = "parameters" | "random" | "pca" | "gradient" | "given";
export type Window = [number, number, number, number];

export interface Point {
  step: number;
  u: Num;
  v: Num;
  off: Num;
  loss: Num | null;
}

export interface SurfaceFrame extends Frame {
  time: Span & { shown: number | null };
  kind: Kind;
  given: boolean;
  labels: [string, string];
  chosen: string[];
  share: [number, number] | null;
  ball: Point | null;
  trail: Point[];
  known: number;
  phase: "waiting" | "computing" | "done" | "stopped" | "failed";
  error: string;
  progress: {
    count: number;
    total: number;
    stride: number;
    shape: [number, number];
    seconds: number;
  } | null;
  byHand: boolean;
  canPut: boolean;
}

/** A grid of losses over a window, and its bands as paths in a box of 600 x 400. */
export interface Chart {
  window: Window;
  values: (Num | null)[][];
  bands: { d: string; colour: string; low: Num; high: Num }[];
  holes: boolean;
  lowest: { u: number; v: number; loss: Num } | null;
}

export const WIDTH = 600;
export const HEIGHT = 400;
