// What the kernel sends to this view.
import type { Frame } from "../shared/host";
import type { Num } from "../shared/numbers";

export type Point = [x1: number, x2: number, label: number];
export type Line = [text: string, part: string];
export type Pair<T> = { train: T; test: T };

export interface Choices {
  data: string;
  noise: number;
  train: number;
  batch: number;
  layers: number[];
  activation: string;
  features: string[];
  lr: number;
  optimizer: string;
  penalty: string;
  strength: number;
  seed: number;
  points: Point[];
  text: string;
}

export interface PlayFrame extends Frame {
  state: "running" | "paused" | "stopped" | "error";
  trainable: boolean;
  count: number;
  shown: number;
  missing: boolean;
  speed: number | null;
  losses: Pair<Num | null>;
  accuracies: Pair<number | null>;
  history: [number, Num][][];
  layers: { weights: Num[][]; biases: Num[] }[];
  units: { maps: string; limit: number; dead: boolean[] }[];
  output: string;
  alarm: { kind: "fault"; message: string } | { kind: "diverged"; step: number } | null;
  notes: Partial<Record<"rate" | "edits" | "kept", Record<string, number>>>;
}

/** Which unit: `layer` 0 is the features', one after the last hidden one is the output's. */
export interface Place {
  layer: number;
  unit: number;
}

export const DATA = ["circle", "xor", "gauss", "spiral", "moons", "waves", "iris", "wine", "drawn"] as const;
export const ACTIVATIONS = ["ReLU", "Tanh", "Sigmoid", "linear"] as const;
export const FEATURES = ["x1", "x2", "x1²", "x2²", "x1x2", "sin x1", "sin x2"];
export const OPTIMIZERS = ["SGD", "momentum", "Adam"] as const;
export const PENALTIES = ["none", "L1", "L2"] as const;
export const MOST = { layers: 6, units: 8, points: 150 };
export const HALF = 6; // the plane reaches from -HALF to HALF
export const FINE = 75;
export const COARSE = 25;
