"""Every bug with the words that its message must hold, and everything correct."""

import sympy as sp

from optlab.rules import Parameter, Rule, State, alpha, g, symbol, t, theta
from optlab.verify import check_gradient_estimator, check_normalization, check_optimizer, check_schedule, check_variance_estimator
from tests.verify.mutations import adams, others, simple
from tests.verify.mutations.others import Loader, replacement
from tests.verify.mutations.record import Correct, Mutation

beta1, beta2, eps, m, v, mhat, vhat = (symbol(name) for name in ("beta1", "beta2", "eps", "m", "v", "mhat", "vhat"))
ADABELIEF = Rule(  # a rule of a user's own
    name="adabelief",
    reference="Zhuang et al., AdaBelief optimizer, NeurIPS 2020, Algorithm 2",
    parameters={
        beta1: Parameter("9/10", within="[0, 1)"), beta2: Parameter("999/1000", within="[0, 1)"), eps: Parameter("1e-16", within="[0, oo)"),
    },
    state={m: State(), v: State()},
    equations=(
        (m, beta1 * m + (1 - beta1) * g), (v, beta2 * v + (1 - beta2) * (g - m) ** 2 + eps), (mhat, m / (1 - beta1**t)),
        (vhat, v / (1 - beta2**t)), (theta, theta - alpha * mhat / (sp.sqrt(vhat) + eps)),
    ),
)  # fmt: skip

TWINS = {
    adams.Adam: ("adam", "torch"), adams.AdamW: ("adamw", "torch"), adams.AMSGrad: ("amsgrad", "torch"), adams.AdaBelief: (ADABELIEF, None),
    simple.SGD: ("sgd", None), simple.Momentum: ("momentum", "torch"), simple.RMSProp: ("rmsprop", "torch"),
    simple.Adagrad: ("adagrad", "torch"), simple.Lion: ("lion", None),
}  # fmt: skip


def optimizer(kind, seed):
    rule, dialect = next(TWINS[base] for base in kind.__mro__ if base in TWINS)
    return check_optimizer(kind, rule=rule, dialect=dialect, strict=True, rng=seed)


def _optimizer(bug, kind, named):
    return Mutation(bug, "check_optimizer", lambda seed: optimizer(kind, seed), named)


OPTIMIZERS = [
    _optimizer(
        "Adam: bias correction at t - 1, guarded at 0", adams.CountFromZero, "bias correction taken at t - 1, the first step uncorrected"
    ),
    _optimizer("Adam: bias correction at t - 1, 0 / 0 in the first step", adams.CountFromZeroUnguarded, "bias correction taken at t - 1"),
    _optimizer("Adam: step count starts at 1 and is raised before use", adams.CountFromOne, "bias correction taken at t + 1"),
    _optimizer("Adam: step count never raised", adams.NeverCounts, "bias correction frozen at t = 1"),
    _optimizer("Adam: no bias correction", adams.Uncorrected, "no bias correction"),
    _optimizer("Adam: first moment not corrected", adams.FirstMomentUncorrected, "bias correction of m missing"),
    _optimizer(
        "Adam: second moment corrected with beta1", adams.CorrectedWithTheOther, "bias correction of v with beta1 in place of beta2"
    ),
    _optimizer("Adam: eps inside the root", adams.EpsInside, "eps inside the square root"),
    _optimizer("Adam: eps added before the correction (eps-hat)", adams.EpsHat, "eps-hat"),
    _optimizer("Adam: eps forgotten", adams.EpsForgotten, "eps missing"),
    _optimizer("Adam: old first moment used", adams.OldMoment, "the old m in place of the new one"),
    _optimizer("Adam: absolute value for the square", adams.SquareForgotten, "the absolute value in place of the square in v"),
    _optimizer("Adam: square root forgotten", adams.RootForgotten, "the square root missing in theta"),
    _optimizer("Adam: climbs", adams.Climbs, "the gradient's sign flipped"),
    _optimizer("Adam: 1 - beta2 forgotten", adams.SumOfSquares, "the factor 1 - beta2 missing in v"),
    _optimizer("Adam: beta1 and 1 - beta1 exchanged", adams.WeightsExchanged, "beta1 and 1 - beta1 exchanged in m"),
    _optimizer("Adam: betas in the wrong order", adams.BetasSwapped, "beta1 and beta2 swapped"),
    _optimizer("Adam: another default eps", adams.KerasEps, "eps = 1e-07, not 1e-08"),
    _optimizer("Adam: another default beta2", adams.ShortMemory, "beta2 = 0.99, not 0.999"),
    _optimizer("Adam: state shared by the parameters", adams.SharedState, "the state shared by all parameters"),
    _optimizer("Adam: step count shared by the parameters", adams.SharedCount, "one step count shared by all parameters"),
    _optimizer("Adam: a float32 moment", adams.SingleMoment, "single precision (float32)"),
    _optimizer("Adam: learning rate read once", adams.RateReadOnce, "the learning rate read only once"),
    _optimizer("Adam: state made anew in every step", adams.Forgetful, "the state and the step count not kept"),
    _optimizer("Adam: return indented too far", adams.OnlyTheFirst, "only the first parameter updated"),
    _optimizer("Adam: gradient changed in place", adams.InPlaceDecay, "changes the gradient it was given, in place"),
    _optimizer("Adam: a weight decay nobody asked for, coupled", adams.HiddenDecay, "weight decay 0.01 coupled"),
    _optimizer("Adam: a weight decay nobody asked for, decoupled", adams.HiddenDecoupledDecay, "weight decay 0.01 decoupled"),
    _optimizer("Adam: gradients clipped unasked", adams.Clipped, "the gradient clipped to length 1"),
    _optimizer("Adam: NaN swallowed", adams.SwallowsNan, "a NaN gradient is swallowed"),
    _optimizer("Adam: one NaN stops every coordinate", adams.SkipsOnNan, "changes coordinates 1, 2, 3, 4, 5"),
    _optimizer("Adam: step count not in the state_dict", adams.LosesItsCount, "some state is not saved"),
    _optimizer("Adam: None gradients not expected", adams.NeedsEveryGradient, "a parameter without a gradient (None) raises"),
    _optimizer("Adam: float32 parameters become float64", adams.Promotes, "float32 parameters become float64"),
    _optimizer("Adam: two mistakes at once", adams.TwoMistakes, "eps inside the square root and beta2 = 0.99, not 0.999"),
    _optimizer("AdamW: L2 in place of decoupled decay", adams.DecayCoupled, "weight decay coupled"),
    _optimizer("AdamW: decay after the step", adams.DecayAfter, "weight decay applied after the step"),
    _optimizer("AdamW: decay not times the learning rate", adams.DecayWithoutRate, "weight decay not multiplied by the learning rate"),
    _optimizer("AdamW: decay twice", adams.DecayTwice, "weight decay applied twice"),
    _optimizer("AdamW: decay of the wrong sign", adams.DecayGrows, "weight decay of the wrong sign"),
    _optimizer("AdamW: decay coupled and decoupled", adams.DecayBoth, "weight decay both coupled"),
    _optimizer("AdamW: decay forgotten", adams.DecayForgotten, "weight decay missing"),
    _optimizer("AdaBelief: old mean in the second moment", adams.BeliefInTheOldMean, "the old m in place of the new one in v"),
    _optimizer("AMSGrad: maximum forgotten", adams.MaximumForgotten, "the maximum missing in top"),
    _optimizer("AMSGrad: maximum of the corrected moment", adams.MaximumOfCorrected, "bias correction before the maximum"),
    _optimizer("SGD: first step a no-op", simple.FirstStepDoesNothing, "the first step does nothing"),
    _optimizer("SGD: gradient of the step before", simple.LateGradient, "the gradient of the step before"),
    _optimizer("SGD: gradients never zeroed", simple.NeverZeroed, "they are never set to zero"),
    _optimizer("SGD: two steps in one", simple.TwoStepsInOne, "two steps in every call"),
    _optimizer("SGD: learning rate twice", simple.RateSquared, "the learning rate squared"),
    _optimizer("SGD: half the gradient", simple.HalfGradient, "the learning rate multiplied by 0.5"),
    _optimizer("SGD: learning rate of the step before", simple.LateRate, "the learning rate of the step before"),
    _optimizer("momentum: learning rate inside the buffer", simple.RateInside, "the learning rate inside the momentum buffer"),
    _optimizer("momentum: dampening nobody asked for", simple.Dampened, "dampening"),
    _optimizer("momentum: buffer is the gradient's own memory", simple.BufferIsTheGradient, "v forgets the first gradient"),
    _optimizer("momentum: old velocity used", simple.OldVelocity, "the old v in place of the new one"),
    _optimizer("RMSProp: eps inside the root", simple.RMSPropInside, "eps inside the square root"),
    _optimizer("RMSProp: average starts at 1", simple.StartsAtOne, "the state starting at 1, not 0"),
    _optimizer("RMSProp: corrected as in Adam", simple.CorrectedRMSProp, "that the rule does not have"),
    _optimizer("Adagrad: sum starts at 0.1", simple.StartsAtATenth, "start = 0.1, not 0"),
    _optimizer("Adagrad: forgets", simple.AdagradForgets, "another rule: rmsprop"),
    _optimizer("Lion: new momentum under the sign", simple.LionNewMoment, "the new m in place of the old one in c"),
    _optimizer("Lion: sign forgotten", simple.LionWithoutSign, "the sign missing in theta"),
]


def estimator(seed, make, *, sampling="replacement", n=others.N, batch=others.BATCH, known=True, draws=20_000):
    data = others.samples(seed, n)
    given = {"sample_gradients": data, "batch": batch, "sampling": sampling} if known else {}
    return check_gradient_estimator(make(data), data.mean(0), draws=draws, rng=seed, **given)


def _estimator(bug, make, named, **options):
    return Mutation(bug, "check_gradient_estimator", lambda seed: estimator(seed, make, **options), named)


def student(shift):
    """Noise without a variance about the full gradient, or beside it."""
    return lambda data: lambda rng: data.mean(0) + 0.1 * rng.standard_t(1.5, data.shape[1]) + shift


RESHUFFLED = {"sampling": "reshuffle", "draws": 7000}
ESTIMATORS = [
    _estimator("epochs without reshuffle", lambda d: Loader(d, 8, shuffled=False), "sampling without reshuffle", **RESHUFFLED),
    _estimator("short batch as likely as the others", others.fixed_batches, "biased sampling of the last short batch", sampling=None),
    _estimator("short batch over B", lambda d: Loader(d, 8, last="divided by B"), "last short batch divided by |B|", **RESHUFFLED),
    _estimator("short batch dropped", lambda d: Loader(d, 8, last="dropped"), "is the last short batch left out?", **RESHUFFLED),
    _estimator("rows drawn afresh, called epochs", lambda d: replacement(d, 10), "drawn afresh for each batch", batch=10, **RESHUFFLED),
    _estimator("last row never drawn", lambda d: replacement(d, high=len(d) - 1), "the last sample never drawn"),
    _estimator("first row never drawn", lambda d: replacement(d, low=1), "the first sample never drawn"),
    _estimator("sum in place of the mean", lambda d: lambda rng: d[rng.integers(0, len(d), 8)].sum(0), "a sum over the batch"),
    _estimator("divided by n", lambda d: lambda rng: d[rng.integers(0, len(d), 8)].sum(0) / len(d), "a division by n in place of |B|"),
    _estimator("factor 2 of the squared loss", lambda d: lambda rng: 2 * d[rng.integers(0, len(d), 8)].mean(0), "twice the full gradient"),
    _estimator("sign flipped", lambda d: lambda rng: -d[rng.integers(0, len(d), 8)].mean(0), "the sign flipped"),
    _estimator("with replacement, called a subset", replacement, "sampling with replacement", sampling="subset"),
    _estimator("a subset, called replacement", others.subset, "sampling without replacement"),
    _estimator("one row whatever B is", lambda d: replacement(d, 1), "one sample drawn, whatever |B| is"),
    _estimator("twice the batch", lambda d: replacement(d, 16), "|B| = 16, not 8"),
    _estimator("generator seeded anew for each batch", others.seeded_anew, "one batch is drawn over and over"),
    _estimator("epochs, called subsets", lambda d: Loader(d, 25), "a draw depends on the one before", sampling="subset", batch=25),
    _estimator("heavy tails beside the full gradient", student(0.05), "the noise is not centered at the full gradient", known=False),
    Mutation(
        "variance with n in place of n - 1", "check_variance_estimator",
        lambda seed: check_variance_estimator(lambda s: s.var(0), rng=seed), "a division by n in place of n - 1",
    ),
    Mutation(
        "standard deviation for the variance", "check_variance_estimator",
        lambda seed: check_variance_estimator(lambda s: s.std(0, ddof=1), rng=seed), "the standard deviation in place of its square",
    ),
]  # fmt: skip

ONE_CYCLE = "one_cycle(base=0.01, peak=0.1, steps=100)"
COSINE, WARMUP = "cosine(peak=0.1, steps=50, floor=0.001)", "warmup_cosine(peak=0.1, warmup=10, steps=60)"


def _schedule(bug, function, schedule, named):
    return Mutation(bug, "check_schedule", lambda seed: check_schedule(function, schedule=schedule), named)


SCHEDULES = [
    _schedule("one cycle: peak one step late", lambda t: others.one_cycle(t, length=100), ONE_CYCLE, "steps = 101, one more"),
    _schedule("one cycle: steps counted from 1", lambda t: others.one_cycle(t + 1), ONE_CYCLE, "steps counted as t + 1"),
    _schedule("one cycle: another last rate", lambda t: others.one_cycle(t, final=1e4), ONE_CYCLE, "a factor 1/10000 in place of 1/100"),
    _schedule(
        "one cycle: straight lines", lambda t: others.one_cycle(t, straight=True), ONE_CYCLE, "a straight line in place of the cosine"
    ),
    _schedule("cosine: rises again after its end", others.endless_cosine, COSINE, "it goes on beyond its last step"),
    _schedule("cosine: starts over", others.restarting_cosine, COSINE, "a restart"),
    _schedule("cosine: floor forgotten", lambda t: others.cosine(t, floor=0.0), COSINE, "floor = 0, not 0.001"),
    _schedule("warmup: first rate 0", lambda t: others.warmup_cosine(t, first=0), WARMUP, "steps counted as t - 1 in part 1"),
    _schedule("warmup: left out", lambda t: others.cosine(t, steps=60, floor=0.0), WARMUP, "warmup = 0, not 10"),
    _schedule("inverse square root: root forgotten", lambda t: 0.1 / (t + 1), "inverse_sqrt(a=0.1)", "the square root missing"),
]


def _norm(bug, make, norm, named):
    return Mutation(bug, "check_normalization", lambda seed: check_normalization(make, norm=norm, rng=seed), named)


NORMS = [
    _norm("batch norm: running variance with n", others.BiasedRunningVariance, "batch_norm", "divided by n in place of n - 1"),
    _norm("batch norm: momentum the other way", others.MomentumExchanged, "batch_norm", "momentum and 1 - momentum exchanged"),
    _norm("batch norm: eps outside the root", others.EpsOutsideTheRoot, "batch_norm", "eps outside the square root"),
    _norm("batch norm: unbiased variance in the output", others.UnbiasedForward, "batch_norm", "divided by n - 1 in place of n"),
    _norm("layer norm: over the rows", others.layer_norm_along_rows, "layer_norm", "means taken along the wrong axis"),
    _norm("RMS norm: square root forgotten", others.rms_norm_without_root, "rms_norm", "the square root missing"),
]


def frameworks():
    from tests.verify.mutations import frameworks

    return frameworks


def _torch(bug, mistake, named, rule="adam", **options):
    def check(seed):
        make = frameworks().wrong_torch(mistake, **options)
        return check_optimizer(make, rule=rule, dialect="torch", framework="torch", strict=True, rng=seed)

    return Mutation(bug, "check_optimizer", check, named, "torch")


def _optax(bug, mistake, named):
    def check(seed):
        make = frameworks().optax_momentum(mistake=mistake)
        return check_optimizer(make, rule="momentum", dialect="torch", framework="optax", rng=seed)

    return Mutation(bug, "check_optimizer", check, named, "optax")


PEERS = [
    _torch("torch Adam: eps inside the root", "eps inside", "eps inside the square root"),
    _torch("torch Adam: correction at t - 1", "late", "bias correction taken at t - 1"),
    _torch("torch Adam: learning rate from the defaults, not the group", "defaults read", "the learning rate read only once"),
    _torch("torch Adam: float32 states", "single precision", "single precision (float32)"),
    _torch("torch Adam: states in the default float type", "default precision", "torch's default float type"),
    _torch("torch Adam: closure ignored", "closure ignored", "calls the closure 0 times"),
    _torch("torch Adam: loss not returned", "loss not returned", "not the closure's loss"),
    _torch("torch AdamW: L2", "L2", "weight decay coupled", "adamw", weight_decay=0.01),
    _torch("torch Adam: L2 into p.grad", "L2 in place", "weight decay coupled", "adamw", weight_decay=0.01),
    Mutation(
        "torch momentum: buffer is p.grad", "check_optimizer",
        lambda seed: check_optimizer(frameworks().TorchMomentumWithoutCopy, rule="momentum", dialect="torch", rng=seed),
        "v forgets the first gradient", "torch",
    ),
    _optax("optax momentum: dampened", "dampened", "dampening"),
    _optax("optax momentum: old trace", "old", "the old v in place of the new one"),
    _optax("optax momentum: climbs", "climbs", "the gradient's sign flipped"),
]  # fmt: skip

MUTATIONS = [*OPTIMIZERS, *ESTIMATORS, *SCHEDULES, *NORMS, *PEERS]


def _right(kind):
    return Correct(kind.__name__, "check_optimizer", lambda seed: optimizer(kind, seed))


def _drawn(what, make, **options):
    return Correct(what, "check_gradient_estimator", lambda seed: estimator(seed, make, **options))


CORRECT = [
    *(_right(kind) for kind in TWINS),
    _drawn("with replacement", replacement, draws=4000),
    _drawn("a fresh subset", others.subset, sampling="subset", draws=4000),
    _drawn("epochs, a short last batch", lambda d: Loader(d, 8), sampling="reshuffle", draws=4000),
    _drawn("epochs, equal batches", lambda d: Loader(d, 10), sampling="reshuffle", batch=10, draws=4000),
    _drawn("nothing known of the samples", replacement, known=False, draws=4000),
    _drawn("noise without a variance", student(0.0), known=False, draws=4000),
    Correct("unbiased variance", "check_variance_estimator", lambda seed: check_variance_estimator(lambda s: s.var(0, ddof=1), rng=seed)),
    Correct("one cycle", "check_schedule", lambda seed: check_schedule(others.one_cycle, schedule=ONE_CYCLE)),
    Correct("cosine", "check_schedule", lambda seed: check_schedule(others.cosine, schedule=COSINE)),
    Correct("warmup, then cosine", "check_schedule", lambda seed: check_schedule(others.warmup_cosine, schedule=WARMUP)),
    Correct("batch norm", "check_normalization", lambda seed: check_normalization(others.BatchNorm, norm="batch_norm", rng=seed)),
    Correct("layer norm", "check_normalization", lambda seed: check_normalization(others.layer_norm, norm="layer_norm", rng=seed)),
    Correct("torch Adam by hand", "check_optimizer", lambda seed: check_optimizer(
        frameworks().TorchAdam, rule="adam", dialect="torch", strict=True, rng=seed), "torch"),
    Correct("torch momentum by hand", "check_optimizer", lambda seed: check_optimizer(
        frameworks().TorchMomentum, rule="momentum", dialect="torch", rng=seed), "torch"),
    Correct("optax momentum by hand", "check_optimizer", lambda seed: check_optimizer(
        frameworks().optax_momentum(), rule="momentum", dialect="torch", framework="optax", rng=seed), "optax"),
]  # fmt: skip
