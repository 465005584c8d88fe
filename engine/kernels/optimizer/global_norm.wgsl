// global_norm: torch.nn.utils.clip_grad_norm_ over several tensors, without a read-back.
//   norm = grad_scale * sqrt(sum of all gradients squared);  grad_scale *= min(1, MAX_NORM / (norm + 1e-6))
override SIZE: u32;
override GROUPS: u32;
override FIRST: u32;
override MAX_NORM: f32;

// squares: partials[FIRST + group] = a share of the sum of squares of one tensor
@group(0) @binding(0) var<storage, read> gradient: array<vec4f>;        // [SIZE]
@group(0) @binding(1) var<storage, read_write> partials: array<f32>;    // [all groups of all tensors]
@compute @workgroup_size(GROUP)
fn squares(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  var sum = vec4f();
  for (var i = group.x * GROUP + index; i < SIZE; i += GROUPS * GROUP) { sum += gradient[i] * gradient[i]; }
  let total = workgroup_sum(index, vec4f(dot(sum, vec4f(1.0)), 0.0, 0.0, 0.0)).x;
  if (index == 0u) { partials[FIRST + group.x] = total; }
}

// clip: one workgroup adds the SIZE partial sums in a fixed order
@group(0) @binding(0) var<storage, read> partials_in: array<f32>;       // [SIZE]
@group(0) @binding(1) var<storage, read_write> params: StepParams;
@group(0) @binding(2) var<storage, read_write> norm: array<vec4f>;      // (norm before clipping, factor, 0, 0)
@compute @workgroup_size(GROUP)
fn clip(@builtin(local_invocation_index) index: u32) {
  var sum = 0.0;
  for (var i = index; i < SIZE; i += GROUP) { sum += partials_in[i]; }
  let total = workgroup_sum(index, vec4f(sum, 0.0, 0.0, 0.0)).x;
  if (index == 0u) {
    let whole = abs(params.grad_scale) * sqrt(total);
    let factor = min(1.0, MAX_NORM / (whole + 1e-6));
    norm[0] = vec4f(whole, factor, 0.0, 0.0);
    params.grad_scale *= factor;
  }
}
