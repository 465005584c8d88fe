// avg_pool: means of windows of KH x KW pixels on [N, H, W, C], STRIDE apart; zeros lie PAD around the edges. A window ends where the
// padding after the input ends. It is divided by DIVISOR where that is not 0, else by the pixels it has, padding counted where
// COUNT_PAD. One invocation handles four channels of one pixel.
override SIZE: u32;
override H: u32;
override W: u32;
override C4: u32;
override OH: u32;
override OW: u32;
override KH: u32;
override KW: u32;
override STRIDE_H: u32;
override STRIDE_W: u32;
override PAD_TOP: u32;
override PAD_LEFT: u32;
override PAD_BOTTOM: u32;
override PAD_RIGHT: u32;
override COUNT_PAD: bool;
override DIVISOR: u32;

// A window's rows (or columns) that exist, [first, end), and how many it has for the mean.
struct Span { first: u32, end: u32, count: u32 }

fn span(out: u32, stride: u32, kernel: u32, before: u32, after: u32, size: u32) -> Span {
  let begin = i32(out * stride) - i32(before);
  let end = min(begin + i32(kernel), i32(size + after));
  let first_inside = u32(max(begin, 0));
  let end_inside = u32(clamp(end, 0, i32(size)));
  return Span(first_inside, end_inside, select(end_inside - first_inside, u32(end - begin), COUNT_PAD));
}

fn divisor(rows: Span, columns: Span) -> f32 {
  return f32(select(rows.count * columns.count, DIVISOR, DIVISOR > 0u));
}

// forward: y[n,oh,ow,c] = sum of x over the window / divisor
@group(0) @binding(0) var<storage, read> x: array<vec4f>;          // [N, H, W, C]
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;    // [N, OH, OW, C]
@compute @workgroup_size(GROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = flat_index(id, n);
  if (i >= SIZE) { return; }
  let pixel = i / C4;
  let line = pixel / OW;
  let image = line / OH;
  let rows = span(line - image * OH, STRIDE_H, KH, PAD_TOP, PAD_BOTTOM, H);
  let columns = span(pixel - line * OW, STRIDE_W, KW, PAD_LEFT, PAD_RIGHT, W);
  let base = image * H * W * C4 + (i - pixel * C4);
  var sum = vec4f();
  for (var r = rows.first; r < rows.end; r++) {
    for (var s = columns.first; s < columns.end; s++) { sum += x[base + (r * W + s) * C4]; }
  }
  y[i] = sum / divisor(rows, columns);
}

// backward: dx[n,h,w,c] = sum over the windows that contain the pixel of dy / divisor, times (x > 0) where MASK
override MASK: bool;
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
  let row = line - image * H + PAD_TOP;
  let column = pixel - line * W + PAD_LEFT;
  let base = image * OH * OW * C4 + (i - pixel * C4);
  var sum = vec4f();
  // Windows that begin at or before this pixel and still reach it.
  for (var oh = (max(row + 1u, KH) - KH + STRIDE_H - 1u) / STRIDE_H; oh <= min(row / STRIDE_H, OH - 1u); oh++) {
    let rows = span(oh, STRIDE_H, KH, PAD_TOP, PAD_BOTTOM, H);
    for (var ow = (max(column + 1u, KW) - KW + STRIDE_W - 1u) / STRIDE_W; ow <= min(column / STRIDE_W, OW - 1u); ow++) {
      let columns = span(ow, STRIDE_W, KW, PAD_LEFT, PAD_RIGHT, W);
      sum += dy[base + (oh * OW + ow) * C4] / divisor(rows, columns);
    }
  }
  if (MASK) { sum = select(vec4f(), sum, x_in[i] > vec4f()); }
  dx[i] = sum;
}
