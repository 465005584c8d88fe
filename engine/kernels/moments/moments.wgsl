// moments: mean and standard deviation of each channel over an image's pixels. One invocation handles four channels of one image.
override SIZE: u32;
override C4: u32;
override PIXELS: u32;

// forward: y[n,0,c] = mean of x[n,:,c], y[n,1,c] = sqrt(mean of (x[n,:,c] - y[n,0,c])^2)
@group(0) @binding(0) var<storage, read> x: array<vec4f>;          // [N, PIXELS, C]
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;    // [N, 2, 1, C]
@compute @workgroup_size(GROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i >= SIZE) { return; }
  let image = i / C4;
  let c = i - image * C4;
  let base = image * PIXELS * C4 + c;
  var sum = vec4f();
  for (var p = 0u; p < PIXELS; p++) { sum += x[base + p * C4]; }
  let mean = sum / f32(PIXELS);
  // A second pass, because the difference of two large sums would lose what a small deviation is.
  var squares = vec4f();
  for (var p = 0u; p < PIXELS; p++) {
    let d = x[base + p * C4] - mean;
    squares += d * d;
  }
  y[2u * image * C4 + c] = mean;
  y[(2u * image + 1u) * C4 + c] = sqrt(squares / f32(PIXELS));
}
