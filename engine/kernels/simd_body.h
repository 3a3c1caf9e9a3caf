// The loops behind simd.h, written once over the compiler's vector type. Included by simd_base.cpp, simd_avx2.cpp and
// simd_avx512.cpp inside an anonymous namespace, after kBytes (the vector's size) is defined. Nothing here may call an inline
// function of another header (see simd.h); the includes are the including file's.
//
// Decoding reads every weight once a token, so the linear product is built to stream: one or two weight rows at a time, read
// front to back with a prefetch a kilobyte ahead, against up to eight rows of x that stay in the first-level cache.

constexpr std::int64_t W = kBytes / 4;
typedef float V __attribute__((vector_size(kBytes)));
typedef std::int32_t VI __attribute__((vector_size(kBytes)));
typedef std::uint16_t VH __attribute__((vector_size(kBytes / 2)));
typedef float VLoad __attribute__((vector_size(kBytes), aligned(4), may_alias));
typedef std::uint16_t VHLoad __attribute__((vector_size(kBytes / 2), aligned(2), may_alias));
typedef float V4 __attribute__((vector_size(16)));
typedef float V8 __attribute__((vector_size(32)));

inline V load(const float* p) { return *reinterpret_cast<const VLoad*>(p); }
inline V load(const std::uint16_t* p) {
  const VH half = *reinterpret_cast<const VHLoad*>(p);
  return reinterpret_cast<V>(__builtin_convertvector(half, VI) << 16);
}
inline float widen(float value) { return value; }
inline float widen(std::uint16_t value) { return __builtin_bit_cast(float, static_cast<std::uint32_t>(value) << 16); }
inline void store(float* p, V value) { *reinterpret_cast<VLoad*>(p) = value; }
inline V broadcast(float value) { return value - V{}; }

inline V4 quarter(V4 v) { return v; }
inline V4 quarter(V8 v) {
  return __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
}
#if defined(__AVX512F__)
inline V4 quarter(V v) {
  return quarter(V8(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                    __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15)));
}
#endif
// The sums of four vectors at once.
inline V4 sums(V a, V b, V c, V d) {
  const V4 qa = quarter(a), qb = quarter(b), qc = quarter(c), qd = quarter(d);
  const V4 ab = __builtin_shufflevector(qa, qb, 0, 4, 1, 5) + __builtin_shufflevector(qa, qb, 2, 6, 3, 7);
  const V4 cd = __builtin_shufflevector(qc, qd, 0, 4, 1, 5) + __builtin_shufflevector(qc, qd, 2, 6, 3, 7);
  return __builtin_shufflevector(ab, cd, 0, 1, 4, 5) + __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
}
inline float sum(V a) {
  const V4 q = quarter(a);
  return (q[0] + q[1]) + (q[2] + q[3]);
}

// R weight rows against N rows of x.
template <int R, int N, typename T>
inline __attribute__((always_inline)) void block(const float* x, std::int64_t xStride, const T* w, std::int64_t in, float* y,
                                                 std::int64_t yStride) {
  constexpr int unroll = R * N >= 8 ? 1 : (R * N >= 4 ? 2 : 4);  // enough independent sums to hide the adder's latency
  constexpr std::int64_t ahead = 1024 / sizeof(T);
  V total[unroll][R][N] = {};
  std::int64_t i = 0;
  for (; i + unroll * W <= in; i += unroll * W) {
    for (int u = 0; u < unroll; ++u) {
      V weight[R];
      for (int r = 0; r < R; ++r) {
        weight[r] = load(w + r * in + i + u * W);
        __builtin_prefetch(w + r * in + i + u * W + ahead + (R - 1) * in);
      }
      for (int n = 0; n < N; ++n) {
        const V value = load(x + n * xStride + i + u * W);
        for (int r = 0; r < R; ++r) total[u][r][n] += weight[r] * value;
      }
    }
  }
  for (; i + W <= in; i += W) {
    for (int n = 0; n < N; ++n) {
      const V value = load(x + n * xStride + i);
      for (int r = 0; r < R; ++r) total[0][r][n] += load(w + r * in + i) * value;
    }
  }
  for (int u = 1; u < unroll; ++u)
    for (int r = 0; r < R; ++r)
      for (int n = 0; n < N; ++n) total[0][r][n] += total[u][r][n];
  float result[R][N];
  for (int r = 0; r < R; ++r) {
    int n = 0;
    for (; n + 4 <= N; n += 4) {
      const V4 four = sums(total[0][r][n], total[0][r][n + 1], total[0][r][n + 2], total[0][r][n + 3]);
      for (int j = 0; j < 4; ++j) result[r][n + j] = four[j];
    }
    for (; n < N; ++n) result[r][n] = sum(total[0][r][n]);
  }
  for (; i < in; ++i)
    for (int r = 0; r < R; ++r)
      for (int n = 0; n < N; ++n) result[r][n] += widen(w[r * in + i]) * x[n * xStride + i];
  for (int r = 0; r < R; ++r)
    for (int n = 0; n < N; ++n) y[n * yStride + r] = result[r][n];
}

template <int R, typename T>
inline void rowsOfX(const float* x, std::int64_t xStride, std::int64_t rows, const T* w, std::int64_t in, float* y,
                    std::int64_t yStride) {
  while (rows > 0) {
    const std::int64_t n = rows < 8 ? rows : 8;
    switch (n) {
      case 1: block<R, 1>(x, xStride, w, in, y, yStride); break;
      case 2: block<R, 2>(x, xStride, w, in, y, yStride); break;
      case 3: block<R, 3>(x, xStride, w, in, y, yStride); break;
      case 4: block<R, 4>(x, xStride, w, in, y, yStride); break;
      case 5: block<R, 5>(x, xStride, w, in, y, yStride); break;
      case 6: block<R, 6>(x, xStride, w, in, y, yStride); break;
      case 7: block<R, 7>(x, xStride, w, in, y, yStride); break;
      default: block<R, 8>(x, xStride, w, in, y, yStride); break;
    }
    x += n * xStride, y += n * yStride, rows -= n;
  }
}

template <typename T>
inline void linear(const float* x, std::int64_t xStride, std::int64_t rows, const T* w, std::int64_t in, std::int64_t begin,
                   std::int64_t end, float* y, std::int64_t yStride) {
  std::int64_t o = begin;
  if (rows > 2)
    for (; o + 2 <= end; o += 2) rowsOfX<2>(x, xStride, rows, w + o * in, in, y + o, yStride);
  for (; o < end; ++o) rowsOfX<1>(x, xStride, rows, w + o * in, in, y + o, yStride);
}

void linearF32(const float* x, std::int64_t xStride, std::int64_t rows, const float* w, std::int64_t in, std::int64_t begin,
               std::int64_t end, float* y, std::int64_t yStride) {
  linear(x, xStride, rows, w, in, begin, end, y, yStride);
}
void linearBf16(const float* x, std::int64_t xStride, std::int64_t rows, const std::uint16_t* w, std::int64_t in,
                std::int64_t begin, std::int64_t end, float* y, std::int64_t yStride) {
  linear(x, xStride, rows, w, in, begin, end, y, yStride);
}

inline float sumOfSquares(const float* x, std::int64_t n) {
  V total = {};
  std::int64_t i = 0;
  for (; i + W <= n; i += W) {
    const V value = load(x + i);
    total += value * value;
  }
  float result = sum(total);
  for (; i < n; ++i) result += x[i] * x[i];
  return result;
}

void addRmsNorm(const float* x, float* residual, const float* weight, std::int64_t h, float eps, float* y) {
  if (x)
    for (std::int64_t i = 0; i < h; ++i) residual[i] += x[i];
  const float inverse = 1.f / __builtin_sqrtf(sumOfSquares(residual, h) / static_cast<float>(h) + eps);
  for (std::int64_t i = 0; i < h; ++i) y[i] = residual[i] * inverse * weight[i];
}

void headNormRope(float* head, const float* weight, const float* cos, const float* sin, std::int64_t d, float eps) {
  const float inverse = 1.f / __builtin_sqrtf(sumOfSquares(head, d) / static_cast<float>(d) + eps);
  const std::int64_t half = d / 2;
  for (std::int64_t i = 0; i < half; ++i) {
    const float low = head[i] * inverse * weight[i], high = head[i + half] * inverse * weight[i + half];
    head[i] = low * cos[i] - high * sin[i];
    head[i + half] = high * cos[i + half] + low * sin[i + half];
  }
}

// e^x to about 2 units in the last place: x = n ln 2 + r, a polynomial in r, n put into the exponent.
inline V exponential(V x) {
  x = x < -87.f ? broadcast(-87.f) : x;
  x = x > 88.f ? broadcast(88.f) : x;
  const V magic = broadcast(12582912.f);  // 1.5 * 2^23: adding it rounds to an integer
  const V n = (x * 1.44269504f + magic) - magic;
  const V r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  V p = broadcast(1.f / 5040);
  p = p * r + 1.f / 720;
  p = p * r + 1.f / 120;
  p = p * r + 1.f / 24;
  p = p * r + 1.f / 6;
  p = p * r + .5f;
  p = p * r + 1.f;
  p = p * r + 1.f;
  const VI exponent = (__builtin_convertvector(n, VI) + 127) << 23;
  return p * reinterpret_cast<V>(exponent);
}
inline float exponential(float x) { return exponential(broadcast(x))[0]; }

void siluMul(float* gate, const float* up, std::int64_t n) {
  std::int64_t i = 0;
  for (; i + W <= n; i += W) {
    const V g = load(gate + i);
    store(gate + i, g / (1.f + exponential(-g)) * load(up + i));
  }
  for (; i < n; ++i) gate[i] = gate[i] / (1.f + exponential(-gate[i])) * up[i];
}

float largest(const float* x, std::int64_t n) {
  float best = x[0];
  std::int64_t i = 0;
  if (n >= W) {
    V top = load(x);
    for (i = W; i + W <= n; i += W) {
      const V value = load(x + i);
      top = value > top ? value : top;
    }
    for (int j = 0; j < W; ++j) best = top[j] > best ? top[j] : best;
  }
  for (; i < n; ++i) best = x[i] > best ? x[i] : best;
  return best;
}

double expSum(const float* x, std::int64_t n, float shift, float scale, float* out) {
  double total = 0;
  std::int64_t i = 0;
  while (i + W <= n) {  // float32 within a stretch, float64 across them
    V part = {};
    for (int k = 0; k < 64 && i + W <= n; ++k, i += W) {
      V term = exponential((load(x + i) - shift) * scale);
      term = load(x + i) == -__builtin_inff() ? V{} : term;
      if (out) store(out + i, term);
      part += term;
    }
    total += sum(part);
  }
  for (; i < n; ++i) {
    const float term = x[i] == -__builtin_inff() ? 0.f : exponential((x[i] - shift) * scale);
    if (out) out[i] = term;
    total += term;
  }
  return total;
}

// Scores of `count` tokens for one query.
template <typename T>
inline void scoresOf(const float* q, const T* keys, std::int64_t stride, std::int64_t count, std::int64_t d, float scale,
                     float* scores) {
  std::int64_t t = 0;
  for (; t + 4 <= count; t += 4) {
    const T* k = keys + t * stride;
    V a = {}, b = {}, c = {}, e = {};
    std::int64_t i = 0;
    for (; i + W <= d; i += W) {
      const V query = load(q + i);
      a += query * load(k + i);
      b += query * load(k + stride + i);
      c += query * load(k + 2 * stride + i);
      e += query * load(k + 3 * stride + i);
    }
    V4 four = sums(a, b, c, e);
    for (; i < d; ++i)
      for (int j = 0; j < 4; ++j) four[j] += q[i] * widen(k[j * stride + i]);
    for (int j = 0; j < 4; ++j) scores[t + j] = four[j] * scale;
  }
  for (; t < count; ++t) {
    const T* k = keys + t * stride;
    V a = {};
    std::int64_t i = 0;
    for (; i + W <= d; i += W) a += load(q + i) * load(k + i);
    float one = sum(a);
    for (; i < d; ++i) one += q[i] * widen(k[i]);
    scores[t] = one * scale;
  }
}

// out[g, from..from+D*W) += sum_t p[g, t] values[t, ..] for G query heads.
template <int G, int D, typename T>
inline __attribute__((always_inline)) void mix(const float* p, const T* values, std::int64_t stride, std::int64_t count,
                                               std::int64_t d, float* out) {
  V total[G][D];
  for (int g = 0; g < G; ++g)
    for (int j = 0; j < D; ++j) total[g][j] = load(out + g * d + j * W);
  for (std::int64_t t = 0; t < count; ++t) {
    V value[D];
    for (int j = 0; j < D; ++j) value[j] = load(values + t * stride + j * W);
    for (int g = 0; g < G; ++g) {
      const V weight = broadcast(p[g * kAttendChunk + t]);
      for (int j = 0; j < D; ++j) total[g][j] += weight * value[j];
    }
  }
  for (int g = 0; g < G; ++g)
    for (int j = 0; j < D; ++j) store(out + g * d + j * W, total[g][j]);
}

template <int G, typename T>
inline void mixHeads(const float* p, const T* values, std::int64_t stride, std::int64_t count, std::int64_t d, float* out) {
  std::int64_t i = 0;
  for (; i + 4 * W <= d; i += 4 * W) mix<G, 4>(p, values + i, stride, count, d, out + i);
  for (; i + W <= d; i += W) mix<G, 1>(p, values + i, stride, count, d, out + i);
  for (; i < d; ++i)
    for (int g = 0; g < G; ++g)
      for (std::int64_t t = 0; t < count; ++t) out[g * d + i] += p[g * kAttendChunk + t] * widen(values[t * stride + i]);
}

template <typename T>
inline void attendOver(const float* q, std::int64_t group, const AttendPrefix& prefix, const T* keys, std::int64_t keyStride, const T* values,
                       std::int64_t valueStride, std::int64_t length, std::int64_t d, float scale, float* out, float* scratch, float* tops,
                       float* masses) {
  for (std::int64_t i = 0; i < group * d; ++i) out[i] = 0;
  constexpr std::int64_t kHeads = 4;  // query heads at a time
  for (std::int64_t first = 0; first < group; first += kHeads) {
    const std::int64_t heads = group - first < kHeads ? group - first : kHeads;
    float top[kHeads], mass[kHeads];
    for (int g = 0; g < heads; ++g) top[g] = -__builtin_inff(), mass[g] = 0;
    float* mixed = out + first * d;
    for (std::int64_t begin = 0; begin < length; begin += kAttendChunk) {
      const std::int64_t count = length - begin < kAttendChunk ? length - begin : kAttendChunk;
      const std::int64_t own = begin < prefix.length ? 0 : begin - prefix.length;
      const T *k = keys + own * keyStride, *v = values + own * valueStride;
      if constexpr (sizeof(T) == sizeof(float)) {
        if (begin < prefix.length) k = prefix.keys + begin * keyStride, v = prefix.values + begin * valueStride;  // whole pieces: the same sums
      }
      for (int g = 0; g < heads; ++g) {
        float* scores = scratch + g * kAttendChunk;
        scoresOf(q + (first + g) * d, k, keyStride, count, d, scale, scores);
        const float now = largest(scores, count);
        if (now > top[g]) {  // what was summed so far was relative to a smaller maximum
          const float shrink = begin ? exponential(top[g] - now) : 0.f;
          mass[g] *= shrink;
          for (std::int64_t i = 0; i < d; ++i) mixed[g * d + i] *= shrink;
          top[g] = now;
        }
        mass[g] += static_cast<float>(expSum(scores, count, top[g], 1.f, scores));
      }
      switch (heads) {
        case 1: mixHeads<1>(scratch, v, valueStride, count, d, mixed); break;
        case 2: mixHeads<2>(scratch, v, valueStride, count, d, mixed); break;
        case 3: mixHeads<3>(scratch, v, valueStride, count, d, mixed); break;
        default: mixHeads<4>(scratch, v, valueStride, count, d, mixed); break;
      }
    }
    for (int g = 0; g < heads; ++g) {
      const float inverse = 1.f / mass[g];
      for (std::int64_t i = 0; i < d; ++i) mixed[g * d + i] *= inverse;
      if (tops) tops[first + g] = top[g], masses[first + g] = mass[g];
    }
  }
}

void attend(const float* q, std::int64_t group, const AttendPrefix& prefix, const float* keys, const float* values, std::int64_t stride,
            std::int64_t length, std::int64_t d, float scale, float* out, float* scratch) {
  attendOver(q, group, prefix, keys, stride, values, stride, length, d, scale, out, scratch, static_cast<float*>(nullptr), static_cast<float*>(nullptr));
}
void attendBf16(const float* q, std::int64_t group, const std::uint16_t* keys, std::int64_t keyStride, const std::uint16_t* values,
                std::int64_t valueStride, std::int64_t length, std::int64_t d, float scale, float* out, float* scratch, float* largest,
                float* mass) {
  attendOver(q, group, AttendPrefix{nullptr, nullptr, 0}, keys, keyStride, values, valueStride, length, d, scale, out, scratch, largest, mass);
}
