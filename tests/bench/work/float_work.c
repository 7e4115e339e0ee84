// Floating point and SIMD: `float_work nbody|mandelbrot|matrix-sse|matrix-avx2|bytes-sse|x87`. Prints one line, the
// same on every machine. Exit status 77: the processor does not offer what the workload needs.
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kSkipped = 77 };

// Scalar SSE2 doubles: planets attract each other.
static void nbody(void) {
  enum { kBodies = 5, kSteps = 2500000 };
  double at[kBodies][3] = {
      {0, 0, 0}, {4.84, -1.16, -.10}, {8.34, 4.12, -.4}, {12.9, -15.1, -.22}, {15.4, -25.9, .18}};
  double speed[kBodies][3] = {
      {0, 0, 0}, {.6, 2.8, -.02}, {-1.01, 1.82, .008}, {1.08, .87, -.01}, {.98, .59, -.03}};
  const double mass[kBodies] = {39.47, .037, .011, .0017, .002};
  for (int step = 0; step < kSteps; ++step) {
    for (int i = 0; i < kBodies; ++i) {
      for (int j = i + 1; j < kBodies; ++j) {
        const double dx = at[i][0] - at[j][0], dy = at[i][1] - at[j][1], dz = at[i][2] - at[j][2];
        const double squared = dx * dx + dy * dy + dz * dz;
        const double pull = .001 / (squared * __builtin_sqrt(squared));
        speed[i][0] -= dx * mass[j] * pull, speed[i][1] -= dy * mass[j] * pull,
            speed[i][2] -= dz * mass[j] * pull;
        speed[j][0] += dx * mass[i] * pull, speed[j][1] += dy * mass[i] * pull,
            speed[j][2] += dz * mass[i] * pull;
      }
    }
    for (int i = 0; i < kBodies; ++i)
      for (int axis = 0; axis < 3; ++axis) at[i][axis] += .001 * speed[i][axis];
  }
  printf("%a %a\n", at[0][0], at[1][1]);
}

// Two points at a time in packed doubles.
static void mandelbrot(void) {
  enum { kSize = 800, kIterations = 250 };
  uint64_t inside = 0;
  for (int y = 0; y < kSize; ++y) {
    const __m128d ci = _mm_set1_pd(y * 2.0 / kSize - 1.0);
    for (int x = 0; x < kSize; x += 2) {
      const __m128d cr = _mm_set_pd((x + 1) * 3.0 / kSize - 2.0, x * 3.0 / kSize - 2.0);
      __m128d zr = _mm_setzero_pd(), zi = _mm_setzero_pd();
      for (int i = 0; i < kIterations; ++i) {
        const __m128d rr = _mm_mul_pd(zr, zr), ii = _mm_mul_pd(zi, zi), ri = _mm_mul_pd(zr, zi);
        const int bounded = _mm_movemask_pd(_mm_cmple_pd(_mm_add_pd(rr, ii), _mm_set1_pd(4.0)));
        if (!bounded) break;
        inside += (uint64_t)__builtin_popcount((unsigned)bounded);
        zr = _mm_add_pd(_mm_sub_pd(rr, ii), cr);
        zi = _mm_add_pd(_mm_add_pd(ri, ri), ci);
      }
    }
  }
  printf("%llu\n", (unsigned long long)inside);
}

enum { kMatrix = 192 };
static float left[kMatrix][kMatrix], right[kMatrix][kMatrix], product[kMatrix][kMatrix];

static void fill_matrices(void) {
  for (int i = 0; i < kMatrix; ++i)
    for (int j = 0; j < kMatrix; ++j)
      left[i][j] = (float)(i - j) / 64, right[i][j] = (float)(i * j % 97) / 32;
}

static void print_product(void) {
  uint64_t sum = 0;
  const uint8_t* bytes = (const uint8_t*)product;
  for (size_t i = 0; i < sizeof product; ++i) sum = sum * 31 + bytes[i];
  printf("%016llx\n", (unsigned long long)sum);
}

static void matrix_sse(void) {
  fill_matrices();
  for (int round = 0; round < 120; ++round) {
    for (int i = 0; i < kMatrix; ++i) {
      for (int j = 0; j < kMatrix; j += 8) {
        __m128 low = _mm_loadu_ps(&product[i][j]), high = _mm_loadu_ps(&product[i][j + 4]);
        for (int k = 0; k < kMatrix; ++k) {
          const __m128 factor = _mm_set1_ps(left[i][k]);
          low = _mm_add_ps(low, _mm_mul_ps(factor, _mm_loadu_ps(&right[k][j])));
          high = _mm_add_ps(high, _mm_mul_ps(factor, _mm_loadu_ps(&right[k][j + 4])));
        }
        _mm_storeu_ps(&product[i][j], low);
        _mm_storeu_ps(&product[i][j + 4], high);
      }
    }
  }
  print_product();
}

__attribute__((target("avx2,fma"))) static void matrix_avx2(void) {
  fill_matrices();
  for (int round = 0; round < 40; ++round) {
    for (int i = 0; i < kMatrix; ++i) {
      for (int j = 0; j < kMatrix; j += 16) {
        __m256 low = _mm256_loadu_ps(&product[i][j]), high = _mm256_loadu_ps(&product[i][j + 8]);
        for (int k = 0; k < kMatrix; ++k) {
          const __m256 factor = _mm256_set1_ps(left[i][k]);
          low = _mm256_fmadd_ps(factor, _mm256_loadu_ps(&right[k][j]), low);
          high = _mm256_fmadd_ps(factor, _mm256_loadu_ps(&right[k][j + 8]), high);
        }
        _mm256_storeu_ps(&product[i][j], low);
        _mm256_storeu_ps(&product[i][j + 8], high);
      }
    }
  }
  print_product();
}

// What codecs do: bytes to words, multiply, shuffle, pack with saturation.
static void bytes_sse(void) {
  enum { kBytes = 1 << 16 };
  static uint8_t from[kBytes], into[kBytes];
  for (int i = 0; i < kBytes; ++i) from[i] = (uint8_t)(i * 2654435761u >> 13);
  const __m128i zero = _mm_setzero_si128(), weights = _mm_set_epi16(3, 5, 7, 9, 9, 7, 5, 3);
  __m128i sums = zero;
  for (int round = 0; round < 10000; ++round) {
    for (int at = 0; at < kBytes; at += 16) {
      const __m128i bytes = _mm_loadu_si128((const __m128i*)&from[at]);
      __m128i low = _mm_mullo_epi16(_mm_unpacklo_epi8(bytes, zero), weights);
      __m128i high = _mm_mullo_epi16(_mm_unpackhi_epi8(bytes, zero), weights);
      low = _mm_srai_epi16(_mm_adds_epi16(low, _mm_shufflelo_epi16(high, 0x1b)), 3);
      high = _mm_srai_epi16(_mm_subs_epi16(high, _mm_shufflehi_epi16(low, 0xb1)), 3);
      const __m128i packed = _mm_packus_epi16(low, high);
      sums = _mm_add_epi64(sums, _mm_sad_epu8(packed, bytes));
      _mm_storeu_si128((__m128i*)&into[at], _mm_avg_epu8(packed, bytes));
    }
    memcpy(from, into, 64);
  }
  uint64_t lanes[2];
  memcpy(lanes, &sums, sizeof lanes);
  printf("%016llx %016llx %u\n", (unsigned long long)lanes[0], (unsigned long long)lanes[1], into[77]);
}

static void x87(void) {
  long double sum = 0, term = 1, x = 1.0L / 3;
  for (int i = 1; i < 25000000; ++i) {
    term = term * x + 1.0L / i;
    sum += term * term - sum * 0.001L;
    if (sum > 1e6L) sum -= 1e6L;
  }
  printf("%La %La\n", sum, term);
}

int main(int argc, char** argv) {
  const char* name = argc > 1 ? argv[1] : "";
  if (!strcmp(name, "nbody"))
    nbody();
  else if (!strcmp(name, "mandelbrot"))
    mandelbrot();
  else if (!strcmp(name, "matrix-sse"))
    matrix_sse();
  else if (!strcmp(name, "bytes-sse"))
    bytes_sse();
  else if (!strcmp(name, "x87"))
    x87();
  else if (!strcmp(name, "matrix-avx2")) {
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return kSkipped;
    matrix_avx2();
  } else {
    return 2;
  }
  return 0;
}
