/**
 * Open MPI's and MPICH's libraries through Deno's foreign functions: the calls that the communicator needs. All of them belong to the thread
 * that made this.
 * @module
 */
import { UserError } from "../../engine/errors.ts";

/** The libraries that are known; they differ in what their handles are. */
export type MpiKind = "Open MPI" | "MPICH";

/** File names of each, the usual one first. */
export const LIBRARIES: Readonly<Record<MpiKind, readonly string[]>> = {
  "Open MPI": ["libmpi.so.40", "libmpi.so"],
  MPICH: ["libmpich.so.12", "libmpi.so.12", "libmpich.so"],
};

/** Handles are addresses in Open MPI and 32-bit numbers in MPICH; both pass as 64 bits. */
const handle = "u64" as const;
const int = "i32" as const;
const memory = "buffer" as const;

const SYMBOLS = {
  MPI_Init_thread: { parameters: ["pointer", "pointer", int, memory], result: int },
  MPI_Finalize: { parameters: [], result: int },
  MPI_Abort: { parameters: [handle, int], result: int },
  MPI_Comm_rank: { parameters: [handle, memory], result: int },
  MPI_Comm_size: { parameters: [handle, memory], result: int },
  MPI_Comm_dup: { parameters: [handle, memory], result: int },
  MPI_Comm_set_errhandler: { parameters: [handle, handle], result: int },
  MPI_Error_string: { parameters: [int, memory, memory], result: int },
  MPI_Get_library_version: { parameters: [memory, memory], result: int },
  MPI_Test: { parameters: [memory, memory, memory], result: int },
  MPI_Iprobe: { parameters: [int, int, handle, memory, memory], result: int },
  MPI_Recv: { parameters: [memory, int, handle, int, int, handle, memory], result: int },
  MPI_Isend: { parameters: [memory, int, handle, int, int, handle, memory], result: int },
  MPI_Ibarrier: { parameters: [handle, memory], result: int },
  MPI_Ibcast: { parameters: [memory, int, handle, int, handle, memory], result: int },
  MPI_Iallreduce: { parameters: [memory, memory, int, handle, handle, handle, memory], result: int },
  MPI_Iallgatherv: {
    parameters: [memory, int, handle, memory, memory, memory, handle, handle, memory],
    result: int,
  },
  MPI_Ialltoallv: {
    parameters: [memory, memory, memory, handle, memory, memory, memory, handle, handle, memory],
    result: int,
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** Names that the calls take. */
export interface Handles {
  /** All ranks. */
  readonly world: bigint;
  /** Datatype. */
  readonly byte: bigint;
  /** Datatype. */
  readonly float: bigint;
  /** Operation. */
  readonly sum: bigint;
  /** Handler of errors. */
  readonly errorsReturn: bigint;
  /** Matches every sender. */
  readonly anySource: number;
}

/** A request that has been started, with the memory that it works on. */
export interface Request {
  readonly handle: BigUint64Array<ArrayBuffer>;
  /** Kept from being collected. */
  readonly uses: readonly ArrayBufferView[];
}

/** The calls by name, without their prefix of errors. */
export type Calls = Deno.StaticForeignLibraryInterface<typeof SYMBOLS>;

const text = (value: string) => new TextEncoder().encode(`${value}\0`);

/** An opened library, MPI not yet initialised. */
export class MpiLibrary {
  readonly #calls: Calls;
  readonly handles: Handles;
  readonly #flag = new Int32Array(1);
  readonly #status = new Uint8Array(64);

  private constructor(readonly kind: MpiKind, readonly path: string, calls: Calls, handles: Handles) {
    this.#calls = calls;
    this.handles = handles;
  }

  /** Opens the first of the files that is there; throws a `UserError` that says what to install. */
  static open(kind: MpiKind, paths: readonly string[] = LIBRARIES[kind]): MpiLibrary {
    let reason = "";
    for (const path of paths) {
      try {
        const find = openGlobally(path);
        const { symbols } = Deno.dlopen(path, SYMBOLS);
        return new MpiLibrary(kind, path, symbols, handlesOf(kind, find));
      } catch (error) {
        reason ||= (error as Error).message;
      }
    }
    const packages = kind === "MPICH" ? "libmpich12" : "libopenmpi3";
    throw new UserError(
      `Cannot open ${kind}'s library ${paths[0]}: ${reason}; Debian and Ubuntu have it in ${packages}`,
    );
  }

  /** Starts MPI on this thread; this rank's number and how many there are. */
  initialise(): { rank: number; size: number } {
    const got = new Int32Array(1);
    // MPI_THREAD_FUNNELED: other threads of the process make no calls.
    this.check("MPI_Init_thread", this.#calls.MPI_Init_thread(null, null, 1, got));
    const { world } = this.handles, rank = new Int32Array(1), size = new Int32Array(1);
    this.returnErrors(world);
    this.check("MPI_Comm_rank", this.#calls.MPI_Comm_rank(world, rank));
    this.check("MPI_Comm_size", this.#calls.MPI_Comm_size(world, size));
    return { rank: rank[0]!, size: size[0]! };
  }

  /** What the library says of itself, its first line. */
  version(): string {
    const length = new Int32Array(1), bytes = new Uint8Array(8192 + 256);
    this.check("MPI_Get_library_version", this.#calls.MPI_Get_library_version(bytes, length));
    return new TextDecoder().decode(bytes.subarray(0, length[0])).split(/[\n\0,]/)[0]!.replace(/\s+/g, " ")
      .trim();
  }

  /** All ranks once more, so that messages do not meet those of another purpose. */
  duplicate(): bigint {
    const made = new BigUint64Array(1);
    this.check("MPI_Comm_dup", this.#calls.MPI_Comm_dup(this.handles.world, made));
    this.returnErrors(made[0]!);
    return made[0]!;
  }

  /** Errors of its calls become codes; otherwise they end the process without a word of ours. */
  returnErrors(communicator: bigint): void {
    const { errorsReturn } = this.handles;
    this.check("MPI_Comm_set_errhandler", this.#calls.MPI_Comm_set_errhandler(communicator, errorsReturn));
  }

  /** Starts a call whose last argument is its request. */
  start(
    uses: readonly ArrayBufferView[],
    call: (calls: Calls, request: BigUint64Array<ArrayBuffer>) => number,
  ): Request {
    const handle = new BigUint64Array(1);
    this.check("a call of MPI", call(this.#calls, handle));
    return { handle, uses };
  }

  /** Whether it is through; lets MPI work on it. */
  test({ handle }: Request): boolean {
    this.check("MPI_Test", this.#calls.MPI_Test(handle, this.#flag, this.#status));
    return this.#flag[0] !== 0;
  }

  /** The four bytes of a message that has come, from whomever; undefined where none has. */
  receive(communicator: bigint, tag: number): number | undefined {
    const { anySource, byte } = this.handles, calls = this.#calls;
    this.check("MPI_Iprobe", calls.MPI_Iprobe(anySource, tag, communicator, this.#flag, this.#status));
    if (this.#flag[0] === 0) return undefined;
    const value = new Int32Array(1);
    this.check(
      "MPI_Recv",
      calls.MPI_Recv(value, 4, byte, anySource, tag, communicator, this.#status),
    );
    return value[0];
  }

  /** Ends the processes of all ranks, this one too. */
  abort(): void {
    this.#calls.MPI_Abort(this.handles.world, 1);
  }

  /** Ends MPI; no call follows. */
  finalise(): void {
    this.check("MPI_Finalize", this.#calls.MPI_Finalize());
  }

  /** Throws a `UserError` for a code other than success. */
  check(what: string, code: number): void {
    if (code === 0) return;
    const length = new Int32Array(1), bytes = new Uint8Array(1024);
    this.#calls.MPI_Error_string(code, bytes, length);
    const reason = new TextDecoder().decode(bytes.subarray(0, length[0])).replaceAll(/\s+/g, " ").trim();
    throw new UserError(`${this.kind} could not carry out ${what}: ${reason || `error ${code}`}`);
  }
}

/**
 * Opens a library so that others see its names: Open MPI loads parts of itself that look for them. Returns what finds the address of a
 * name in it.
 */
function openGlobally(path: string): (name: string) => bigint {
  const { symbols: libc } = Deno.dlopen("libc.so.6", {
    dlopen: { parameters: ["buffer", "i32"], result: "pointer" },
    dlsym: { parameters: ["pointer", "buffer"], result: "pointer" },
  });
  const RTLD_NOW = 2, RTLD_GLOBAL = 256;
  const opened = libc.dlopen(text(path), RTLD_NOW | RTLD_GLOBAL);
  if (opened === null) throw new Error(`there is no ${path} that can be loaded`);
  return (name) => {
    const address = libc.dlsym(opened, text(name));
    if (address === null) throw new Error(`${path} has no ${name}`);
    return BigInt(Deno.UnsafePointer.value(address));
  };
}

function handlesOf(kind: MpiKind, find: (name: string) => bigint): Handles {
  if (kind === "Open MPI") {
    return {
      world: find("ompi_mpi_comm_world"),
      byte: find("ompi_mpi_byte"),
      float: find("ompi_mpi_float"),
      sum: find("ompi_mpi_op_sum"),
      errorsReturn: find("ompi_mpi_errors_return"),
      anySource: -1,
    };
  }
  // mpi.h of MPICH, whose numbers its ABI fixes for all libraries of that family.
  return {
    world: 0x44000000n,
    byte: 0x4c00010dn,
    float: 0x4c00040an,
    sum: 0x58000003n,
    errorsReturn: 0x54000001n,
    anySource: -2,
  };
}
