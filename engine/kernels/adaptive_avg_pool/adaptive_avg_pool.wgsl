// adaptive_avg_pool: output row oh of OH averages input rows floor(oh H / OH) to ceil((oh + 1) H / OH), columns likewise
// (PyTorch's windows; they overlap where H is no multiple of OH, and repeat rows where OH > H). One invocation handles
// four channels of one pixel.
override SIZE: u32;
override H: u32;
override W: u32;
override C4: u32;
override OH: u32;
override OW: u32;
override MASK: bool;

// The window of output i: [first, end) of `from` input rows on `to` output rows.
fn window(i: u32, from_size: u32, to_size: u32) -> vec2u {
  return vec2u(i * from_size / to_size, ((i + 1u) * from_size + to_size - 1u) / to_size);
}

// forward: y[n,oh,ow,c] = mean of x over the window
@group(0) @binding(0) var<storage, read> x: array<vec4f>;          // [N, H, W, C]
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;    // [N, OH, OW, C]
@compute @workgroup_size(GROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i >= SIZE) { return; }
  let pixel = i / C4;
  let line = pixel / OW;
  let image = line / OH;
  let rows = window(line - image * OH, H, OH);
  let columns = window(pixel - line * OW, W, OW);
  let base = image * H * W * C4 + (i - pixel * C4);
  var sum = vec4f();
  for (var r = rows.x; r < rows.y; r++) {
    for (var s = columns.x; s < columns.y; s++) { sum += x[base + (r * W + s) * C4]; }
  }
  y[i] = sum / f32((rows.y - rows.x) * (columns.y - columns.x));
}

// backward: dx[n,h,w,c] = sum over the windows that contain the pixel of dy / area, times (x > 0) where MASK
@group(0) @binding(0) var<storage, read> dy: array<vec4f>;         // [N, OH, OW, C]
@group(0) @binding(1) var<storage, read> x_in: array<vec4f>;       // [N, H, W, C]
@group(0) @binding(2) var<storage, read_write> dx: array<vec4f>;   // [N, H, W, C]
@compute @workgroup_size(GROUP)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i >= SIZE) { return; }
  let pixel = i / C4;
  let line = pixel / W;
  let image = line / H;
  let h = line - image * H;
  let w = pixel - line * W;
  let base = image * OH * OW * C4 + (i - pixel * C4);
  var sum = vec4f();
  // Windows begin at or before this row from the last of these on, and end after it from the first on.
  for (var r = h * OH / H; r <= ((h + 1u) * OH - 1u) / H; r++) {
    let rows = window(r, H, OH);
    for (var s = w * OW / W; s <= ((w + 1u) * OW - 1u) / W; s++) {
      let columns = window(s, W, OW);
      sum += dy[base + (r * OW + s) * C4] / f32((rows.y - rows.x) * (columns.y - columns.x));
    }
  }
  if (MASK) { sum = select(vec4f(), sum, x_in[i] > vec4f()); }
  dx[i] = sum;
}
