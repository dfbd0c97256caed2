// Vectors of trajectories, Philox4x32-10 and Box-Muller: the hand-written parts under benchmarks/ensemble_reference.cpp.
//
// One vector holds one number of each of several trajectories: 32 bytes with AVX2, 64 with AVX-512.
#pragma once
#include <immintrin.h>

#include <cmath>
#include <cstdint>

#if defined(__AVX512F__)
constexpr int BYTES = 64;
#elif defined(__AVX2__) && defined(__FMA__)
constexpr int BYTES = 32;
#else
#error "needs AVX2 and FMA"
#endif

typedef uint64_t U64 __attribute__((vector_size(BYTES)));
typedef uint32_t U32 __attribute__((vector_size(BYTES)));
typedef double F64 __attribute__((vector_size(BYTES)));
typedef float F32 __attribute__((vector_size(BYTES)));

#define HOT [[gnu::always_inline]] inline

template <class R> struct Types;
template <> struct Types<double> { typedef F64 V; };
template <> struct Types<float> { typedef F32 V; };
template <class R> using Vec = typename Types<R>::V;
template <class R> constexpr int LANES = BYTES / sizeof(R);

template <class V, class R> inline V all(R x) { return x - V{}; }

#if defined(__AVX512F__)
inline U64 mul32(U64 a, U64 b) { return (U64)_mm512_mul_epu32((__m512i)a, (__m512i)b); }
inline F64 fma(F64 a, F64 b, F64 c) { return _mm512_fmadd_pd(a, b, c); }
inline F32 fma(F32 a, F32 b, F32 c) { return _mm512_fmadd_ps(a, b, c); }
inline F64 root(F64 x) { return _mm512_sqrt_pd(x); }
inline F32 root(F32 x) { return _mm512_sqrt_ps(x); }
inline F32 from_int(U32 x) { return _mm512_cvtepi32_ps((__m512i)x); }
inline U64 low_words_over(U64 w, U64 high) { return (U64)_mm512_mask_blend_epi32(0xAAAA, (__m512i)w, (__m512i)high); }
inline F64 rsqrt_estimate(F64 x) { return _mm512_rsqrt14_pd(x); }
inline F32 rsqrt_estimate(F32 x) { return _mm512_rsqrt14_ps(x); }
inline F64 lower(F32 x) { return _mm512_cvtps_pd(_mm512_castps512_ps256(x)); }
inline F64 upper(F32 x) { return _mm512_cvtps_pd(_mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(x), 1))); }
inline unsigned outside(F64 x, F64 limit) { return _mm512_cmp_pd_mask(x, limit, _CMP_NLE_UQ); }
inline unsigned outside(F32 x, F32 limit) { return _mm512_cmp_ps_mask(x, limit, _CMP_NLE_UQ); }
#else
inline U64 mul32(U64 a, U64 b) { return (U64)_mm256_mul_epu32((__m256i)a, (__m256i)b); }
inline F64 fma(F64 a, F64 b, F64 c) { return _mm256_fmadd_pd(a, b, c); }
inline F32 fma(F32 a, F32 b, F32 c) { return _mm256_fmadd_ps(a, b, c); }
inline F64 root(F64 x) { return _mm256_sqrt_pd(x); }
inline F32 root(F32 x) { return _mm256_sqrt_ps(x); }
inline F32 from_int(U32 x) { return _mm256_cvtepi32_ps((__m256i)x); }
inline U64 low_words_over(U64 w, U64 high) { return (U64)_mm256_blend_epi32((__m256i)w, (__m256i)high, 0xAA); }
inline F64 rsqrt_estimate(F64 x) { return _mm256_cvtps_pd(_mm_rsqrt_ps(_mm256_cvtpd_ps(x))); }
inline F32 rsqrt_estimate(F32 x) { return _mm256_rsqrt_ps(x); }
inline F64 lower(F32 x) { return _mm256_cvtps_pd(_mm256_castps256_ps128(x)); }
inline F64 upper(F32 x) { return _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1)); }
inline unsigned outside(F64 x, F64 limit) { return _mm256_movemask_pd(_mm256_cmp_pd(x, limit, _CMP_NLE_UQ)); }
inline unsigned outside(F32 x, F32 limit) { return _mm256_movemask_ps(_mm256_cmp_ps(x, limit, _CMP_NLE_UQ)); }
#endif

// ------------------------------------------------------------------------------------------------ Philox4x32-10
// Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011. Counter (trajectory, block, 0, purpose).
// A 64-bit lane carries one 32-bit word in its low half; the multiplier ignores the high half, so nothing is masked.
// What rounds 0 and 1 compute depends on the trajectory alone or on the block alone: the former is kept (Stream), the
// latter is scalar (Block), and vectors start in the middle of round 2.

constexpr uint64_t M0 = 0xD2511F53, M1 = 0xCD9E8D57;
constexpr uint32_t W0 = 0x9E3779B9, W1 = 0xBB67AE85;

struct Key {
    uint32_t k0[10], k1[10];
    Key(uint32_t a, uint32_t b) {
        for (int r = 0; r < 10; ++r) k0[r] = a + r * W0, k1[r] = b + r * W1;
    }
};

constexpr uint32_t NOISE = 1, ROWS = 2;  // purposes

struct Block {  // the scalar half of rounds 0 and 1
    uint64_t first, second;
    Block(uint32_t block, const Key& key) {
        uint64_t p = M0 * (block ^ key.k0[0]);
        first = (p >> 32) ^ key.k1[1];
        second = p & 0xFFFFFFFF;
    }
};

struct Stream {  // the half of rounds 0, 1 and 2 that belongs to the trajectories
    U64 a, b, c, d;
    void set(U64 trajectory, const Key& key, uint32_t purpose) {
        U64 p = mul32(trajectory, all<U64>(M0));
        a = p;
        U64 q = mul32((p >> 32) ^ uint64_t(purpose ^ key.k1[0]), all<U64>(M1));
        b = q ^ uint64_t(key.k0[2]);
        d = mul32((q >> 32) ^ uint64_t(key.k0[1]), all<U64>(M0));
        c = (d >> 32) ^ uint64_t(key.k1[2]);
    }
};

// Blocks of K streams at once: the multiplier's latency is hidden by the other streams.
template <int K> HOT void philox(const Stream* s, const Block& block, const Key& key, U64 (*w)[4]) {
    const U64 m0 = all<U64>(M0), m1 = all<U64>(M1);
    U64 c0[K], c1[K], c2[K], c3[K];
    for (int k = 0; k < K; ++k) {
        c1[k] = mul32(s[k].a ^ block.first, m1);
        c0[k] = (c1[k] >> 32) ^ s[k].b;
        c2[k] = s[k].c ^ block.second;
        c3[k] = s[k].d;
    }
#pragma GCC unroll 7
    for (int r = 3; r < 10; ++r) {
        U64 p0[K], p1[K];
#pragma GCC unroll 8
        for (int k = 0; k < K; ++k) p0[k] = mul32(c0[k], m0), p1[k] = mul32(c2[k], m1);
#pragma GCC unroll 8
        for (int k = 0; k < K; ++k) {
            c0[k] = (p1[k] >> 32) ^ (c1[k] ^ uint64_t(key.k0[r]));
            c2[k] = (p0[k] >> 32) ^ (c3[k] ^ uint64_t(key.k1[r]));
            c1[k] = p1[k], c3[k] = p0[k];
        }
    }
    for (int k = 0; k < K; ++k) w[k][0] = c0[k], w[k][1] = c1[k], w[k][2] = c2[k], w[k][3] = c3[k];
}

// ------------------------------------------------------------------------------------------------ Box and Muller
// From words (w0, w1): radius sqrt(-2 s^2 log u), u = (w0 + 1/2) / 2^32, and a point on the circle. The angle x of w1 runs
// through (-pi/2, pi/2), the lowest bit of w1 chooses the half of the circle. Coefficients: interpolation at Chebyshev nodes of
// log(1 + f) / f on [sqrt(1/2) - 1, sqrt(2) - 1], sin(pi/2 z) / z and cos(pi/2 z) in z^2; those of log times -2 s^2.

constexpr double LOG64[] = {0.999999999999973594, 0.333333333397896261, 0.199999974459161914,
                            0.142860830729378625, 0.110871249550387449, 0.0980404781987652637};
constexpr double SIN64[] = {1.57079632679481753, -0.645964097498494875, 0.0796926261220857709, -0.00468175339012288005,
                            0.000160439052091110448, -3.59570579693150514e-6, 5.46254986459607064e-8};
constexpr double COS64[] = {0.999999999999247963, -1.23370055006246238, 0.253669506721089851, -0.0208634736759620305,
                            0.000919239986670746887, -0.0000251721840110506436, 4.49216171208350626e-7};
constexpr double LOG32[] = {0.999999999315659086, 0.333334076690755938, 0.199874252587595239, 0.149621952395724934};
constexpr double SIN32[] = {1.57079632003860163, -0.645963759583539301, 0.0796899183290284958, -0.00467414383815177762, 0.000151671703664089589};
constexpr double COS32[] = {0.999999953027512369, -1.23369820062236475, 0.253650674422662351, -0.0208105151998044539, 0.000858134467091320893};
constexpr double power(double x, int n) { return n == 0 ? 1.0 : x * power(x, n - 1); }

template <class R> struct Terms;
template <> struct Terms<double> {
    static constexpr int LOG = 6, CIRCLE = 7;
};
template <> struct Terms<float> {
    static constexpr int LOG = 4, CIRCLE = 5;
};

// Every coefficient as a vector in memory: an operand of the fused multiply-add. In float64 those of
// z^(2k) are scaled for an argument z * 2^31, so that the angle need not be.
template <class V> struct Gaussian {
    V log[6], sine[7], cosine[7], octave;
};

template <class R> Gaussian<Vec<R>> gaussian(double noise) {
    using V = Vec<R>;
    constexpr bool DOUBLE = sizeof(R) == 8;
    const double* log = DOUBLE ? LOG64 : LOG32, *sine = DOUBLE ? SIN64 : SIN32, *cosine = DOUBLE ? COS64 : COS32;
    Gaussian<V> g;
    for (int k = 0; k < Terms<R>::LOG; ++k) g.log[k] = all<V>(R(-4 * noise * noise * log[k]));
    g.octave = all<V>(R(-2 * noise * noise * 0.693147180559945309417));
    for (int k = 0; k < Terms<R>::CIRCLE; ++k) {
        g.sine[k] = all<V>(R(sine[k] * (DOUBLE ? 0x1p-31 * power(0x1p-62, k) : 1.0)));
        g.cosine[k] = all<V>(R(cosine[k] * (DOUBLE ? power(0x1p-62, k) : 1.0)));
    }
    return g;
}

inline F64 from_word(U64 w, double minus) {  // low word as a number, less `minus`
    return (F64)low_words_over(w, all<U64>(uint64_t(0x4330000000000000))) - (0x1p52 + minus);
}

// w0 + 1/2 = 2^e (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), log u = (e - 32) log 2 + log(1 + f)
inline void split(U64 w, F64& octave, F64& f) {
    constexpr uint64_t ROOT_HALF = 0x3FE6A09E667F3BCD, MANTISSA = 0x000FFFFFFFFFFFFF;
    U64 shifted = (U64)from_word(w, -0.5) + (0x3FF0000000000000 - ROOT_HALF);
    octave = (F64)((shifted >> 52) | 0x4330000000000000) - (0x1p52 + 1023 + 32);
    f = (F64)((shifted & MANTISSA) + ROOT_HALF) - 1.0;
}
inline void split(U32 w, F32& octave, F32& f) {  // of 31 bits: u = (w0 / 2 + 1/2) / 2^31
    constexpr uint32_t ROOT_HALF = 0x3F3504F3, MANTISSA = 0x007FFFFF;
    U32 shifted = (U32)(from_int(w >> 1) + 0.5f) + (0x3F800000 - ROOT_HALF);
    octave = from_int(shifted >> 23) - (127.0f + 31.0f);
    f = (F32)((shifted & MANTISSA) + ROOT_HALF) - 1.0f;
}
inline F64 angle(U64 w) { return from_word(w, 0x1p31 - 0.5); }  // over pi / 2^32
inline F32 angle(U32 w) { return from_int(w) * 0x1p-31f; }  // over pi / 2
inline F64 flip(F64 x, U64 w) { return (F64)((U64)x ^ (w << 63)); }
inline F32 flip(F32 x, U32 w) { return (F32)((U32)x ^ (w << 31)); }

// Squared radii and points on the circle of K pairs at once. The polynomial of log is split into its even and its odd part. The two
// stages are apart, and K chains side by side, so that few operations wait for another's result.
template <class R, int K, class U> HOT void squared_radii(const U* w0, const Gaussian<Vec<R>>& g, Vec<R>* out) {
    using V = Vec<R>;
    constexpr int N = Terms<R>::LOG;
    V octave[K], s[K], square[K], p[K];
#pragma GCC unroll 8
    for (int k = 0; k < K; ++k) {
        V f;
        split(w0[k], octave[k], f);
        s[k] = f / (f + R(2));
    }
#pragma GCC unroll 8
    for (int k = 0; k < K; ++k) square[k] = s[k] * s[k], p[k] = g.log[N - 1];
#pragma GCC unroll 16
    for (int j = N - 2; j >= 0; --j)
#pragma GCC unroll 8
        for (int k = 0; k < K; ++k) p[k] = fma(p[k], square[k], g.log[j]);
#pragma GCC unroll 8
    for (int k = 0; k < K; ++k) out[k] = fma(octave[k], g.octave, p[k] * s[k]);
}

template <class R, int K, class U> HOT void on_circle(const U* w1, const Gaussian<Vec<R>>& g, const Vec<R>* r2, Vec<R>* n0, Vec<R>* n1) {
    using V = Vec<R>;
    V x[K], square[K], c[K], s[K], radius[K];
#pragma GCC unroll 8
    for (int k = 0; k < K; ++k) {
        radius[k] = root(r2[k]);
        x[k] = angle(w1[k]);
        square[k] = x[k] * x[k];
        c[k] = g.cosine[Terms<R>::CIRCLE - 1], s[k] = g.sine[Terms<R>::CIRCLE - 1];
    }
#pragma GCC unroll 8
    for (int j = Terms<R>::CIRCLE - 2; j >= 0; --j)
#pragma GCC unroll 8
        for (int k = 0; k < K; ++k) c[k] = fma(c[k], square[k], g.cosine[j]), s[k] = fma(s[k], square[k], g.sine[j]);
#pragma GCC unroll 8
    for (int k = 0; k < K; ++k) n0[k] = flip(radius[k] * c[k], w1[k]), n1[k] = radius[k] * (s[k] * x[k]);
}

// ------------------------------------------------------------------------------------------------ four normals a block
#ifndef RADII  // side by side
#define RADII 4
#endif
#ifndef POINTS
#define POINTS 1
#endif
#ifndef STREAMS  // Philox streams side by side
#define STREAMS 4
#endif

// The words of G vectors of trajectories, as pairs: (w0, w1) at 2 g, (w2, w3) at 2 g + 1; the normals go to n[4][G].
template <class R, int G> struct Noise;

template <int G, int FROM = 0> HOT void all_streams(const Stream* s, const Block& at, const Key& key, U64 (*w)[4]) {
    constexpr int K = G - FROM < STREAMS ? G - FROM : STREAMS;
    if constexpr (K > 0) {
        philox<K>(s + FROM, at, key, w + FROM);
        all_streams<G, FROM + K>(s, at, key, w);
    }
}

template <class R, int G, class U> HOT void all_pairs(const U* w0, const U* w1, const Gaussian<Vec<R>>& g, Vec<R> (*n)[G]) {
    constexpr int P = 2 * G, A = P < RADII ? P : RADII, B = P < POINTS ? P : POINTS;
    Vec<R> r2[P], n0[P], n1[P];
#pragma GCC unroll 8
    for (int p = 0; p < P; p += A) squared_radii<R, A>(w0 + p, g, r2 + p);
#pragma GCC unroll 8
    for (int p = 0; p < P; p += B) on_circle<R, B>(w1 + p, g, r2 + p, n0 + p, n1 + p);
    for (int v = 0; v < G; ++v) n[0][v] = n0[2 * v], n[1][v] = n1[2 * v], n[2][v] = n0[2 * v + 1], n[3][v] = n1[2 * v + 1];
}

template <int G> struct Noise<double, G> {
    Stream stream[G];
    void set(uint64_t first, const Key& key) {
        for (int g = 0; g < G; ++g, first += LANES<double>) {
            U64 index;
            for (int i = 0; i < LANES<double>; ++i) index[i] = first + i;
            stream[g].set(index, key, NOISE);
        }
    }
    HOT void block(const Block& at, const Key& key, const Gaussian<F64>& gauss, F64 (*n)[G]) const {
        U64 w[G][4], w0[2 * G], w1[2 * G];
        all_streams<G>(stream, at, key, w);
        for (int g = 0; g < G; ++g) w0[2 * g] = w[g][0], w1[2 * g] = w[g][1], w0[2 * g + 1] = w[g][2], w1[2 * g + 1] = w[g][3];
        all_pairs<double, G>(w0, w1, gauss, n);
    }
};

template <int G> struct Noise<float, G> {
    Stream stream[2 * G];  // trajectories of the even and of the odd lanes of each vector
    void set(uint64_t first, const Key& key) {
        for (int g = 0; g < G; ++g, first += LANES<float>) {
            U64 index;
            for (int i = 0; i < LANES<double>; ++i) index[i] = first + 2 * i;
            stream[2 * g].set(index, key, NOISE);
            stream[2 * g + 1].set(index + 1, key, NOISE);
        }
    }
    HOT void block(const Block& at, const Key& key, const Gaussian<F32>& gauss, F32 (*n)[G]) const {
        U64 w[2 * G][4];
        U32 w0[2 * G], w1[2 * G];
        all_streams<2 * G>(stream, at, key, w);
        const auto both = [&](int g, int k) { return (U32)low_words_over(w[2 * g][k], w[2 * g + 1][k] << 32); };
        for (int g = 0; g < G; ++g) w0[2 * g] = both(g, 0), w1[2 * g] = both(g, 1), w0[2 * g + 1] = both(g, 2), w1[2 * g + 1] = both(g, 3);
        all_pairs<float, G>(w0, w1, gauss, n);
    }
};
