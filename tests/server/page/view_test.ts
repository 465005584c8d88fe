import { assertEquals } from "@std/assert";
import { answerText } from "../../../server/page/view.js";

Deno.test("an answer is read out with its probability, and an unknown photo as unknown, with what it is most like", () => {
  const probabilities = [{ class: "panda", probability: 0.551 }, { class: "dog", probability: 0.449 }];
  const answer = { class: "panda", probability: 0.551, probabilities };
  assertEquals(answerText(answer), "panda, 55.1 %");
  assertEquals(answerText({ ...answer, unknown: false }), "panda, 55.1 %");
  assertEquals(answerText({ ...answer, class: null, unknown: true }), "Unknown, most like panda");
});
