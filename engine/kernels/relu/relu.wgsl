// relu: element-wise, SIZE vectors of four values.
override SIZE: u32;

// forward: y = max(x, 0)
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@compute @workgroup_size(GROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i < SIZE) { y[i] = max(x[i], vec4f()); }
}

// backward: dx = dy where y > 0, else 0
@group(0) @binding(0) var<storage, read> y_in: array<vec4f>;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> dx: array<vec4f>;
@compute @workgroup_size(GROUP)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i < SIZE) { dx[i] = select(vec4f(), dy[i], y_in[i] > vec4f()); }
}
