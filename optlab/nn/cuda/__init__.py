"""Training on a CUDA device: the passes of :mod:`optlab.nn.network` as launches, over the same flat buffers.

How it is built:

- **Kernels** are generated per shape from the templates beside the CPU's (``nn/templates/cuda``) and from the same maps of norms,
  rectifier, losses and rules, traced at one lane (:mod:`optlab.codegen.cuda`).
- **Convolutions** are direct: a block stages the rows that it reads and the filters in shared memory, threads keep strips of pixels times
  four channels in registers. What is passed back to the input is the same kernel with filters turned round; the gradient of the filters is
  summed over shares of the batch, then over the shares.
- **In bfloat16** (``precision="bf16"``, :mod:`optlab.nn.cuda.mixed`) activations take 16 bits and convolutions are products of tiles on
  tensor cores; weights, gradients of weights, statistics and sums stay in float32 or wider.
- **Sums** are taken in a fixed order, statistics in float64: same seed, same bits on the same device. There are no atomics.
- **One step** is one list of launches on preallocated buffers (:mod:`optlab.nn.cuda.network`); what changes from step to step (numbers of
  the rule, rows of the batch) is read from device memory, so that the list can be captured in a graph once and replayed.
"""
