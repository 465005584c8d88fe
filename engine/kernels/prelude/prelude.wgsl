// What most kernels share, joined to the end of their own text. GROUP: invocations of a workgroup, a power of two.
override GROUP: u32;

// Number of this invocation in a grid of one-dimensional workgroups; a second grid dimension where one is not enough.
fn flat_index(id: vec3u, groups: vec3u) -> u32 { return id.x + id.y * groups.x * GROUP; }

var<workgroup> partial_sums: array<vec4f, GROUP>;

// The sum of one value per invocation, in a fixed order, so that it repeats bit by bit. Every invocation must call it.
fn workgroup_sum(index: u32, value: vec4f) -> vec4f {
  partial_sums[index] = value;
  workgroupBarrier();
  for (var half = GROUP / 2u; half > 0u; half /= 2u) {
    if (index < half) { partial_sums[index] += partial_sums[index + half]; }
    workgroupBarrier();
  }
  let total = partial_sums[0];
  workgroupBarrier();
  return total;
}
