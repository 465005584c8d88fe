// bench/kernels/ceilings.wgsl - what the device can do at most: multiply-adds without memory, and memory without arithmetic.

override GROUP: u32;
override ROUNDS: u32;

// chains<n>: y [values] = ROUNDS times 32 (chains2) or 8 multiply-adds on each of n independent vectors, all in registers. Every chain is written out:
// compilers keep an array of them in memory. Few chains leave the units waiting for results, many spill, so the best n counts.
@group(0) @binding(0) var<storage, read> factors: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(GROUP)
fn chains2(@builtin(global_invocation_id) id: vec3u) {
  let m = factors[0]; let b = factors[1];
  var a0 = factors[2]; var a1 = a0 + b;
  for (var i = 0u; i < ROUNDS; i++) {
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a0 = fma(a0, m, b); a1 = fma(a1, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a0 = fma(a0, m, b); a1 = fma(a1, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a0 = fma(a0, m, b); a1 = fma(a1, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a0 = fma(a0, m, b); a1 = fma(a1, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a0 = fma(a0, m, b); a1 = fma(a1, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a0 = fma(a0, m, b); a1 = fma(a1, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a0 = fma(a0, m, b); a1 = fma(a1, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a0 = fma(a0, m, b); a1 = fma(a1, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a0 = fma(a0, m, b); a1 = fma(a1, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a0 = fma(a0, m, b); a1 = fma(a1, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a0 = fma(a0, m, b); a1 = fma(a1, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a0 = fma(a0, m, b); a1 = fma(a1, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a0 = fma(a0, m, b); a1 = fma(a1, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a0 = fma(a0, m, b); a1 = fma(a1, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a0 = fma(a0, m, b); a1 = fma(a1, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a0 = fma(a0, m, b); a1 = fma(a1, m, b);
  }
  y[id.x] = a0 + a1;
}

@compute @workgroup_size(GROUP)
fn chains3(@builtin(global_invocation_id) id: vec3u) {
  let m = factors[0]; let b = factors[1];
  var a0 = factors[2]; var a1 = a0 + b; var a2 = a1 + b;
  for (var i = 0u; i < ROUNDS; i++) {
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a2 = fma(a2, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a2 = fma(a2, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a2 = fma(a2, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a2 = fma(a2, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a2 = fma(a2, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a2 = fma(a2, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a2 = fma(a2, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a2 = fma(a2, m, b);
  }
  y[id.x] = a0 + a1 + a2;
}

@compute @workgroup_size(GROUP)
fn chains4(@builtin(global_invocation_id) id: vec3u) {
  let m = factors[0]; let b = factors[1];
  var a0 = factors[2]; var a1 = a0 + b; var a2 = a1 + b; var a3 = a2 + b;
  for (var i = 0u; i < ROUNDS; i++) {
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a2 = fma(a2, m, b); a3 = fma(a3, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a2 = fma(a2, m, b); a3 = fma(a3, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a2 = fma(a2, m, b); a3 = fma(a3, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a2 = fma(a2, m, b); a3 = fma(a3, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a2 = fma(a2, m, b); a3 = fma(a3, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a2 = fma(a2, m, b); a3 = fma(a3, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a2 = fma(a2, m, b); a3 = fma(a3, m, b);
    a0 = fma(a0, m, b); a1 = fma(a1, m, b); a2 = fma(a2, m, b); a3 = fma(a3, m, b);
  }
  y[id.x] = a0 + a1 + a2 + a3;
}

// copy<n>: y = x, both [vectors], n neighbouring vectors an invocation. GPUs like one, processors several.
@group(0) @binding(0) var<storage, read> x: array<vec4f>;

@compute @workgroup_size(GROUP)
fn copy1(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * GROUP;
  y[i] = x[i];
}

@compute @workgroup_size(GROUP)
fn copy4(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = (id.x + id.y * groups.x * GROUP) * 4u;
  y[i] = x[i];
  y[i + 1u] = x[i + 1u];
  y[i + 2u] = x[i + 2u];
  y[i + 3u] = x[i + 3u];
}
