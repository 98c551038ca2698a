// What is known of one bar: its time, how usual that is, its operations and bytes, its line.
import { button, h, ICONS, label, set } from "../shared/dom";
import { bytesText, counted, secondsText, shapeText, spoken } from "../shared/numbers";
import type { Key } from "../shared/words";
import type { Bar, OpNode, Structure, TimelineFrame } from "./contract";

type Word = (key: Key, values?: Record<string, string | number>) => string;
type Fact = [string, string];

export class BarPane {
  readonly element: HTMLElement;
  private readonly heading = h("h2");
  private readonly body = h("div");
  private readonly closer: HTMLButtonElement;
  private readonly closeUp: HTMLButtonElement;

  constructor(
    private readonly word: Word,
    close: () => void,
    zoom: () => void,
  ) {
    this.closer = button("", ICONS.close, close, true);
    this.closeUp = button("", null, zoom);
    this.element = h("aside", { class: "lt-ops-pane", hidden: true }, h("header", {}, this.heading, this.closeUp, this.closer), this.body);
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      close();
      event.stopPropagation();
    });
  }

  draw(bar: Bar | null, name: string, frame: TimelineFrame, structure: Structure): void {
    this.element.hidden = !bar;
    if (!bar) return;
    const { word } = this;
    const [kind, of, , phase, start, seconds] = bar;
    label(this.closer, word("timeline.close"), word("timeline.close"));
    label(this.closeUp, word("timeline.zoomTo"));
    set(this.element, { "aria-label": `${word("timeline.pane")}: ${name}` });
    this.heading.replaceChildren(h("code", {}, name), ` ${kind === "gap" || kind === "phase" ? "" : word(`timeline.${phase}`)}`);
    const node = kind === "op" ? structure.nodes[of] : undefined;
    const scope = kind === "scope" ? structure.scopes[of] : undefined;
    const share = `${spoken((seconds / (frame.duration || 1)) * 100, 3)} %`;
    const facts: Fact[] = [
      [word("timeline.seconds"), `${secondsText(seconds)} · ${share}`],
      [word("timeline.begins"), secondsText(start)],
    ];
    const usual = phase === "rest" || !node || frame.opened !== of ? null : frame.usual?.[phase];
    if (usual)
      facts.push(
        [word("timeline.median", { steps: counted(frame.steps) }), secondsText(usual[0])],
        [word("timeline.quartiles"), `${secondsText(usual[1])} … ${secondsText(usual[2])}`],
      );
    const module = node?.module || (scope && `${scope.path}: ${scope.type}`);
    if (module) facts.push([word("timeline.module"), module]);
    if (node) facts.push([word("timeline.shape"), shapeText(node.shape)]);
    if (node && phase === "forward") facts.push(...this.work(node, seconds));
    this.body.replaceChildren(
      h("dl", {}, ...facts.map(([key, value]) => h("div", {}, h("dt", {}, key), h("dd", {}, value)))),
      kind === "gap" || phase === "rest" ? h("p", { class: "lt-quiet" }, word("timeline.gapWhy")) : "",
      node && phase === "backward" ? h("p", { class: "lt-quiet" }, word("timeline.forwardOnly")) : "",
      node?.source
        ? h(
            "section",
            {},
            h("h3", {}, `${word("timeline.source")} · ${word("timeline.line", { line: node.source.line })}`),
            h("pre", { tabindex: 0, "aria-label": word("timeline.source") }, h("code", {}, node.source.text.trim())),
          )
        : "",
    );
  }

  private work({ flops, nbytes }: OpNode, seconds: number): Fact[] {
    const facts: Fact[] = [];
    if (flops) {
      facts.push([this.word("timeline.flops"), counted(flops)]);
      if (seconds > 0) facts.push([this.word("timeline.rate"), `${spoken(flops / seconds / 1e9, 3)} GFLOP/s`]);
    }
    facts.push([this.word("timeline.bytes"), bytesText(nbytes)]);
    if (seconds > 0) facts.push([this.word("timeline.bandwidth"), `${spoken(nbytes / seconds / 1e9, 3)} GB/s`]);
    return facts;
  }
}
