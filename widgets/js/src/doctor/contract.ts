// What the kernel sends to this view.
import type { Frame } from "../shared/host";
import type { Num } from "../shared/numbers";

export type Severity = "error" | "warning" | "note" | "healthy";

export interface Hop {
  node: number;
  name: string;
  place: string;
  norm: Num | null;
  factor: Num | null;
  shape: number[];
}

export interface Finding {
  key: string;
  kind: string;
  severity: Severity;
  says: { key: string; values: Record<string, string>; more: number }[];
  advice: string;
  parameters: string[];
  path: Hop[];
  worst: number | null;
  source: { line: number; text: string } | null;
}

export interface DoctorFrame extends Frame {
  findings: Finding[];
}
