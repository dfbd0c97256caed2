// The ensemble workload of benchmarks/ensemble.py written by hand: many runs of one rule on f = 1/2 sum_i lam_i theta_i^2
// with Gaussian gradient noise, mean and variance of the loss over runs, first step at which each run diverged.
//
//   g++ -O3 -march=native -std=c++20 -shared -fPIC benchmarks/ensemble_reference.cpp -o reference.so
//
// GROUP vectors of trajectories advance together; their states lie as [coordinate][state][vector]. Positions
// p = step * d + coordinate are served in order, four a Philox block, so that no normal is wasted.

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "ensemble_rules.hpp"

#ifndef BUFFER
#define BUFFER 5
#endif

namespace {

enum Shape { SCALAR, FOURS, ANY };  // d = 1; d a multiple of 4; any d

struct Job {
    int64_t dim, trajectories, steps, every;
    const double *curvature, *rates, *parameters;  // parameters: beta1, beta2, eps, weight decay
    double start, noise, limit;
    uint32_t key0, key1;
    double *mean, *m2;
    int64_t* diverged;  // first step beyond the limit, -1: none
};

// Welford's update of the mean and M2 of one lane over its vectors; lanes are merged at the end by Chan's formula.
inline void accumulate(F64 loss, double inverse, F64* mean, F64* m2) {
    F64 delta = loss - *mean;
    *mean = fma(delta, all<F64>(inverse), *mean);
    *m2 = fma(delta, loss - *mean, *m2);
}
inline void accumulate(F32 loss, double inverse, F64* mean, F64* m2) {
    accumulate(lower(loss), inverse, mean, m2);
    accumulate(upper(loss), inverse, mean + 1, m2 + 1);
}

template <class R, class Rule, Shape SHAPE, int G> void run(const Job& job) {
    using V = Vec<R>;
    constexpr int L = LANES<R>, S = Rule::STATES, HALVES = sizeof(double) / sizeof(R);
    const int d = SHAPE == SCALAR ? 1 : int(job.dim);
    const int64_t T = job.steps, records = T / job.every + 1;
    const Key key(job.key0, job.key1);
    const auto gauss = gaussian<R>(job.noise);
    const std::vector<Step<R>> table = Rule::template table<R>(job.rates, T, job.parameters);
    std::vector<R> curvature(job.curvature, job.curvature + d);
    std::vector<F64> mean(records * HALVES), m2(records * HALVES);
    std::vector<V> memory(size_t(d) * S * G);
    V* const state = memory.data();
    const V limit = all<V>(R(job.limit)), square_limit = all<V>(R(job.limit * job.limit));
    const auto magnitude = [](V x) { return x < 0 ? -x : x; };

    for (int64_t group = 0; group < job.trajectories / (G * L); ++group) {
        Noise<R, G> noise;
        noise.set(group * G * L, key);
        V squares[G];  // sum of theta^2 over coordinates: not above limit^2 shows that every |theta| is within the limit
        for (int g = 0; g < G; ++g) squares[g] = V{};
        for (int i = 0; i < d; ++i)
            for (int s = 0; s < S; ++s)
                for (int g = 0; g < G; ++g) state[(i * S + s) * G + g] = all<V>(s == 0 ? R(job.start) : R(0));
        int64_t* const since = job.diverged + group * G * L;
        std::fill(since, since + G * L, -1);
        double inverse[G];
        for (int g = 0; g < G; ++g) inverse[g] = 1.0 / double(group * G + g + 1);

        const auto record = [&](int64_t r) {
            V loss[G] = {};
            for (int i = 0; i < d; ++i)
                for (int g = 0; g < G; ++g) {
                    V theta = state[i * S * G + g];
                    loss[g] = fma(theta * curvature[i], theta, loss[g]);
                }
            for (int g = 0; g < G; ++g) accumulate(loss[g] * R(0.5), inverse[g], &mean[r * HALVES], &m2[r * HALVES]);
        };
        const auto mark = [&](V theta, int g, int64_t step) {
            unsigned lanes = outside(magnitude(theta), limit);
            for (; lanes; lanes &= lanes - 1) {
                int64_t& at = since[g * L + __builtin_ctz(lanes)];
                if (at < 0) at = step;
            }
        };
        const auto check = [&](int64_t step) {  // after `step` steps
            for (int g = 0; g < G; ++g) {
                if (outside(squares[g], square_limit)) [[unlikely]]
                    for (int i = 0; i < d; ++i) mark(state[i * S * G + g], g, step);
                squares[g] = V{};
            }
        };

        record(0);
        int64_t step = 0, next = job.every;
        int i = 0;
        constexpr int BLOCKS = SHAPE == ANY ? BUFFER : 1;  // Philox blocks between two looks at where a step ends
        for (uint32_t block = 0; step < T; block += BLOCKS) {
            V n[4 * BLOCKS][G];
            for (int b = 0; b < BLOCKS; ++b) noise.block(Block(block + b, key), key, gauss, n + 4 * b);
            if constexpr (SHAPE == SCALAR) {
                const int live = int(std::min<int64_t>(4, T - step));
                V after[4][G];
#pragma GCC unroll 4
                for (int q = 0; q < 4; ++q) {
                    if (q < live) {
                        for (int g = 0; g < G; ++g) {
                            Rule::template update<R, G>(state + g, fma(state[g], all<V>(curvature[0]), n[q][g]), table[step + q]);
                            after[q][g] = state[g];
                        }
                        if (step + q + 1 == next) record(next / job.every), next += job.every;
                    } else
                        for (int g = 0; g < G; ++g) after[q][g] = V{};
                }
                for (int g = 0; g < G; ++g) {
                    V sum = after[0][g] * after[0][g];
                    for (int q = 1; q < 4; ++q) sum = fma(after[q][g], after[q][g], sum);
                    if (outside(sum, square_limit)) [[unlikely]]
                        for (int q = 0; q < live; ++q) mark(after[q][g], g, step + q + 1);
                }
                step += live;
            } else {
                const auto one = [&](int i, int q) {
                    for (int g = 0; g < G; ++g) {
                        V* x = state + i * S * G + g;
                        Rule::template update<R, G>(x, fma(*x, all<V>(curvature[i]), n[q][g]), table[step]);
                        squares[g] = fma(*x, *x, squares[g]);
                    }
                };
                const auto end = [&] {
                    i = 0;
                    check(++step);
                    if (step == next) record(next / job.every), next += job.every;
                };
                if constexpr (SHAPE == FOURS) {
#pragma GCC unroll 4
                    for (int q = 0; q < 4; ++q) one(i + q, q);
                    if ((i += 4) == d) end();
                } else {
                    for (int q = 0; q < 4 * BLOCKS && step < T;) {
                        const int stop = std::min(d, i + 4 * BLOCKS - q);
                        for (; i < stop; ++i, ++q) one(i, q);
                        if (i == d) end();
                    }
                }
            }
        }
    }
    for (int64_t r = 0; r < records; ++r) {
        double n = 0, each = double(job.trajectories / L), middle = 0, spread = 0;
        for (int h = 0; h < HALVES; ++h)
            for (int lane = 0; lane < LANES<double>; ++lane) {
                double delta = mean[r * HALVES + h][lane] - middle, total = n + each;
                middle += delta * each / total;
                spread += m2[r * HALVES + h][lane] + delta * delta * n * each / total;
                n = total;
            }
        job.mean[r] = middle, job.m2[r] = spread;
    }
}

// Vectors of trajectories side by side: the fastest of 1, 2, 4 and 8 for every d, rule and dtype measured.
#ifndef GROUP
#define GROUP(SHAPE, DOUBLE) 4
#endif

template <class R, class Rule, Shape SHAPE> int shape(const Job& job) {
    constexpr int G = GROUP(SHAPE, sizeof(R) == 8);
    if (job.trajectories % (G * LANES<R>)) return G * LANES<R>;
    run<R, Rule, SHAPE, G>(job);
    return 0;
}

template <class R, class Rule> int shapes(const Job& job) {
    if (job.dim == 1) return shape<R, Rule, SCALAR>(job);
    return job.dim % 4 == 0 ? shape<R, Rule, FOURS>(job) : shape<R, Rule, ANY>(job);
}

template <class R> int rules(int rule, const Job& job) {
    switch (rule) {
        case 0: return shapes<R, Sgd>(job);
#ifndef TUNING
        case 1: return shapes<R, Momentum>(job);
        case 2: return shapes<R, RmsProp>(job);
        case 4: return shapes<R, Adam<true>>(job);
#endif
        case 3: return shapes<R, Adam<false>>(job);
    }
    return -1;
}

template <class R> void draw(int64_t vectors, int64_t blocks, uint32_t k0, uint32_t k1, R* out) {
    const Key key(k0, k1);
    const auto gauss = gaussian<R>(1.0);
    for (int64_t v = 0; v < vectors; ++v) {
        Noise<R, 1> noise;
        noise.set(v * LANES<R>, key);
        for (int64_t b = 0; b < blocks; ++b, out += 4 * LANES<R>) {
            Vec<R> n[4][1];
            noise.block(Block(uint32_t(b), key), key, gauss, n);
            std::memcpy(out, n, sizeof n);
        }
    }
}

}  // namespace

extern "C" {

// 0, or the number that the number of trajectories must be a multiple of.
int run_ensemble(int bits, int rule, const Job* job) { return bits == 64 ? rules<double>(rule, *job) : rules<float>(rule, *job); }

// Trajectories in one vector.
int lanes(int bits) { return BYTES * 8 / bits; }

// Normals of `vectors` vectors of trajectories and `blocks` blocks, for tests of their distribution.
void normals(int bits, int64_t vectors, int64_t blocks, uint32_t k0, uint32_t k1, void* out) {
    bits == 64 ? draw<double>(vectors, blocks, k0, k1, (double*)out) : draw<float>(vectors, blocks, k0, k1, (float*)out);
}

// The four words of each trajectory's block, beside a plain Philox in the tests.
void words(int64_t first, uint32_t block, uint32_t k0, uint32_t k1, uint32_t* out) {
    const Key key(k0, k1);
    Noise<double, 1> noise;
    noise.set(first, key);
    U64 w[1][4];
    philox<1>(noise.stream, Block(block, key), key, w);
    for (int k = 0; k < 4; ++k)
        for (int lane = 0; lane < LANES<double>; ++lane) *out++ = uint32_t(w[0][k][lane]);
}
}
