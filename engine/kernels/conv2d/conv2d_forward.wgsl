// conv2d.forward: y[n,oh,ow,o] = bias[o] + sum over kh, kw, i of x[n, oh*STRIDE-PAD+kh*DILATION, ow*STRIDE-PAD+kw*DILATION, i] * weight[kh,kw,i,o],
// followed by max(., 0) where RELU. As a product: a row is an output pixel, a column an output channel, a step
// along k four input channels of one tap (kh, kw). Sizes ending in 4 count vectors of four channels.
override N: u32;
override H: u32;
override W: u32;
override C4: u32;
override OH: u32;
override OW: u32;
override O4: u32;
override KH: u32;
override KW: u32;
override STRIDE_H: u32;
override STRIDE_W: u32;
override PAD_TOP: u32;
override PAD_LEFT: u32;
override DILATION_H: u32;
override DILATION_W: u32;
// Some window reaches over an edge of the input.
override OVER: bool;
override RELU: bool;
// Input and output channels of one group; with one group, all of them.
override C_GROUP: u32;
override O_GROUP: u32;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;          // [N, H, W, C]
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;     // [KH, KW, C, O], zero outside the groups
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;       // [O]
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;    // [N, OH, OW, O]

struct Row { pixel: u32, ih: i32, iw: i32, image: u32 }

fn first_row(index: u32, z: u32) -> Row {
  let pixel = min(index, N * OH * OW);
  let inside = min(pixel, N * OH * OW - 1u);
  let line = inside / OW;
  let n = line / OH;
  return Row(pixel, i32((line - n * OH) * STRIDE_H) - i32(PAD_TOP), i32((inside - line * OW) * STRIDE_W) - i32(PAD_LEFT), n * H * W);
}

fn next_row(row: Row) -> Row {
  let last = row.pixel + 1u >= N * OH * OW;
  let wrap_w = row.iw + i32(PAD_LEFT) + i32(STRIDE_W) >= i32(OW * STRIDE_W);
  let iw = select(row.iw + i32(STRIDE_W), -i32(PAD_LEFT), wrap_w);
  let down = select(row.ih, row.ih + i32(STRIDE_H), wrap_w);
  let wrap_h = down + i32(PAD_TOP) >= i32(OH * STRIDE_H);
  let ih = select(down, -i32(PAD_TOP), wrap_h);
  let image = select(row.image, row.image + H * W, wrap_h);
  // Rows beyond the last repeat it; `store` drops them.
  return Row(row.pixel + 1u, select(ih, row.ih, last), select(iw, row.iw, last), select(image, row.image, last));
}

struct Step { kh: u32, kw: u32, i: u32, tap: u32, i_first: u32, i_end: u32 }

// The input channels that the columns from col0 on can see, in vectors of four.
fn channels(col0: u32) -> vec2u {
  let first_group = min(col0 * 4u, O4 * 4u - 1u) / O_GROUP;
  let last_group = min(col0 * 4u + BN - 1u, O4 * 4u - 1u) / O_GROUP;
  return vec2u(min(first_group * C_GROUP / 4u, C4 - 1u), min(((last_group + 1u) * C_GROUP + 3u) / 4u, C4));
}

fn first_step(z: u32, col0: u32) -> Step {
  let c = channels(col0);
  return Step(0u, 0u, c.x, 0u, c.x, c.y);
}

fn step_count(z: u32, col0: u32) -> u32 {
  let c = channels(col0);
  return KH * KW * (c.y - c.x);
}

fn next_step(s: Step) -> Step {
  let wrap_i = s.i + 1u >= s.i_end;
  let wrap_w = wrap_i && s.kw + 1u >= KW;
  return Step(
    select(s.kh, s.kh + 1u, wrap_w),
    select(select(s.kw, s.kw + 1u, wrap_i), 0u, wrap_w),
    select(s.i + 1u, s.i_first, wrap_i),
    select(s.tap, s.tap + 1u, wrap_i),
    s.i_first,
    s.i_end,
  );
}

// The n-th step at once, for cores that do not walk.
fn step_at(n: u32, z: u32, col0: u32) -> Step {
  let c = channels(col0);
  // With one group the divisor is a constant.
  let width = select(c.y - c.x, C4, C_GROUP >= C4 * 4u);
  let tap = n / width;
  return Step(tap / KW, tap % KW, c.x + n - tap * width, tap, c.x, c.y);
}

fn load_a(row: Row, s: Step) -> vec4f {
  let ih = row.ih + i32(s.kh * DILATION_H);
  let iw = row.iw + i32(s.kw * DILATION_W);
  if (!OVER) {
    return x[(row.image + u32(ih) * W + u32(iw)) * C4 + s.i];
  }
  let inside = ih >= 0 && ih < i32(H) && iw >= 0 && iw < i32(W);
  let at = (row.image + u32(clamp(ih, 0, i32(H) - 1)) * W + u32(clamp(iw, 0, i32(W) - 1))) * C4 + s.i;
  return select(vec4f(), x[at], inside);
}

fn load_b(s: Step, k: u32, col: u32) -> vec4f {
  return weight[((s.tap * C4 + s.i) * 4u + k) * O4 + min(col, O4 - 1u)];
}

fn store(row: Row, part: u32, col: u32, sum: vec4f) {
  if (row.pixel < N * OH * OW && col < O4) {
    let value = sum + bias[col];
    y[row.pixel * O4 + col] = select(value, max(value, vec4f()), RELU);
  }
}
