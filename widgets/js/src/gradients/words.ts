import own from "../../../labtorch_widgets/gradients/words.json";
import { learn } from "../shared/words";

learn(own);

declare module "../shared/words" {
  interface Words extends Record<keyof typeof own.en, string> {}
}
