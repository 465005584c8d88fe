// add: sums of whole tensors, SIZE vectors of four values; where two paths of a network meet.
override SIZE: u32;
override RELU: bool;

// forward: y = a + b, then max(., 0) where RELU
@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@compute @workgroup_size(GROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i < SIZE) {
    let value = a[i] + b[i];
    y[i] = select(value, max(value, vec4f()), RELU);
  }
}

// masked: y = a + b where x > 0, else 0; x is the output of the ReLU whose input's gradient this is
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y_masked: array<vec4f>;
@compute @workgroup_size(GROUP)
fn masked(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i < SIZE) { y_masked[i] = select(vec4f(), a[i] + b[i], x[i] > vec4f()); }
}

// accumulate: y += a
@group(0) @binding(1) var<storage, read_write> total: array<vec4f>;
@compute @workgroup_size(GROUP)
fn accumulate(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i < SIZE) { total[i] += a[i]; }
}
