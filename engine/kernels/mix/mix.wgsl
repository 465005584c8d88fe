// mix.main: each sample with another of its batch, as mixup (a weighted sum) and cutmix (a box of the other's) have it.
//   y[n,row,column] = share_n x[n,row,column] + (1 - share_n) x[partner_n,row,column], and x[partner_n,row,column] within the box
override SIZE: u32;
override H: u32;
override W: u32;

// box: columns from x to before z, rows from y to before w.
struct Pair { partner: u32, share: f32, box: vec4u }

@group(0) @binding(0) var<storage, read> x: array<vec4f>;              // [N, H, W, 3]
@group(0) @binding(1) var<storage, read> pairs: array<Pair>;           // [N]
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;        // [N, H, W, 3]

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= SIZE) { return; }
  let n = i / (H * W);
  let inside = i - n * H * W;
  let at = vec2u(inside % W, inside / W);
  let pair = pairs[n];
  let boxed = all(at >= pair.box.xy) && all(at < pair.box.zw);
  let share = select(pair.share, 0.0, boxed);
  // Not `mix(other, own, share)`, which need not return its ends exactly.
  y[i] = share * x[i] + (1.0 - share) * x[pair.partner * H * W + inside];
}
