// What the kernel sends to this view.
import type { Frame } from "../shared/host";
import type { Num } from "../shared/numbers";

export type State = "running" | "paused" | "done" | "stopped" | "error";
export type Part = "training" | "validation";
export type Point = [number, number];
export const PACES = ["full", "steps10", "step1", "ops4", "op1"] as const;

export interface Line {
  metric: string;
  part: Part;
  points: [number, Num][];
  best: [number, Num] | null;
}

export interface Run {
  key: string;
  name: string;
  state: State;
  count: number;
  ghost: boolean;
  lines: Line[];
}

export interface Metric {
  name: string;
  falls: boolean;
}

export interface Reading {
  metric: string;
  value: Num | null;
  validation: { value: Num | null; best: Num | null } | null;
}

export interface Edit {
  step: number;
  name: string;
  index: number[];
  before: Num;
  after: Num;
  undoes: boolean;
}

export interface Parameters {
  names: { name: string; shape: number[]; dtype: string; kind: string }[];
  chosen: string | null;
  values: (Num | string | null)[][] | null;
  live: boolean;
  lead: number[];
  row: number;
  column: number;
  undo: boolean;
  awaited: number;
  refused: string | null;
}

/** What a comparison has, too. */
export interface ChartFrame extends Frame {
  runs: Run[];
  metrics: Metric[];
  edits: Edit[];
  epochs: {
    starts: [number, number][];
    epoch?: number | null;
    epochs?: number | null;
    done?: number | null;
    length?: number | null;
  };
  readings?: Reading[];
}

export interface TrainingFrame extends ChartFrame {
  state: State;
  count: number;
  validating: boolean;
  within: boolean;
  pace: (typeof PACES)[number];
  loss: Num | null;
  lossShown: Num | null;
  readings: Reading[];
  speed: number | null;
  left: number | null;
  rate: number | null;
  rateShown: number | null;
  refused: string | null;
  parameters: Parameters | null;
  op: { name: string; kind: string; backward: boolean } | null;
  fault: {
    type: string;
    message: string;
    line: number | null;
    text: string;
    where: string;
    function: string;
  } | null;
  nonfinite: { step: number; op: string; message: string } | null;
}
