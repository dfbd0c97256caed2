"""A small transformer encoder on the CPU, and sequences for it to learn: for experiments of many short runs.

One run takes one thread; many runs side by side take all. The passes are generated (:mod:`optlab.nn.transformer.kernels`): norms, the
rectifier, attention's softmax, the loss and the optimizer's step come from their records, the loops and memory from templates.
"""

from optlab.registry import late

__getattr__ = late(
    "optlab.nn.transformer",
    {
        "optlab.nn.transformer.model": "Encoder Layout",
        "optlab.nn.transformer.sequences": "Reversal",
        "optlab.nn.transformer.trainer": "EncoderTrainer",
    },
)
