// check_finite.count: how many values are infinite or not a number, and the first of them. By their bits, because compilers may
// assume that floats are finite. results[SLOT] = (count, SIZE * 4 - index of the first, 0, 0); all 0 when all are finite.
override SIZE: u32;
override SLOT: u32;

@group(0) @binding(0) var<storage, read> values: array<vec4u>;                    // [SIZE]
@group(0) @binding(1) var<storage, read_write> results: array<atomic<u32>>;       // [slots, 4]

@compute @workgroup_size(GROUP)
fn count(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i >= SIZE) { return; }
  let bad = (values[i] & vec4u(0x7f800000u)) == vec4u(0x7f800000u);
  if (any(bad)) {
    let ones = select(vec4u(), vec4u(1u), bad);
    let first = select(select(select(3u, 2u, bad.z), 1u, bad.y), 0u, bad.x);
    // Integer sums and maxima come out the same in any order.
    atomicAdd(&results[SLOT * 4u], ones.x + ones.y + ones.z + ones.w);
    atomicMax(&results[SLOT * 4u + 1u], SIZE * 4u - (i * 4u + first));
  }
}
