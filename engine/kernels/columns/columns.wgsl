// columns: moves a block of columns between a wide and a narrow matrix; vectors of four.
override SIZE: u32;
override WIDE4: u32;
override NARROW4: u32;
override FIRST4: u32;

// take: narrow[n, j] = wide[n, FIRST + j]
@group(0) @binding(0) var<storage, read> wide: array<vec4f>;            // [N, WIDE]
@group(0) @binding(1) var<storage, read_write> narrow: array<vec4f>;    // [N, NARROW]
@compute @workgroup_size(GROUP)
fn take(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i < SIZE) { narrow[i] = wide[i / NARROW4 * WIDE4 + FIRST4 + i % NARROW4]; }
}

// put: wide[n, FIRST + j] = narrow[n, j]
@group(0) @binding(0) var<storage, read> narrow_in: array<vec4f>;       // [N, NARROW]
@group(0) @binding(1) var<storage, read_write> wide_out: array<vec4f>;  // [N, WIDE]
@compute @workgroup_size(GROUP)
fn put(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i < SIZE) { wide_out[i / NARROW4 * WIDE4 + FIRST4 + i % NARROW4] = narrow_in[i]; }
}
