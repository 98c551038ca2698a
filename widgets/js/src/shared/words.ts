// The catalogues that the kernel uses too: one text for each thing said, in every language. What all
// views say is in shared/words.json; a view's own words stand in its folder, and its words.ts adds
// them here.
import shared from "../../../labtorch_widgets/shared/words.json";

/** Every key there is; a view's words.ts extends it with its own. */
export interface Words extends Record<keyof typeof shared.en, string> {}
export type Key = keyof Words;

const catalogue: Record<string, Record<string, string>> = {
  en: { ...shared.en },
  zh: { ...shared.zh },
};

export function learn(own: Record<string, Record<string, string>>): void {
  for (const [language, words] of Object.entries(own))
    Object.assign((catalogue[language] ??= {}), words);
}

export function word(language: string, key: Key, values: Record<string, string | number> = {}) {
  const words = catalogue[language] ?? catalogue.en ?? {};
  return Object.entries(values).reduce(
    (text, [name, value]) => text.replaceAll(`{${name}}`, String(value)),
    words[key] ?? key,
  );
}
