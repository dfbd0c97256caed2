"""Cross entropy of softmax probabilities: log sum_k exp(z_k) - z_label, stable for any logits.

``peak`` is any number near the largest logit: the loss does not depend on it.
"""

import sympy as sp

from optlab.symbols import symbol

z, peak, total, target = symbol("z"), symbol("peak"), symbol("total"), symbol("target")

TERM = sp.exp(z - peak)  #: what ``total`` adds up over the classes
LOSS = sp.log(total) + peak - target  #: of one image, ``target`` the logit of its class
SLOPE = LOSS.diff(total) * TERM.diff(z)  #: the derivative by a logit through the total ...
TARGET_SLOPE = LOSS.diff(target)  #: ... and what the logit of the image's class adds
