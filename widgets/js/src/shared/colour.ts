// The signed scale. The theme's zero is a CSS variable, so that a colour follows the theme by
// itself; what is mixed in is the palette that the kernel uses too.
import palette from "../../../labtorch_widgets/shared/palette.json";

/** The CSS colour of `value` where `limit` is the largest magnitude shown. */
export function signed(value: number, limit: number, strongest = 1): string {
  const share = limit > 0 ? Math.max(-1, Math.min(1, value / limit)) : 0;
  const end = share > 0 ? "var(--lt-positive)" : "var(--lt-negative)";
  const percent = (Math.abs(share) * strongest * 100).toFixed(1);
  return `color-mix(in srgb, ${end} ${percent}%, var(--lt-zero))`;
}

/** `value` on the gradients' symmetric log scale, in [-1, 1]. */
export function symlog(value: number): number {
  const { threshold, limit } = palette.symlog;
  const share = Math.log1p(Math.abs(value) / threshold) / Math.log1p(limit / threshold);
  return Math.sign(value) * Math.min(share, 1);
}
