// What the kernel sends to this view.
import type { Frame } from "../shared/host";
import type { PlaneMap } from "../shared/plane";

export type Mode = "convolution" | "max" | "average";

export interface Formula {
  latex: string;
  mathml: string;
}

export interface ConvolutionFrame extends Frame {
  mode: Mode;
  image: PlaneMap;
  output: PlaneMap | null;
  kernel: number[][];
  applied: number[][];
  preset: string | null;
  presets: string[];
  flip: boolean;
  stride: number;
  omitted: boolean;
  padding: number;
  dilation: number;
  window: number;
  size: [number, number];
  problem:
    | { key: "tooLarge"; rows: number; columns: number; tall: number; wide: number }
    | { key: "tooMuchPadding"; padding: number; most: number }
    | null;
  formula: Formula;
  sizeFormulas: Formula[];
  sides: [number, number];
  alternatives: { size: number; window: number; one: number; default: number } | null;
}
