/**
 * `deno run -A bench/server/attacks.ts`: attacks servers on this machine from outside, one after the other and each a process of its own,
 * while an honest client sends five photos a second and another asks for /health ten times a second. Prints, as one line of JSON for each
 * attack, how the attacker was answered, what the honest clients saw, and what memory the server took.
 * @module
 */
import { flag, parseOrExit } from "../../commands/cli/args.ts";
import { encodeJpeg } from "../../data/shapes/shape_drawing.ts";
import { uniform } from "../../engine/random.ts";
import { type Attack, carryOut } from "./attacks/attack.ts";
import { bodyAttacks } from "./attacks/bodies.ts";
import { connectionAttacks } from "./attacks/connections.ts";
import { lifeAttacks } from "./attacks/life.ts";
import { messageAttacks } from "./attacks/messages.ts";

const ATTACKS: readonly Attack[] = [...bodyAttacks, ...messageAttacks, ...connectionAttacks, ...lifeAttacks];

const flags = parseOrExit(Deno.args, {
  name: "deno run -A bench/server/attacks.ts",
  summary: "Attacks servers on this machine and prints what came of each attack as a line of JSON.",
  flags: {
    checkpoint: flag.path({ help: "the model", value: "PATH", required: true }),
    only: flag.list({ help: "attacks whose name contains this text; default: all", value: "TEXT" }),
    seconds: flag.float({ help: "how long an attack goes on", default: 20, min: 1, max: 600 }),
    from: flag.string({
      help: "the attacker's own address; the honest clients' is 127.0.0.1",
      default: Deno.build.os === "linux" ? "127.0.0.2" : "127.0.0.1",
      value: "ADDRESS",
    }),
  },
  positionals: { name: "SERVER_FLAG" },
});

const chosen = ATTACKS.filter(({ name }) => (flags.only ?? [""]).some((text) => name.includes(text)));
if (chosen.length === 0) {
  const names = ATTACKS.map(({ name }) => `"${name}"`).join(", ");
  console.error(`attacks: --only is ${JSON.stringify(flags.only)}, wanted a part of one of ${names}`);
  Deno.exit(2);
}

/** As large and as detailed as one from a telephone that was made smaller: about 45 kB. */
async function ordinaryPhoto(): Promise<Uint8Array<ArrayBuffer>> {
  const [width, height] = [500, 375];
  const data = new Uint8Array(width * height * 4).map((_, i) => {
    const [x, y] = [Math.floor(i / 4) % width, Math.floor(i / 4 / width)];
    return 100 + 60 * Math.sin(x / 20 + i % 4) + 40 * Math.sin(y / 15) + 40 * uniform(1, 0x4057, i, 0);
  });
  return await encodeJpeg({ width, height, data }, { quality: 75, progressive: false });
}

const photo = await ordinaryPhoto();
for (const attack of chosen) {
  const { checkpoint, seconds, from, positionals } = flags;
  const result = await carryOut(attack, { checkpoint, seconds, from, photo, flags: positionals });
  console.log(JSON.stringify(result));
}
