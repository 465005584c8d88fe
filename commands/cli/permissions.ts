/**
 * What a program may do: it says at its start what it lacks, and gives up what it does not need.
 * @module
 */

/** A permission, and what it is for: the end of "Cannot start without … : it …". */
export interface Need {
  readonly permission: Deno.PermissionDescriptor;
  readonly reason: string;
}

/** Throws an `Error` that names the first permission that is not granted, as the flag that grants it; never asks. */
export function requirePermissions(needs: readonly Need[]): void {
  for (const { permission, reason } of needs) {
    if (Deno.permissions.querySync(permission).state === "granted") continue;
    throw new Error(`Cannot start without the permission ${flagOf(permission)}: it ${reason}`);
  }
}

/** Gives up permissions for good, also those that were granted with everything else. */
export function giveUpPermissions(...names: readonly Deno.PermissionName[]): void {
  for (const name of names) Deno.permissions.revokeSync({ name });
}

function flagOf(permission: Deno.PermissionDescriptor): string {
  const values = Object.entries(permission).filter(([key]) => key !== "name").map(([, value]) =>
    String(value)
  );
  return `--allow-${permission.name}${values.length > 0 ? `=${values[0]}` : ""}`;
}
