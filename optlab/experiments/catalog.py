"""The questions that can be asked by name: light, so that the command line lists them without importing what answers them."""

from __future__ import annotations

#: The name of each experiment, of its command and of its file in :mod:`optlab.experiments.questions`; and what it asks.
QUESTIONS: dict[str, str] = {
    "ravine": "What does a ravine do to each rule: does it swing across the stiff direction, and crawl along the flat one?",
    "saddle": "How long does each rule stay at a saddle, by the size of the gradient noise, and does it leave without any?",
    "plateau": "Which rules walk off a flat plateau soonest: do the adaptive ones?",
    "schedules": "What does each learning-rate schedule end at, by its peak, with the same number of steps?",
    "sparse": "Do RMSProp, Adam and Adagrad help where features are rarely non-zero, and is it the rarity that they help with?",
    "minima": "Are the minima that different seeds of one network find almost equally good, and what lies between them?",
    "onecycle": "Does 1-cycle reach in n epochs what other schedules need many times as many for?",
    "normalization": "How much larger a learning rate do batch, layer and RMS normalization allow, and what do they do in small batches?",
    "edge": "Does full-batch training drive the sharpness to the limit of stability, and which limit for which rule?",
    "condition": "What does the condition number cost: by which power of kappa do the steps of each rule grow?",
    "convergence": "Do decaying steps give 1/sqrt(T) and 1/T, on convex and on strongly convex problems?",
    "batch": "What does a larger batch buy, and up to which size does the learning rate scale with it?",
    "attention": "Does a transformer need warmup: which share of runs learns, by the peak learning rate, with warmup and without?",
}
