// What the kernel sends to this view.
import type { Frame } from "../shared/host";
import type { Num } from "../shared/numbers";

export interface Measures {
  grad: Num | null;
  value: Num | null;
  update: Num | null;
  min: Num | null;
  max: Num | null;
  zeros: Num | null;
  nan: number;
  inf: number;
  histogram: { edges: number[]; counts: number[] } | null;
}

/** Of parameters: second is gradient : weight, third update : weight. Of an activation: the share
 * of zeros, the standard deviation. */
export interface Row extends Measures {
  key: string;
  name: string;
  type: string;
  norm: Num | null;
  second: Num | null;
  third: Num | null;
  parts: (Measures & { name: string })[];
}

export type What = "parameters" | "activations";

export interface GradientsFrame extends Frame {
  what: What;
  statistic: string;
  window: number;
  rows: Row[];
  measured: boolean;
  hidden: number;
}

export interface Series {
  keys: string[];
  names: string[];
  steps: number[];
  per: number;
  statistic: string;
}

export interface Spread {
  key: string;
  part: string;
  of: string;
  steps: number[];
  bins: number;
}
