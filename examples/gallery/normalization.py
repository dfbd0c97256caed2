"""
Three normalizations, one small network
=======================================

A perceptron on ten textures, trained with momentum at a large learning rate, without normalization and with batch,
layer and RMS normalization.
"""

import matplotlib.pyplot as plt

import optlab as ol

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for norm in ("none", "batch", "layer", "rms"):
    run = ol.train(
        f"mlp(hidden=32, norm={norm})", data="synthetic(size=8, training=500, test=100)", rule="momentum", schedule="cosine", alpha=0.1,
        epochs=6, batch=50, rng=0, probe=0,
    )  # fmt: skip
    ax.plot(run.epoch, 100 * run.validation_accuracy, "o-", label=norm)
ax.set(xlabel="epoch", ylabel="validation accuracy, %")
ax.legend()
plt.show()
