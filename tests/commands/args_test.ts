import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { terminalColumns } from "../../commands/cli/terminal.ts";
import { TRAIN_COMMAND } from "../../commands/train_command.ts";
import { nameList } from "../../data/dataset/names.ts";
import { kebabCase } from "../../commands/cli/suggest.ts";
import { flag, givenFlags, helpText, parseFlags, UsageError } from "../../commands/cli/args.ts";

const command = {
  name: "deno task serve",
  summary: "Answers.",
  flags: {
    port: flag.int({ help: "port to listen on", default: 8000, min: 0, max: 65535 }),
    maxBatch: flag.int({ help: "images in one pass", default: 32, min: 1 }),
    lr: flag.float({ help: "learning rate", min: 0 }),
    augment: flag.choice(["off", "light", "full"], { help: "variation", default: "light" }),
    checkpoint: flag.list({ help: "file to serve", value: "[NAME=]PATH" }),
    classes: flag.list({ help: "classes", separator: "," }),
    json: flag.boolean({ help: "print JSON" }),
    watch: flag.boolean({ help: "do not reload", default: true }),
    host: flag.string({ help: "address", default: "127.0.0.1" }),
  },
};

function fails(args: string[], message: RegExp) {
  assertMatch(assertThrows(() => parseFlags(args, command), UsageError).message, message);
}

Deno.test("flags left out have their defaults, or undefined without one", () => {
  assertEquals(parseFlags([], command), {
    port: 8000,
    maxBatch: 32,
    lr: undefined,
    augment: "light",
    checkpoint: undefined,
    classes: undefined,
    json: false,
    watch: true,
    host: "127.0.0.1",
    positionals: [],
  });
});

Deno.test("a value may follow its flag after a space or an equals sign", () => {
  const parsed = parseFlags(["--port", "80", "--max-batch=4", "--lr", "1e-3", "--augment=off"], command);
  // The types are part of the test: these lines compile only if each flag has its own.
  const numbers: number[] = [parsed.port, parsed.maxBatch, parsed.lr ?? NaN];
  const level: "off" | "light" | "full" = parsed.augment;
  assertEquals([...numbers, level], [80, 4, 0.001, "off"]);
});

Deno.test("a list's item may hold a comma, in quotes as CSV has them", () => {
  const classes = (...args: string[]) => parseFlags(args.map((text) => `--classes=${text}`), command).classes;
  assertEquals(classes('"a, b",c'), ["a, b", "c"]);
  assertEquals(classes('c, "a, b"'), ["c", "a, b"]);
  assertEquals(classes('"a, b"', "c", '"d ""e"""'), ["a, b", "c", 'd "e"']);
  assertThrows(() => classes('"a, b'), UsageError, "expected items as in CSV");
  assertThrows(() => classes('5" disk'), UsageError, "stands in quotes");
  assertThrows(() => classes('"",a'), UsageError, "expected items that are not empty");
  assertMatch(
    helpText(command),
    /--classes TEXT +classes; one with a comma in it stands in quotes: '"a, b",c'/,
  );
  // What messages print can be given back.
  const names = ["a, b", 'd "e"', "plain", " padded"];
  assertEquals(classes(nameList(names)), names.map((name) => name.trim()));
});

Deno.test("a list grows with every repetition and splits only at its separator", () => {
  const parsed = parseFlags(
    ["--checkpoint", "a,b.safetensors", "--checkpoint=x=y=z", "--classes", "dog, bird"],
    command,
  );
  assertEquals(parsed.checkpoint, ["a,b.safetensors", "x=y=z"]);
  assertEquals(parsed.classes, ["dog", "bird"]);
});

Deno.test("a switch is turned on by its name and off by --no-", () => {
  const parsed = parseFlags(["--json", "--no-watch"], command);
  assertEquals([parsed.json, parsed.watch], [true, false]);
  assertEquals(parseFlags(["--json=false"], command).json, false);
});

Deno.test("a switch does not swallow the argument after it", () => {
  const parsed = parseFlags(["--json", "photo.jpg"], { ...command, positionals: { name: "IMAGE" } });
  assertEquals([parsed.json, parsed.positionals], [true, ["photo.jpg"]]);
});

Deno.test("an unknown flag is named", () => {
  fails(["--prot", "80"], /unknown flag --prot/);
  fails(["--prot=80"], /unknown flag --prot$/);
  fails(["-p", "80"], /unknown flag -p/);
  fails(["--no-port"], /unknown flag --no-port/);
  fails(["--no-port=80"], /unknown flag --no-port=80/);
  fails(["--no-json=true"], /unknown flag --no-json=true/);
  fails(["--__proto__=1"], /unknown flag --__proto__/);
  fails(["-_"], /unknown flag -_/);
  fails(["-5"], /unknown flag -5/);
});

Deno.test("an unreadable value is named with what came and what was wanted", () => {
  fails(["--port", "eighty"], /--port got "eighty", expected a whole number/);
  fails(["--port", "80.5"], /--port got "80.5"/);
  fails(["--port", "0x50"], /--port got "0x50"/);
  fails(["--port", "70000"], /--port got "70000", expected a whole number from 0 to 65535/);
  fails(["--port", "9007199254740993"], /--port got/);
  fails(["--max-batch=0"], /--max-batch got "0", expected a whole number of at least 1/);
  fails(["--lr", "Infinity"], /--lr got "Infinity", expected a number/);
  fails(["--lr=-1"], /--lr got "-1", expected a number of at least 0/);
  fails(["--augment", "heavy"], /--augment got "heavy", expected one of off, light, full/);
  fails(["--json=maybe"], /--json got "maybe", expected true or false/);
  fails(["--classes", "dog,,bird"], /--classes got "dog,,bird", expected items that are not empty/);
});

Deno.test("a flag without its value or given twice is an error", () => {
  fails(["--port"], /--port needs a value/);
  fails(["--port="], /--port needs a value/);
  fails(["--port", "--json"], /--port needs a value/);
  fails(["--port", "1", "--port", "2"], /--port got "1", "2", expected one value/);
});

Deno.test("arguments without a flag are refused, or counted where they are taken", () => {
  fails(["photo.jpg"], /unexpected argument "photo.jpg"/);
  const taking = { ...command, positionals: { name: "IMAGE", min: 1, max: 2 } };
  assertEquals(parseFlags(["7", "--json", "--", "--b"], taking).positionals, ["7", "--b"]);
  assertThrows(() => parseFlags([], taking), UsageError, "got 0 IMAGE, expected at least 1");
  assertThrows(() => parseFlags(["a", "b", "c"], taking), UsageError, 'unexpected argument "c"');
});

Deno.test("arguments that are not alike are named by what each is", () => {
  const copy = { ...command, positionals: { name: "FILE", usage: "FROM TO", min: 2, max: 2 } };
  assertMatch(helpText(copy), /^\S.* \[FLAGS\] FROM TO\n/);
  const refused = (...args: string[]) => assertThrows(() => parseFlags(args, copy), UsageError).message;
  assertEquals(refused("a"), "got 1 argument, expected exactly 2: FROM TO");
  assertEquals(refused("a", "b", "c"), 'unexpected argument "c", expected FROM TO');
});

Deno.test("a flag that a command cannot have is answered with what to do", () => {
  const train = (...args: string[]) =>
    assertThrows(() => parseFlags(args, TRAIN_COMMAND), UsageError).message;
  assertEquals(
    train("--name", "x"),
    "unknown flag --name: a run is called as its folder is, --out runs/NAME",
  );
  assertMatch(
    train("--device", "0"),
    /^unknown flag --device: the system chooses the adapter, .+VK_DRIVER_FILES/,
  );
  fails(["--gpu=1"], /^unknown flag --gpu: the system chooses/);
  fails(["--__proto__"], /^unknown flag --__proto__$/);
});

Deno.test("a required flag that is missing is named", () => {
  const strict = { ...command, flags: { checkpoint: flag.string({ help: "file", required: true }) } };
  assertThrows(() => parseFlags([], strict), UsageError, "--checkpoint is missing");
  const path: string = parseFlags(["--checkpoint", "a"], strict).checkpoint;
  assertEquals(path, "a");
});

Deno.test("the help text lists every flag with its default", () => {
  const text = helpText(command);
  assertMatch(text, /--port N +port to listen on \(default 8000\)/);
  assertMatch(text, /--augment off\|light\|full +variation \(default light\)/);
  assertMatch(text, /--checkpoint \[NAME=\]PATH +file to serve \(may be repeated\)/);
  assertMatch(text, /--no-watch +do not reload/);
});

Deno.test("the help text is broken between words where the terminal is narrow", () => {
  const words = (text: string) => text.split(/\s+/);
  const whole = helpText(TRAIN_COMMAND, { all: true }),
    longest = Math.max(...words(whole).map((word) => word.length));
  for (const columns of [1, 20, 60, 80, 132]) {
    const text = helpText(TRAIN_COMMAND, { all: true, columns });
    assertEquals(words(text), words(whole));
    // A flag and its value, and a single word, are never broken.
    const most = Math.max(
      columns,
      6 + longest,
      ...whole.match(/^ {2}--\S+( \S+)?/gm)!.map((left) => left.length),
    );
    for (const line of text.split("\n").slice(1)) assert(line.length <= most, `${columns}: ${line}`);
  }
  assertEquals(helpText(TRAIN_COMMAND, { all: true, columns: 500 }), whole);
});

Deno.test("a terminal that says no width has that of COLUMNS, or 80", () => {
  const fails = () => {
    throw new Error("Inappropriate ioctl for device");
  };
  assertEquals(terminalColumns(() => 120, () => "40"), 120);
  for (const ask of [fails, () => 0, () => NaN]) {
    assertEquals(terminalColumns(ask, () => "40"), 40);
    for (const value of [undefined, "", "0", "-3", "wide"]) {
      assertEquals(terminalColumns(ask, () => value), 80);
    }
  }
});

Deno.test("the flags that were given are known by name, however they are written", () => {
  const given = givenFlags(["--no-json", "--max-batch=1", "--classes", "a", "--classes=b"], command);
  assertEquals([...given], [["json", "--json"], ["maxBatch", "--max-batch"], ["classes", "--classes"]]);
});

Deno.test("an unknown flag is answered with the one that was meant, be it a slip of the pen or another program's word", () => {
  const meant = (args: string[]) => {
    const { message } = assertThrows(() => parseFlags(args, TRAIN_COMMAND), UsageError);
    return /^unknown flag (\S+?)(?:, did you mean (--[\w-]+)\?)?$/.exec(message)?.slice(1);
  };
  for (
    const [given, wanted] of [
      ["--epoch", "--epochs"],
      ["--ephocs", "--epochs"],
      ["--batch", "--batch-size"],
      ["--batch_size", "--batch-size"],
      ["--batchSize", "--batch-size"],
      ["--imgsz", "--size"],
      ["--img-size", "--size"],
      ["--learning-rate", "--lr"],
      ["--num-workers", "--workers"],
      ["--worker", "--workers"],
      ["--wd", "--weight-decay"],
      ["--label", "--label-smoothing"],
      ["--optimiser", "--optimizer"],
      ["--no-nestrov", "--no-nesterov"],
      ["--halp", "--help"],
      ["--colour", undefined],
      ["--zz", undefined],
      ["-b", "--batch-size"],
    ] as const
  ) {
    assertEquals<(string | undefined)[] | undefined>(meant([given, "3"]), [given, wanted]);
  }
  fails(["--batch-size", "3"], /^unknown flag --batch-size, did you mean --max-batch\?$/);
});

Deno.test("a command that opens a device takes --backend, whoever reads its flags", () => {
  const command = { name: "c", summary: "s", usesGpu: true, flags: { size: flag.int({ help: "h" }) } };
  const args = ["--size", "3", "--backend", "dawn"];
  assertEquals(parseFlags(args, command).size, 3);
  assertEquals([...givenFlags(args, command).keys()], ["size", "backend"]);
  assertMatch(helpText(command), /--backend deno\|dawn /);
  assertThrows(() => parseFlags(["--backend", "gl"], command), UsageError, "one of deno, dawn");
  assertThrows(() => parseFlags(args, { ...command, usesGpu: false }), UsageError, "unknown flag --backend");
});

Deno.test("the short help of train fits a screen, and its guide has every flag once", () => {
  const { flags, guide } = TRAIN_COMMAND;
  const guided = [...Object.keys(guide.usual), ...Object.values(guide.groups).flat()];
  assertEquals(guided.toSorted(), [...Object.keys(flags), "backend"].toSorted());
  const short = helpText(TRAIN_COMMAND, { columns: 100 }).split("\n");
  assert(short.length <= 40, `${short.length} lines`);
  assert(short.every((line) => line.length <= 100), short.join("\n"));
  assert(short.includes("--help-all explains the others, too:"));
  // What the short one has no words for, the long one explains.
  const long = helpText(TRAIN_COMMAND, { columns: 100, all: true });
  for (const key of guided) assertMatch(long, new RegExp(`^  --(no-)?${kebabCase(key)}( |$)`, "m"));
});
