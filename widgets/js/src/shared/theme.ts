// The palette as CSS variables. Each holds its light and its dark colour, and the style sheet says
// which of the two JupyterLab's theme asks for.
import palette from "../../../labtorch_widgets/shared/palette.json";

export function paint(el: HTMLElement): void {
  const set = (name: string, { light, dark }: { light: string; dark: string }) =>
    el.style.setProperty(`--lt-${name}`, `light-dark(${light}, ${dark})`);
  el.style.setProperty("--lt-negative", palette.negative);
  el.style.setProperty("--lt-positive", palette.positive);
  set("zero", palette.zero);
  for (const [kind, tones] of Object.entries(palette.kinds)) set(`kind-${kind}`, tones);
}
