// sum_splits.sum: y[i] = sum over s of parts[s, i], in order; added to what is there where ACCUMULATE.
override SIZE: u32;
override SPLITS: u32;
override ACCUMULATE: bool;

@group(0) @binding(0) var<storage, read> parts: array<vec4f>;      // [SPLITS, SIZE]
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;    // [SIZE]

@compute @workgroup_size(GROUP)
fn sum(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i >= SIZE) { return; }
  var total = vec4f();
  if (ACCUMULATE) { total = y[i]; }
  for (var s = 0u; s < SPLITS; s++) { total += parts[s * SIZE + i]; }
  y[i] = total;
}
