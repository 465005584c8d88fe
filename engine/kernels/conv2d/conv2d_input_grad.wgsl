// conv2d.input_grad: dx[n,ih,iw,i] = sum over kh, kw, o of dy[n, (ih+PAD-kh*DILATION)/STRIDE, (iw+PAD-kw*DILATION)/STRIDE, o] * weight[kh,kw,i,o]
// over the taps that divide evenly, times (x > 0) where MASK (x is then a ReLU's output). As a product: a row is an
// input pixel, a column an input channel, a step along k four output channels of one tap. Input pixels with the same
// remainder of (ih, iw) by STRIDE share their taps, so each of the STRIDE_H STRIDE_W classes is one layer of the grid.
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
// Taps of one class are TAP_STEP apart, and each lies OUT_STEP output pixels before the last.
override TAP_STEP_H: u32;
override TAP_STEP_W: u32;
override OUT_STEP_H: u32;
override OUT_STEP_W: u32;
override MASK: bool;
override C_GROUP: u32;
override O_GROUP: u32;

@group(0) @binding(0) var<storage, read> dy: array<vec4f>;         // [N, OH, OW, O]
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;     // [KH, KW, C, O]
@group(0) @binding(2) var<storage, read> x: array<vec4f>;          // [N, H, W, C]
@group(0) @binding(3) var<storage, read_write> dx: array<vec4f>;   // [N, H, W, C]

// oh, ow: the output pixel that the class's first tap comes from.
struct Row { n: u32, ih: u32, iw: u32, oh: i32, ow: i32 }

// The first tap of the input pixels whose position, padding included, is `place` modulo the stride; `size` where there is none.
fn first_tap(place: u32, stride: u32, dilation: u32, size: u32) -> u32 {
  let rest = place % stride;
  if (dilation == 1u) { return rest; }
  for (var k = 0u; k < min(stride, size); k++) {
    if (k * dilation % stride == rest) { return k; }
  }
  return size;
}

fn row_at(n: u32, ih: u32, iw: u32) -> Row {
  let kh = first_tap(ih + PAD_TOP, STRIDE_H, DILATION_H, KH);
  let kw = first_tap(iw + PAD_LEFT, STRIDE_W, DILATION_W, KW);
  return Row(
    n,
    ih,
    iw,
    (i32(ih + PAD_TOP) - i32(kh * DILATION_H)) / i32(STRIDE_H),
    (i32(iw + PAD_LEFT) - i32(kw * DILATION_W)) / i32(STRIDE_W),
  );
}

fn first_row(index: u32, z: u32) -> Row {
  let w = (W + STRIDE_W - 1u) / STRIDE_W;
  let h = (H + STRIDE_H - 1u) / STRIDE_H;
  let line = index / w;
  let n = line / h;
  return row_at(n, (line - n * h) * STRIDE_H + z / STRIDE_W, (index - line * w) * STRIDE_W + z % STRIDE_W);
}

fn next_row(row: Row) -> Row {
  let w = (W + STRIDE_W - 1u) / STRIDE_W * STRIDE_W;
  let h = (H + STRIDE_H - 1u) / STRIDE_H * STRIDE_H;
  let wrap_w = row.iw + STRIDE_W >= w;
  let iw = select(row.iw + STRIDE_W, row.iw % STRIDE_W, wrap_w);
  let down = select(row.ih, row.ih + STRIDE_H, wrap_w);
  let wrap_h = down >= h;
  return row_at(select(row.n, row.n + 1u, wrap_h), select(down, row.ih % STRIDE_H, wrap_h), iw);
}

// t: taps done in each direction since the class's first; kh0, kw0: that first tap.
struct Step { kh0: u32, kw0: u32, th: u32, tw: u32, o: u32, o_first: u32, o_end: u32 }

fn channels(col0: u32) -> vec2u {
  let first_group = min(col0 * 4u, C4 * 4u - 1u) / C_GROUP;
  let last_group = min(col0 * 4u + BN - 1u, C4 * 4u - 1u) / C_GROUP;
  return vec2u(min(first_group * O_GROUP / 4u, O4 - 1u), min(((last_group + 1u) * O_GROUP + 3u) / 4u, O4));
}

fn first_step(z: u32, col0: u32) -> Step {
  let c = channels(col0);
  return Step(
    first_tap(z / STRIDE_W + PAD_TOP, STRIDE_H, DILATION_H, KH),
    first_tap(z % STRIDE_W + PAD_LEFT, STRIDE_W, DILATION_W, KW),
    0u,
    0u,
    c.x,
    c.x,
    c.y,
  );
}

fn step_count(z: u32, col0: u32) -> u32 {
  let s = first_step(z, col0);
  let taps_h = (max(KH, s.kh0) - s.kh0 + TAP_STEP_H - 1u) / TAP_STEP_H;
  let taps_w = (max(KW, s.kw0) - s.kw0 + TAP_STEP_W - 1u) / TAP_STEP_W;
  return taps_h * taps_w * (s.o_end - s.o_first);
}

fn next_step(s: Step) -> Step {
  let wrap_o = s.o + 1u >= s.o_end;
  let wrap_w = wrap_o && s.kw0 + (s.tw + 1u) * TAP_STEP_W >= KW;
  return Step(
    s.kh0,
    s.kw0,
    select(s.th, s.th + 1u, wrap_w),
    select(select(s.tw, s.tw + 1u, wrap_o), 0u, wrap_w),
    select(s.o + 1u, s.o_first, wrap_o),
    s.o_first,
    s.o_end,
  );
}

// The n-th step at once, for cores that do not walk.
fn step_at(n: u32, z: u32, col0: u32) -> Step {
  let s = first_step(z, col0);
  let width = select(s.o_end - s.o_first, O4, O_GROUP >= O4 * 4u);
  let taps_w = max((max(KW, s.kw0) - s.kw0 + TAP_STEP_W - 1u) / TAP_STEP_W, 1u);
  let tap = n / width;
  return Step(s.kh0, s.kw0, tap / taps_w, tap % taps_w, s.o_first + n - tap * width, s.o_first, s.o_end);
}

fn load_a(row: Row, s: Step) -> vec4f {
  let oh = row.oh - i32(s.th * OUT_STEP_H);
  let ow = row.ow - i32(s.tw * OUT_STEP_W);
  let inside = oh >= 0 && oh < i32(OH) && ow >= 0 && ow < i32(OW) && row.n < N;
  let n = min(row.n, N - 1u);
  let at = ((n * OH + u32(clamp(oh, 0, i32(OH) - 1))) * OW + u32(clamp(ow, 0, i32(OW) - 1))) * O4 + s.o;
  return select(vec4f(), dy[at], inside);
}

fn load_b(s: Step, col: u32) -> vec4f {
  let tap = (s.kh0 + s.th * TAP_STEP_H) * KW + s.kw0 + s.tw * TAP_STEP_W;
  return weight[(tap * C4 * 4u + min(col, C4 * 4u - 1u)) * O4 + s.o];
}

fn store(row: Row, part: u32, col: u32, sum: vec4f) {
  if (row.n < N && row.ih < H && row.iw < W && col < C4) {
    let at = ((row.n * H + row.ih) * W + row.iw) * C4 + col;
    if (MASK) {
      dx[at] = select(vec4f(), sum, x[at] > vec4f());
    } else {
      dx[at] = sum;
    }
  }
}
