// preprocess.main: photos -> network input, in one launch: resize, crop, flip, rotate, recolour, erase, swap channels, normalise,
// u8 -> f32.
// Output pixel (ox, oy) of sample n shows the source point (a ox + b oy + c, d ox + e oy + f), pixel centres at .5, edges
// clamped, bilinear; where the map shrinks, taps_x * taps_y such points spread over the pixel are averaged.
//   seen = clamp(colour matrix * (value, 1), 0, 255)      y[n,oy,ox,c] = (seen[channel c] / 255 - MEAN_c) / STD_c
// and 0, which is the mean colour, within the erased box, and in the padding channel.
// One invocation fills ROWS rows of four columns. Software adapters run a loop's body once more, masked, where the test comes
// first, so the loops test last.
override H: u32;
override W: u32;
override ROWS: u32;
override GROUP: u32;
override BGR: bool;
override MEAN_0: f32;
override MEAN_1: f32;
override MEAN_2: f32;
override STD_0: f32;
override STD_1: f32;
override STD_2: f32;

// first: index of the photo's first pixel. map_x = (a, b, c), map_y = (d, e, f). red, green, blue: rows of the colour matrix, on
// values from 0 to 255. erased: columns from x to before z, rows from y to before w.
struct Sample {
  first: u32, width: u32, height: u32, taps: u32,
  map_x: vec4f, map_y: vec4f,
  red: vec4f, green: vec4f, blue: vec4f,
  erased: vec4u,
}

@group(0) @binding(0) var<storage, read> pixels: array<vec4u>;           // RGBA, one u32 a pixel, in fours
@group(0) @binding(1) var<storage, read> samples: array<Sample>;         // [N]
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;          // [N, H, W, 3]

// Red, green and blue from 0 to 255; shifts and masks, because unpack4x8unorm is four times as slow on llvmpipe.
fn colour(at: u32) -> vec3f {
  let word = pixels[at >> 2u][at & 3u];
  return vec3f(vec3i(vec3u(word & 255u, (word >> 8u) & 255u, (word >> 16u) & 255u)));
}

fn write(s: Sample, n: u32, ox: u32, oy: u32, sum: vec3f) {
  let value = vec4f(sum, 1.0);
  let recoloured = vec3f(dot(s.red, value), dot(s.green, value), dot(s.blue, value));
  let seen = clamp(recoloured, vec3f(), vec3f(255.0));
  let ordered = select(seen, seen.zyx, BGR);
  let scale = 1.0 / (255.0 * vec3f(STD_0, STD_1, STD_2));
  let shift = vec3f(MEAN_0, MEAN_1, MEAN_2) / vec3f(STD_0, STD_1, STD_2);
  let at = vec2u(ox, oy);
  let erased = all(at >= s.erased.xy) && all(at < s.erased.zw);
  y[(n * H + oy) * W + ox] = select(vec4f(fma(ordered, scale, -shift), 0.0), vec4f(), erased);
}

// The two points of an output along one axis, in pixels from the first pixel's centre, in ascending order.
fn points(at: f32, step: f32, offset: f32, taps: u32, size: u32) -> vec2f {
  let spread = select(0.0, 0.25, taps == 2u) * abs(step);
  let centre = step * (at + 0.5) + offset - 0.5;
  return clamp(vec2f(centre - spread, centre + spread), vec2f(), vec2f(f32(size - 1u)));
}

// How much of a pixel both points together take.
fn share(pixel: u32, points: vec2f) -> f32 {
  let near = max(vec2f(), 1.0 - abs(vec2f(f32(pixel)) - points));
  return 0.5 * (near.x + near.y);
}

// Without rotation and with one or two points along each axis: columns and rows are weighted apart, and a row of the
// source that two output rows share is read once.
fn axis_aligned(s: Sample, n: u32, ox: u32, oy: u32, count: u32) {
  let taps = vec2u(s.taps & 0xffffu, s.taps >> 16u);
  let across = points(f32(ox), s.map_x.x, s.map_x.z, taps.x, s.width);
  let left = u32(across.x);
  let weights = vec3f(share(left, across), share(left + 1u, across), share(left + 2u, across));
  let edge = s.width - 1u;
  let columns = s.first + min(vec3u(left, left + 1u, left + 2u), vec3u(edge));
  // Mirrored top to bottom, the last output row comes first in the source.
  let mirrored = s.map_y.y < 0.0;
  var out = select(oy, oy + count - 1u, mirrored);
  var down = points(f32(out), s.map_y.y, s.map_y.z, taps.y, s.height);
  var row = u32(down.x);
  var todo = count;
  var before = vec3f();
  var sum = vec3f();
  loop {
    let line = columns + row * s.width;
    let value = colour(line.x) * weights.x + colour(line.y) * weights.y + colour(line.z) * weights.z;
    sum = fma(value, vec3f(share(row, down)), sum);
    let next = row + 1u;
    row = next;
    if (next > min(u32(down.y) + 1u, s.height - 1u)) {
      write(s, n, ox, out, sum);
      todo--;
      out = select(out + 1u, out - 1u, mirrored);
      down = points(f32(out), s.map_y.y, s.map_y.z, taps.y, s.height);
      // This row and the one before serve the next output too, where that one needs more; else it starts anew.
      let more = next <= min(u32(down.y) + 1u, s.height - 1u);
      sum = select(vec3f(), before * share(next - 2u, down) + value * share(next - 1u, down), more);
      row = select(u32(down.x), max(u32(down.x), next), more);
    }
    before = value;
    continuing { break if todo == 0u; }
  }
}

// How much of a column each of four outputs takes, `low` and `high` being their two points.
fn shares(column: u32, low: vec4f, high: vec4f) -> vec4f {
  let at = vec4f(f32(column));
  return 0.5 * (max(vec4f(), 1.0 - abs(at - low)) + max(vec4f(), 1.0 - abs(at - high)));
}

fn four_shares(column: u32, low: vec4f, high: vec4f) -> mat4x4f {
  return mat4x4f(
    shares(column, low, high),
    shares(column + 1u, low, high),
    shares(column + 2u, low, high),
    shares(column + 3u, low, high),
  );
}

fn channel(words: vec4u, shift: u32) -> vec4f { return vec4f(vec4i((words >> vec4u(shift)) & vec4u(255u))); }

// As `axis_aligned`, for four outputs at once that need at most twelve neighbouring pixels, whose rows start at multiples of
// four: three loads bring them all, and products with matrices of weights do the rest. Weights are zero beyond the row's end.
fn axis_aligned_fours(s: Sample, n: u32, ox: u32, oy: u32, count: u32) {
  let taps = vec2u(s.taps & 0xffffu, s.taps >> 16u);
  let centre = s.map_x.x * (vec4f(0.5, 1.5, 2.5, 3.5) + f32(ox)) + s.map_x.z - 0.5;
  let spread = select(0.0, 0.25, taps.x == 2u) * abs(s.map_x.x);
  let edge = vec4f(f32(s.width - 1u));
  let low = clamp(centre - spread, vec4f(), edge);
  let high = clamp(centre + spread, vec4f(), edge);
  let left = u32(min(low.x, low.w)) >> 2u;
  let w0 = four_shares(left * 4u, low, high);
  let w1 = four_shares(left * 4u + 4u, low, high);
  let w2 = four_shares(left * 4u + 8u, low, high);
  let columns = (s.first >> 2u) + left;
  let pitch = s.width >> 2u;
  let mirrored = s.map_y.y < 0.0;
  var out = select(oy, oy + count - 1u, mirrored);
  var down = points(f32(out), s.map_y.y, s.map_y.z, taps.y, s.height);
  var row = u32(down.x);
  var todo = count;
  var before = mat3x4f();
  var sum = mat3x4f();
  loop {
    let line = columns + row * pitch;
    let a = pixels[line];
    let b = pixels[line + 1u];
    let c = pixels[line + 2u];
    let value = mat3x4f(
      w0 * channel(a, 0u) + w1 * channel(b, 0u) + w2 * channel(c, 0u),
      w0 * channel(a, 8u) + w1 * channel(b, 8u) + w2 * channel(c, 8u),
      w0 * channel(a, 16u) + w1 * channel(b, 16u) + w2 * channel(c, 16u),
    );
    sum += value * share(row, down);
    let next = row + 1u;
    row = next;
    if (next > min(u32(down.y) + 1u, s.height - 1u)) {
      let four = transpose(sum);
      write(s, n, ox, out, four[0]);
      if (ox + 1u < W) { write(s, n, ox + 1u, out, four[1]); }
      if (ox + 2u < W) { write(s, n, ox + 2u, out, four[2]); }
      if (ox + 3u < W) { write(s, n, ox + 3u, out, four[3]); }
      todo--;
      out = select(out + 1u, out - 1u, mirrored);
      down = points(f32(out), s.map_y.y, s.map_y.z, taps.y, s.height);
      let more = next <= min(u32(down.y) + 1u, s.height - 1u);
      let kept = select(vec2f(), vec2f(share(next - 2u, down), share(next - 1u, down)), more);
      sum = before * kept.x + value * kept.y;
      row = select(u32(down.x), max(u32(down.x), next), more);
    }
    before = value;
    continuing { break if todo == 0u; }
  }
}

fn bilinear(s: Sample, point: vec2f) -> vec3f {
  let at = clamp(point - 0.5, vec2f(), vec2f(f32(s.width), f32(s.height)) - 1.0);
  let low = vec2u(at);
  let high = min(low + 1u, vec2u(s.width, s.height) - 1u);
  let part = at - vec2f(low);
  let top = s.first + low.y * s.width;
  let bottom = s.first + high.y * s.width;
  let upper = mix(colour(top + low.x), colour(top + high.x), part.x);
  let lower = mix(colour(bottom + low.x), colour(bottom + high.x), part.x);
  return mix(upper, lower, part.y);
}

// Any map, one point after another.
fn affine(s: Sample, n: u32, ox: u32, oy: u32, count: u32) {
  let taps = vec2u(s.taps & 0xffffu, s.taps >> 16u);
  let points = taps.x * taps.y;
  let size = 1.0 / vec2f(taps);
  var point = 0u;
  var out = oy;
  var sum = vec3f();
  loop {
    let tap = vec2u(point % taps.x, point / taps.x);
    let p = vec3f(vec2f(vec2u(ox, out)) + (vec2f(tap) + 0.5) * size, 1.0);
    sum += bilinear(s, vec2f(dot(s.map_x.xyz, p), dot(s.map_y.xyz, p)));
    point++;
    if (point == points) {
      write(s, n, ox, out, sum / f32(points));
      sum = vec3f();
      point = 0u;
      out++;
    }
    continuing { break if out == oy + count; }
  }
}

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let ox = id.x * 4u;
  let oy = id.y * ROWS;
  let n = id.z;
  if (ox >= W) { return; }
  let s = samples[n];
  let count = min(ROWS, H - oy);
  let taps = max(s.taps & 0xffffu, s.taps >> 16u);
  // Two points further than a pixel apart would touch four columns.
  let close = s.map_x.y == 0.0 && s.map_y.x == 0.0 && taps <= 2u && ((s.taps & 0xffffu) == 1u || abs(s.map_x.x) <= 2.0);
  // Four outputs span 3.5 steps, and up to four pixels more by interpolation and by starting at a multiple of four.
  if (close && abs(s.map_x.x) <= 2.0 && ((s.width | s.first) & 3u) == 0u) {
    axis_aligned_fours(s, n, ox, oy, count);
    return;
  }
  for (var x = ox; x < min(ox + 4u, W); x++) {
    if (close) { axis_aligned(s, n, x, oy, count); } else { affine(s, n, x, oy, count); }
  }
}
