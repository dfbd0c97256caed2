"""c / (t + t0): the schedule of the 1/T rate for strongly convex objectives.

The first step is c/t0, so choose t0 >= c L on an objective of largest curvature L: with t0 = 1 the first steps
multiply the error by up to c L each.
"""

from optlab.schedules import Dialect, Parameter, Schedule, option, symbol, time

c, t0 = symbol("c"), symbol("t0")

SCHEDULE = Schedule(
    name="inverse_time",
    summary="decays like one over the step",
    reference="Bottou, Curtis & Nocedal, Optimization methods for large-scale machine learning, SIAM Rev. 60(2), 2018, Theorem 4.7",
    expression=c / (time + t0),
    parameters={
        c: Parameter(within="[0, oo)", about="numerator; the 1/T rate needs c > 1/(2 mu)"),
        t0: Parameter(within="(0, oo)", about="offset; choose t0 >= c L"),
    },
    dialects={
        "keras": Dialect(
            "keras.optimizers.schedules.InverseTimeDecay", {}, fixed={"decay_steps": 1},
            expression=option("initial_learning_rate") / (1 + option("decay_rate") * time / option("decay_steps")),
        )
    },
)  # fmt: skip
