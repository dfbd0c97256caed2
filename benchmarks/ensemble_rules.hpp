// The five update rules on one vector: g is the gradient.
//
// State arrays are G vectors apart: x[0] is theta, x[G] and x[2 G] the memories. Memories are kept without their factor 1 - beta
// (M = m / (1 - beta1), V = v / (1 - beta2)); the factors, the bias corrections and eps go into three numbers a step.
#pragma once
#include <vector>

#include "ensemble_simd.hpp"

template <class R> struct Step {
    R rate, eps, decay, beta1, beta2;
};

// a / sqrt(x) from the processor's estimate of 1 / sqrt(x), improved by one step: relative error 7e-14 (float64) and 1e-7 (float32).
// Needs x > 1e-37, which eps = 1e-8 grants; beyond 1e38 the estimate is 0. With RSQRT.. = 0: a quotient and a root.
#ifndef RSQRT64
#define RSQRT64 1
#endif
#ifndef RSQRT32
#define RSQRT32 1
#endif
HOT F64 over_root(F64 a, F64 x) {
#if RSQRT64
    F64 y = rsqrt_estimate(x);
    F64 e = fma(-x * y, y, all<F64>(1.0));
    F64 p = fma(fma(all<F64>(0.3125), e, all<F64>(0.375)), e, all<F64>(0.5));
    return a * fma(y * e, p, y);
#else
    return a / root(x);
#endif
}
HOT F32 over_root(F32 a, F32 x) {
#if RSQRT32
    F32 y = rsqrt_estimate(x);
    F32 e = fma(-x * y, y, all<F32>(1.0f));
    return a * fma(y * e, fma(all<F32>(0.375f), e, all<F32>(0.5f)), y);
#else
    return a / root(x);
#endif
}

struct Sgd {  // theta <- theta - alpha g
    static constexpr int STATES = 1;
    template <class R> static std::vector<Step<R>> table(const double* rates, int64_t steps, const double*) {
        std::vector<Step<R>> out(steps);
        for (int64_t t = 0; t < steps; ++t) out[t].rate = R(-rates[t]);
        return out;
    }
    template <class R, int G> HOT static void update(Vec<R>* x, Vec<R> g, const Step<R>& c) {
        using V = Vec<R>;
        x[0] = fma(g, all<V>(c.rate), x[0]);
    }
};

struct Momentum {  // v <- beta v - alpha g; theta <- theta + v
    static constexpr int STATES = 2;
    template <class R> static std::vector<Step<R>> table(const double* rates, int64_t steps, const double* p) {
        auto out = Sgd::table<R>(rates, steps, p);
        for (auto& step : out) step.beta1 = R(p[0]);
        return out;
    }
    template <class R, int G> HOT static void update(Vec<R>* x, Vec<R> g, const Step<R>& c) {
        using V = Vec<R>;
        x[G] = fma(g, all<V>(c.rate), x[G] * c.beta1);
        x[0] += x[G];
    }
};

struct RmsProp {  // v <- beta v + (1 - beta) g^2; theta <- theta - alpha g / sqrt(v + eps)
    static constexpr int STATES = 2;
    template <class R> static std::vector<Step<R>> table(const double* rates, int64_t steps, const double* p) {
        std::vector<Step<R>> out(steps);
        const double beta = p[0], eps = p[2];
        for (int64_t t = 0; t < steps; ++t)
            out[t].rate = R(-rates[t] / std::sqrt(1 - beta)), out[t].eps = R(eps / (1 - beta)), out[t].beta2 = R(beta);
        return out;
    }
    template <class R, int G> HOT static void update(Vec<R>* x, Vec<R> g, const Step<R>& c) {
        using V = Vec<R>;
        x[G] = fma(x[G], all<V>(c.beta2), g * g);
        x[0] += over_root(g * c.rate, x[G] + c.eps);
    }
};

template <bool DECAY> struct Adam {  // m, v; theta <- theta (1 - alpha wd) - alpha mhat / sqrt(vhat + eps)
    static constexpr int STATES = 3;
    template <class R> static std::vector<Step<R>> table(const double* rates, int64_t steps, const double* p) {
        std::vector<Step<R>> out(steps);
        double rest1 = 1, rest2 = 1;
        for (int64_t t = 0; t < steps; ++t) {
            rest1 *= p[0], rest2 *= p[1];
            const double one = (1 - p[0]) / (1 - rest1), two = (1 - p[1]) / (1 - rest2);
            out[t].rate = R(-rates[t] * one / std::sqrt(two)), out[t].eps = R(p[2] / two);
            out[t].decay = R(1 - rates[t] * p[3]), out[t].beta1 = R(p[0]), out[t].beta2 = R(p[1]);
        }
        return out;
    }
    template <class R, int G> HOT static void update(Vec<R>* x, Vec<R> g, const Step<R>& c) {
        using V = Vec<R>;
        x[2 * G] = fma(x[2 * G], all<V>(c.beta2), g * g);
        x[G] = fma(x[G], all<V>(c.beta1), g);
        V move = over_root(x[G] * c.rate, x[2 * G] + c.eps);
        x[0] = DECAY ? fma(x[0], all<V>(c.decay), move) : x[0] + move;
    }
};
