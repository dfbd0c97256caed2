"""Models and their training, with kernels generated from the definitions.

How it is built on the CPU (:mod:`optlab.nn.cuda` says what a CUDA device does instead):

- **One flat buffer** each of parameters, gradients and every state of the rule (:mod:`optlab.nn.parameters`): the optimizer's step is
  the generated update of the rule over vectors of these. Filters come first, norms' parameters behind, so that weight decay takes a
  stretch of the buffer.
- **Convolutions** are short convolutions (:mod:`optlab.codegen.toom_cook`): transforms derived exactly, products in register tiles. The
  backward passes are the transposed program. A linear layer is the same on an image of one pixel.
- **Norms** are generated from their records (:mod:`optlab.nn.norm_maps`). Each layer's input is made where it is needed, from the result of
  the layer before: normalized, a shortcut added, rectified; only what shortcuts need is kept.
- **Passes** (:mod:`optlab.nn.network`) run over shards of the batch. What is summed over images is summed in a fixed order, in float64
  where it is a statistic, so that results are the same bits for any number of threads.
"""

from optlab.registry import late

__getattr__ = late(
    "optlab.nn",
    {
        "optlab.nn.models": "Layer Model linear logistic mlp resnet resnet8 resnet20 resnet32 resnet44 resnet56",
        "optlab.nn.trainer": "Batch Trainer",
    },
)
