// What the kernel sends to this view.
import type { Frame } from "../shared/host";
import type { Num } from "../shared/numbers";

export type Kind = "lstm" | "gru" | "rnn" | "";

/** One byte a number, rows of units: 0 is −limit, 127 zero, 254 +limit, 255 no number. */
export interface Picture {
  levels: DataView;
  units: number[];
  block: number;
  rows: number;
  columns: number;
  limit: number;
}

export interface Layer {
  key: string;
  name: string;
  kind: Kind;
  layer: number;
  layers: number;
  backwards: boolean;
  directions: number;
}

export interface Cell {
  unit: number;
  t: number;
  numbers: Record<string, Num>;
  equations: { latex: string; mathml: string }[];
}

export interface Gradient {
  of: "loss" | "output";
  step?: number | null; // where it is that of an earlier step
  state: "ready" | "computing" | "gradient" | "weights" | "steps" | "sequence" | "other";
  layers: { key: string; values: Num[] }[];
}

export interface Dependence {
  of: "loss" | "output";
  values: Num[];
  outputs?: Num[];
  classes?: string[];
  chosen?: number;
  asked?: number | null;
  position?: number | null;
}

export interface Brush {
  threshold: number;
  start: number;
  stop: number;
  units: number[];
}

/** A frame in which a recurrent layer's states are shown. */
export interface Course {
  problem: null;
  step: number;
  layer: string;
  layers: Layer[];
  kind: Kind;
  backwards: boolean;
  sequence: { index: number; batch: number; first: number; stop: number; packed: boolean };
  names: string[];
  name: string;
  sort: "unit" | "activity" | "similarity";
  steps: number;
  longest: number;
  length: number;
  reads: number[];
  tokens: string[] | null;
  gradient: Gradient;
  dependence: Dependence | null;
  brush: Brush | null;
  units: number;
  cell: Cell;
  value: Num;
  rows: Record<string, Num | string | null>[] | null;
}

export type StatesFrame = Frame & { error: string | null; followed: boolean } & (
    | Course
    | {
        problem: "nothing" | "noRecurrent" | "notKept";
        step: number | null;
        layers?: Layer[];
        layer?: string;
      }
  );
