// photo_input.main: photos -> network input, in one launch: resize, crop, flip, rotate, swap channels, normalise, u8 -> f32.
// Output pixel (ox, oy) of sample n shows the source point (a ox + b oy + c, d ox + e oy + f), pixel centres at .5, edges
// clamped, bilinear; where the map shrinks, taps_x * taps_y such points spread over the pixel are averaged.
//   y[n,oy,ox,c] = (value[channel c] / 255 - MEAN_c) / STD_c, and 0 in the padding channel
override H: u32;
override W: u32;
override GROUP: u32;
override BGR: bool;
override MEAN_0: f32;
override MEAN_1: f32;
override MEAN_2: f32;
override STD_0: f32;
override STD_1: f32;
override STD_2: f32;

// first: index of the photo's first pixel. map_x = (a, b, c), map_y = (d, e, f).
struct Sample { first: u32, width: u32, height: u32, taps: u32, map_x: vec4f, map_y: vec4f }

@group(0) @binding(0) var<storage, read> pixels: array<u32>;             // RGBA, one u32 a pixel
@group(0) @binding(1) var<storage, read> samples: array<Sample>;         // [N]
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;          // [N, H, W, 3]

fn bilinear(s: Sample, point: vec2f) -> vec3f {
  let at = clamp(point - 0.5, vec2f(), vec2f(f32(s.width), f32(s.height)) - 1.0);
  let low = vec2u(at);
  let high = min(low + 1u, vec2u(s.width, s.height) - 1u);
  let part = at - vec2f(low);
  let top = s.first + low.y * s.width;
  let bottom = s.first + high.y * s.width;
  let upper = mix(unpack4x8unorm(pixels[top + low.x]), unpack4x8unorm(pixels[top + high.x]), part.x);
  let lower = mix(unpack4x8unorm(pixels[bottom + low.x]), unpack4x8unorm(pixels[bottom + high.x]), part.x);
  return mix(upper, lower, part.y).xyz;
}

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let n = id.z;
  let pixel = id.x;
  if (pixel >= H * W) { return; }
  let s = samples[n];
  let out = vec2f(f32(pixel % W), f32(pixel / W));
  let taps = vec2u(s.taps & 0xffffu, s.taps >> 16u);
  var sum = vec3f();
  for (var j = 0u; j < taps.y; j++) {
    for (var i = 0u; i < taps.x; i++) {
      let p = out + (vec2f(vec2u(i, j)) + 0.5) / vec2f(taps);
      let source = vec2f(dot(s.map_x.xyz, vec3f(p, 1.0)), dot(s.map_y.xyz, vec3f(p, 1.0)));
      sum += bilinear(s, source);
    }
  }
  let rgb = sum / f32(taps.x * taps.y);
  let value = select(rgb, rgb.zyx, BGR);
  y[n * H * W + pixel] = vec4f((value - vec3f(MEAN_0, MEAN_1, MEAN_2)) / vec3f(STD_0, STD_1, STD_2), 0.0);
}
