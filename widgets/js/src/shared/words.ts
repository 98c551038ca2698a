// The catalogue that the kernel uses too: one text for each thing said, in every language.
import catalogue from "../../../labtorch_widgets/shared/words.json";

type Catalogue = typeof catalogue;
export type Language = keyof Catalogue;
export type Key = keyof Catalogue["en"];

export function word(language: string, key: Key, values: Record<string, string | number> = {}) {
  const words: Record<Key, string> = catalogue[language in catalogue ? (language as Language) : "en"];
  return Object.entries(values).reduce(
    (text, [name, value]) => text.replaceAll(`{${name}}`, String(value)),
    words[key],
  );
}
