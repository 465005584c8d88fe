/**
 * Which launcher of MPI started this process, as its environment tells.
 * @module
 */
import { UserError } from "../../engine/errors.ts";
import type { MpiKind } from "./library.ts";

/** Names the library's file, where it is not found by its usual name. */
export const MPI_LIBRARY = "ALEXNET_MPI";

/** Which library a launcher's environment belongs to; undefined where no launcher of MPI started this process. */
export function kindOfLauncher(get: (name: string) => string | undefined): MpiKind | undefined {
  const own = get(MPI_LIBRARY);
  if (own !== undefined && /mpich|libmpi\.so\.12/.test(own)) return "MPICH";
  if (own !== undefined && /libmpi\.so/.test(own)) return "Open MPI";
  if (get("OMPI_COMM_WORLD_SIZE") !== undefined || get("PMIX_RANK") !== undefined) return "Open MPI";
  // Hydra, and Slurm with --mpi=pmi2.
  if (get("PMI_RANK") !== undefined || get("PMI_FD") !== undefined) return "MPICH";
  return undefined;
}

/** The library of the launcher that started this process; throws a `UserError` where none did. */
export function requireLauncher(get: (name: string) => string | undefined = Deno.env.get): MpiKind {
  const kind = kindOfLauncher(get);
  if (kind) return kind;
  throw new UserError(
    "Cannot work on several ranks: no launcher of MPI started this process; write mpirun -n 4 deno task train --distributed …",
  );
}
