// Mini-batch least squares by hand: f = 1/(2 n) sum_r (x_r . theta - y_r)^2, rows drawn with replacement.
//
// Built with ensemble_reference.cpp. A trajectory's theta and memories are contiguous; rows are padded to whole vectors. A step takes
// the slopes of all rows of its batch first, several dot products side by side, then their combination, several blocks of coordinates
// side by side. LANES<double> trajectories advance together, so that one Philox block serves four rows of each.
#include <algorithm>
#include <vector>

#include "ensemble_rules.hpp"

namespace {

struct RowsJob {
    int64_t rows, dim, trajectories, steps, every, batch;
    const void* table;  // [rows][width], zeros behind the dim-th column, aligned to a vector
    const double *targets, *rates, *parameters;
    double start, limit;
    uint32_t key0, key1;
    double *mean, *m2;
    int64_t* diverged;
};

constexpr int BATCH = 16;
#ifndef PREFETCH  // the rows of the next trajectory
#define PREFETCH 0
#endif

#if defined(__AVX512F__)
inline double total(F64 a) { return _mm512_reduce_add_pd(a); }
inline float total(F32 a) { return _mm512_reduce_add_ps(a); }
template <class V> inline V totals(const V* a) {
    V out;
    for (unsigned k = 0; k < sizeof(V) / sizeof(out[0]); ++k) out[k] = total(a[k]);
    return out;
}
#else
inline F64 totals(const F64* a) {  // the sums of four vectors
    F64 low = _mm256_hadd_pd(a[0], a[1]), high = _mm256_hadd_pd(a[2], a[3]);
    return _mm256_permute2f128_pd(low, high, 0x21) + _mm256_blend_pd(low, high, 0xC);
}
inline F32 totals(const F32* a) {  // of eight
    F32 low = _mm256_hadd_ps(_mm256_hadd_ps(a[0], a[1]), _mm256_hadd_ps(a[2], a[3]));
    F32 high = _mm256_hadd_ps(_mm256_hadd_ps(a[4], a[5]), _mm256_hadd_ps(a[6], a[7]));
    return _mm256_permute2f128_ps(low, high, 0x21) + _mm256_blend_ps(low, high, 0xF0);
}
#endif

// Dot products x_r . theta of M times LANES<R> rows.
template <class R, int WIDTH, int S, int M> HOT void products(const Vec<R>* const* row, const Vec<R>* state, int width, Vec<R>* out) {
    using V = Vec<R>;
    constexpr int L = LANES<R>;
    V sum[M * L] = {};
    for (int w = 0; w < (WIDTH ? WIDTH : width); ++w)
#pragma GCC unroll 16
        for (int k = 0; k < M * L; ++k) sum[k] = fma(row[k][w], state[w * S], sum[k]);
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) out[m] = totals(sum + m * L);
}

// One block of COUNT vectors of the gradient; SPLIT sums side by side where COUNT is small.
template <class R, class Rule, int COUNT> HOT Vec<R> combine(const Vec<R>* const* row, const R* slopes, int w, Vec<R>* state, const Step<R>& step) {
    using V = Vec<R>;
    constexpr int S = Rule::STATES, SPLIT = COUNT > 4 ? 1 : COUNT > 2 ? 2 : 4;
    V sum[SPLIT][COUNT] = {}, squares = {};
    for (int k = 0; k < BATCH; k += SPLIT)
#pragma GCC unroll 4
        for (int s = 0; s < SPLIT; ++s)
#pragma GCC unroll 16
            for (int j = 0; j < COUNT; ++j) sum[s][j] = fma(row[k + s][w + j], all<V>(slopes[k + s]), sum[s][j]);
#pragma GCC unroll 16
    for (int j = 0; j < COUNT; ++j) {
        V gradient = sum[0][j];
        for (int s = 1; s < SPLIT; ++s) gradient += sum[s][j];
        V* x = state + (w + j) * S;
        Rule::template update<R, 1>(x, gradient, step);
        squares = fma(x[0], x[0], squares);
    }
    return squares;
}

template <class R, class Rule, int WIDTH> void run(const RowsJob& job) {
    using V = Vec<R>;
    constexpr int L = LANES<R>, T4 = LANES<double>, S = Rule::STATES, COUNT = WIDTH == 0 ? 1 : WIDTH < 14 ? WIDTH : (WIDTH + 1) / 2;
    const int width = WIDTH ? WIDTH : int((job.dim + L - 1) / L), n = int(job.rows);
    const int64_t steps = job.steps;
    const V* const table = (const V*)job.table;
    const Key key(job.key0, job.key1);
    const auto scalars = Rule::template table<R>(job.rates, steps, job.parameters);
    const std::vector<R> targets(job.targets, job.targets + n);
    std::vector<V> memory(size_t(T4) * width * S);
    const R square_limit = R(job.limit * job.limit), limit = R(job.limit);
    std::fill(job.mean, job.mean + steps / job.every + 1, 0.0), std::fill(job.m2, job.m2 + steps / job.every + 1, 0.0);

    for (int64_t group = 0; group < job.trajectories / T4; ++group) {
        Stream stream;
        U64 index;
        for (int i = 0; i < T4; ++i) index[i] = group * T4 + i;
        stream.set(index, key, ROWS);
        for (int64_t i = 0; i < int64_t(memory.size()); ++i) memory[i] = all<V>(i % S == 0 ? R(job.start) : R(0));
        for (int lane = 0; lane < T4 && job.start != 0; ++lane)
            for (int i = int(job.dim); i < width * L; ++i) memory[(lane * width + i / L) * S][i % L] = 0;
        std::fill(job.diverged + group * T4, job.diverged + (group + 1) * T4, -1);
        const auto record = [&](int64_t r) {
            for (int lane = 0; lane < T4; ++lane) {
                F64 sum = {};
                const V* row[L];
                V y = {};
                for (int first = 0; first < n; first += L) {
                    for (int k = 0; k < L; ++k) row[k] = table + int64_t(std::min(first + k, n - 1)) * width, y[k] = targets[std::min(first + k, n - 1)];
                    V z;
                    products<R, WIDTH, S, 1>(row, &memory[lane * width * S], width, &z);
                    z -= y;
                    for (int k = n - first; k < L; ++k) z[k] = 0;
                    if constexpr (sizeof(R) == 8) sum = fma(z, z, sum);
                    else sum = fma(lower(z), lower(z), fma(upper(z), upper(z), sum));
                }
                double loss = 0;
                for (int k = 0; k < LANES<double>; ++k) loss += sum[k];
                loss /= 2.0 * n;
                double delta = loss - job.mean[r];
                job.mean[r] += delta / double(group * T4 + lane + 1);
                job.m2[r] += delta * (loss - job.mean[r]);
            }
        };
        record(0);
        for (int64_t step = 0; step < steps; ++step) {
            alignas(64) uint64_t rows[BATCH][T4];
            for (int block = 0; block < BATCH / 4; ++block) {
                U64 w[1][4];
                philox<1>(&stream, Block(uint32_t(step * (BATCH / 4) + block), key), key, w);
                for (int k = 0; k < 4; ++k) *(U64*)rows[4 * block + k] = mul32(w[0][k], all<U64>(uint64_t(n))) >> 32;
            }
            for (int lane = 0; lane < T4; ++lane) {
                V* const state = &memory[lane * width * S];
                const V* row[BATCH];
                alignas(64) R slopes[BATCH];
                for (int k = 0; k < BATCH; ++k) row[k] = table + rows[k][lane] * width;
                if constexpr (PREFETCH && WIDTH > 8)
                    if (lane + 1 < T4)
                        for (int k = 0; k < BATCH; ++k)
                            for (int w = 0; w < width; w += 64 / BYTES) __builtin_prefetch(table + rows[k][lane + 1] * width + w);
                constexpr int M = BATCH % (2 * L) == 0 && L < 8 ? 2 : 1;  // eight chains of fused multiply-adds
#pragma GCC unroll 4
                for (int k = 0; k < BATCH; k += M * L) {
                    V z[M];
                    products<R, WIDTH, S, M>(row + k, state, width, z);
#pragma GCC unroll 4
                    for (int m = 0; m < M; ++m) {
                        V y = {};
#pragma GCC unroll 16
                        for (int j = 0; j < L; ++j) y[j] = targets[rows[k + m * L + j][lane]];
                        *(V*)(slopes + k + m * L) = (z[m] - y) * (R(1) / R(BATCH));
                    }
                }
                V squares = {};
                int w = 0;
                for (; w + COUNT <= width; w += COUNT) squares += combine<R, Rule, COUNT>(row, slopes, w, state, scalars[step]);
                if constexpr (WIDTH > COUNT) squares += combine<R, Rule, WIDTH - COUNT>(row, slopes, w, state, scalars[step]);
                if (outside(squares, all<V>(square_limit))) [[unlikely]] {
                    int64_t& at = job.diverged[group * T4 + lane];
                    for (int i = 0; i < width && at < 0; ++i) {
                        V x = state[i * S];
                        if (outside(x < 0 ? -x : x, all<V>(limit))) at = step + 1;
                    }
                }
            }
            if ((step + 1) % job.every == 0) record((step + 1) / job.every);
        }
    }
}

template <class R, class Rule> int widths(const RowsJob& job) {
    constexpr int L = LANES<R>;
    if (job.batch != BATCH) return -BATCH;
    if (job.trajectories % LANES<double>) return LANES<double>;
    constexpr int TEN = (10 + L - 1) / L, HUNDRED = (100 + L - 1) / L;
    const int width = int((job.dim + L - 1) / L);
    width == TEN ? run<R, Rule, TEN>(job) : width == HUNDRED ? run<R, Rule, HUNDRED>(job) : run<R, Rule, 0>(job);
    return 0;
}

}  // namespace

// 0; n > 0: the number of trajectories must be a multiple of n; n < 0: the batch must be -n.
extern "C" int run_rows(int bits, int rule, const RowsJob* job) {
    if (rule == 0) return bits == 64 ? widths<double, Sgd>(*job) : widths<float, Sgd>(*job);
    return bits == 64 ? widths<double, Adam<false>>(*job) : widths<float, Adam<false>>(*job);
}
