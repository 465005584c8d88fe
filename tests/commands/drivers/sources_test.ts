import { assertEquals } from "@std/assert";
import { configuredSources, listFor, parseList, parseSources } from "../../../commands/drivers/sources.ts";
import { testNeeding } from "../../permissions.ts";

const LIST = `# comment
deb [arch=amd64,arm64 signed-by=/keys/debian.gpg trusted=yes] http://mirror.example/debian bookworm main contrib # end
deb-src http://mirror.example/debian bookworm main
deb http://mirror.example/debian bookworm-updates main
  deb https://other.example/apt bookworm stable
deb http://flat.example/ ./
`;

const SOURCES = `Types: deb deb-src
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Trusted: yes
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc

Types: deb
URIs: http://mirror.example/off
Suites: bookworm
Components: main
Enabled: no

Types: deb-src
URIs: http://mirror.example/debian
Suites: bookworm
Components: main
`;

Deno.test("a .list file gives a source for each line of binary packages, with its key and without what waives signatures", () => {
  assertEquals(parseList(LIST), [
    {
      uris: ["http://mirror.example/debian"],
      suites: ["bookworm"],
      components: ["main", "contrib"],
      options: [["Architectures", "amd64 arm64"], ["Signed-By", "/keys/debian.gpg"]],
    },
    {
      uris: ["http://mirror.example/debian"],
      suites: ["bookworm-updates"],
      components: ["main"],
      options: [],
    },
    { uris: ["https://other.example/apt"], suites: ["bookworm"], components: ["stable"], options: [] },
  ]);
});

Deno.test("a .sources file gives its enabled paragraphs of binary packages, a key over several lines included", () => {
  assertEquals(parseSources(SOURCES), [{
    uris: ["http://mirror.example/debian"],
    suites: ["bookworm", "bookworm-updates"],
    components: ["main"],
    options: [["Signed-By", "\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc"]],
  }]);
});

Deno.test("the list asks the release's own mirror for other suites, and no other maker's", () => {
  assertEquals(
    listFor(parseList(LIST), "bookworm", ["", "-backports"]),
    `Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-backports
Components: main contrib
Architectures: amd64 arm64
Signed-By: /keys/debian.gpg
`,
  );
  assertEquals(listFor(parseList(LIST), "trixie", ["-backports"]), "");
});

Deno.test("what is written is read back as the same sources", () => {
  const sources = parseSources(SOURCES).map((source) => ({ ...source, suites: ["bookworm"] }));
  assertEquals(parseSources(listFor(sources, "bookworm", [""])), sources);
});

testNeeding("read", "write")("sources come from both kinds of file, wherever there are any", async () => {
  const folder = await Deno.makeTempDir();
  assertEquals(await configuredSources(folder), []);
  await Deno.mkdir(`${folder}/sources.list.d`);
  await Deno.writeTextFile(`${folder}/sources.list`, "deb http://a.example bookworm main\n");
  await Deno.writeTextFile(`${folder}/sources.list.d/b.list`, "deb http://b.example bookworm main\n");
  await Deno.writeTextFile(
    `${folder}/sources.list.d/c.sources`,
    "Types: deb\nURIs: http://c.example\nSuites: x\n",
  );
  await Deno.writeTextFile(`${folder}/sources.list.d/d.list.save`, "deb http://d.example bookworm main\n");
  assertEquals((await configuredSources(folder)).map(({ uris }) => uris[0]), [
    "http://a.example",
    "http://b.example",
    "http://c.example",
  ]);
  await Deno.remove(folder, { recursive: true });
});
