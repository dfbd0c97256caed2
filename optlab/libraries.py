"""The calls of other libraries that optlab has dialects for: their options and default values, as they stand in the libraries' code.

Versions: torch 2.13.0, optax 0.2.8, keras 3.15.1. `make peers` holds every default against the installed library's signature.
"""

from __future__ import annotations

import ast
import importlib
from functools import cache
from typing import Any

from optlab.errors import InputError, MissingDependencyError, UnknownNameError

LIBRARIES = ("torch", "optax", "keras")

#: What every keras optimizer takes beside its own options.
_KERAS = (
    "weight_decay=None, clipnorm=None, clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99, "
    "ema_overwrite_frequency=None, loss_scale_factor=None, gradient_accumulation_steps=None"
)
_TORCH = "torch.optim.lr_scheduler."
_KERAS_SCHEDULES = "keras.optimizers.schedules."

#: Options that change how a step is computed, stored or named, not what it is.
WITHOUT_EFFECT = frozenset(
    "foreach fused capturable differentiable accumulator_dtype mu_dtype mask weight_decay_mask name kwargs params optimizer "
    "device dtype axis_names last_epoch verbose synchronized".split()
)

SIGNATURES = {
    "torch.optim.SGD": "lr=0.001, momentum=0, dampening=0, weight_decay=0, nesterov=False, maximize=False",
    "torch.optim.RMSprop": "lr=0.01, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False, maximize=False",
    "torch.optim.Adam": (
        "lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False, maximize=False, decoupled_weight_decay=False"
    ),
    "torch.optim.AdamW": "lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01, amsgrad=False, maximize=False",
    "torch.optim.Adagrad": "lr=0.01, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10, maximize=False",
    "torch.optim.Adadelta": "lr=1.0, rho=0.9, eps=1e-6, weight_decay=0, maximize=False",
    "torch.optim.Adamax": "lr=0.002, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, maximize=False",
    "torch.optim.NAdam": (
        "lr=0.002, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, momentum_decay=0.004, decoupled_weight_decay=False, maximize=False"
    ),
    "optax.sgd": "learning_rate, momentum=None, nesterov=False",
    "optax.rmsprop": (
        "learning_rate, decay=0.9, eps=1e-8, initial_scale=0.0, eps_in_sqrt=True, centered=False, momentum=None, nesterov=False, "
        "bias_correction=False"
    ),
    "optax.adam": "learning_rate, b1=0.9, b2=0.999, eps=1e-8, eps_root=0.0, nesterov=False",
    "optax.adamw": "learning_rate, b1=0.9, b2=0.999, eps=1e-8, eps_root=0.0, weight_decay=0.0001, nesterov=False",
    "optax.nadam": "learning_rate, b1=0.9, b2=0.999, eps=1e-8, eps_root=0.0, nesterov=True",
    "optax.adagrad": "learning_rate, initial_accumulator_value=0.1, eps=1e-7",
    "optax.adadelta": "learning_rate=None, rho=0.9, eps=1e-6, weight_decay=0.0",
    "optax.adabelief": "learning_rate, b1=0.9, b2=0.999, eps=1e-16, eps_root=1e-16, nesterov=False",
    "optax.adamax": "learning_rate, b1=0.9, b2=0.999, eps=1e-8",
    "optax.amsgrad": "learning_rate, b1=0.9, b2=0.999, eps=1e-8, eps_root=0.0, bias_correction_mu=True, bias_correction_nu=True",
    "optax.lion": "learning_rate, b1=0.9, b2=0.99, weight_decay=0.001",
    "keras.optimizers.SGD": f"learning_rate=0.01, momentum=0.0, nesterov=False, {_KERAS}",
    "keras.optimizers.RMSprop": f"learning_rate=0.001, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False, {_KERAS}",
    "keras.optimizers.Adam": f"learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False, {_KERAS}",
    "keras.optimizers.AdamW": (
        f"learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False, {_KERAS.replace('=None', '=0.004', 1)}"
    ),
    "keras.optimizers.Adagrad": f"learning_rate=0.001, initial_accumulator_value=0.1, epsilon=1e-7, {_KERAS}",
    "keras.optimizers.Adadelta": f"learning_rate=0.001, rho=0.95, epsilon=1e-7, {_KERAS}",
    "keras.optimizers.Adamax": f"learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, {_KERAS}",
    "keras.optimizers.Nadam": f"learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, {_KERAS}",
    "keras.optimizers.Lion": f"learning_rate=0.001, beta_1=0.9, beta_2=0.99, {_KERAS}",
    # lr is the optimizer's learning rate, from which these two start (OneCycleLR has its own)
    f"{_TORCH}CosineAnnealingLR": "T_max, eta_min=0.0, lr=None",
    f"{_TORCH}OneCycleLR": (
        "max_lr, total_steps=None, epochs=None, steps_per_epoch=None, pct_start=0.3, anneal_strategy='cos', cycle_momentum=True, "
        "base_momentum=0.85, max_momentum=0.95, div_factor=25.0, final_div_factor=10000.0, three_phase=False"
    ),
    "optax.constant_schedule": "value",
    "optax.cosine_decay_schedule": "init_value, decay_steps, alpha=0.0, exponent=1.0",
    "optax.warmup_cosine_decay_schedule": "init_value, peak_value, warmup_steps, decay_steps, end_value=0.0, exponent=1.0",
    "optax.cosine_onecycle_schedule": "transition_steps, peak_value, pct_start=0.3, div_factor=25.0, final_div_factor=10000.0",
    f"{_KERAS_SCHEDULES}CosineDecay": "initial_learning_rate, decay_steps, alpha=0.0, warmup_target=None, warmup_steps=0",
    f"{_KERAS_SCHEDULES}InverseTimeDecay": "initial_learning_rate, decay_steps, decay_rate, staircase=False",
    "torch.nn.BatchNorm1d": "num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True",
    "torch.nn.LayerNorm": "normalized_shape, eps=1e-5, elementwise_affine=True, bias=True",
    "torch.nn.RMSNorm": "normalized_shape, eps=None, elementwise_affine=True",
    "keras.layers.BatchNormalization": "axis=-1, momentum=0.99, epsilon=1e-3, center=True, scale=True, renorm=False",
    "keras.layers.LayerNormalization": "axis=-1, epsilon=1e-3, center=True, scale=True",
    "keras.layers.RMSNormalization": "axis=-1, epsilon=1e-6",
}

#: torch's OneCycleLR moves the momentum as well; a schedule speaks of the learning rate alone.
MOMENTUM_TOO = frozenset({"cycle_momentum", "base_momentum", "max_momentum"})


def needed(name: str, why: str, extra: str = "peers") -> Any:
    """A package that is imported only where it is used. Raises MissingDependencyError, in one line."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        missing = error.name or name
        raise MissingDependencyError(
            f"{why} needs {missing}, which is not installed: pip install 'optlab[{extra}]' (or pip install {missing})"
        ) from None


@cache
def signature(call: str) -> dict[str, Any]:
    """A call's options and their default values; ``...`` where one must be given.

    Raises UnknownNameError if optlab has no dialect of the call.

    >>> signature("torch.optim.SGD")["dampening"], signature("optax.sgd")["learning_rate"]
    (0, Ellipsis)
    """
    if call not in SIGNATURES:
        raise UnknownNameError("call", call, SIGNATURES)
    arguments = ast.parse(f"def f({SIGNATURES[call]}): ...").body[0].args  # type: ignore[attr-defined]
    names = [argument.arg for argument in arguments.args]
    given = [ast.literal_eval(value) for value in arguments.defaults]
    return dict(zip(names, [...] * (len(names) - len(given)) + given, strict=True))


def library_of(call: str) -> str:
    """The library of a call.

    >>> library_of("torch.optim.Adam")
    'torch'
    """
    return call.partition(".")[0]


def split_call(text: str) -> tuple[str, dict[str, Any]]:
    """A library's call, as people write it, as the call's name and the options that it gives. Nothing is evaluated.

    Leading positional values are taken by the signature's order; what stands for the model's parameters (a first name or call) is skipped.

    Raises InputError if the text is no call with plain values, UnknownNameError for a call or an option that is not known.

    >>> split_call("torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.99))")
    ('torch.optim.Adam', {'lr': 0.001, 'betas': (0.9, 0.99)})
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise InputError(f"cannot read {text!r}: write a call such as torch.optim.RMSprop(lr=0.01, alpha=0.9)") from None
    function, positional, keywords = (tree.func, tree.args, tree.keywords) if isinstance(tree, ast.Call) else (tree, [], [])
    if not isinstance(function, (ast.Attribute, ast.Name)):
        raise InputError(f"cannot read {text!r}: write a call such as torch.optim.RMSprop(lr=0.01, alpha=0.9)")
    call = full_name(ast.unparse(function))
    known = signature(call)
    if positional and not _is_plain(positional[0]):  # model.parameters(), the optimizer of a scheduler
        positional = positional[1:]
    if len(positional) > len(known):
        raise InputError(f"{call} is given {len(positional)} values and has {len(known)} options: name them")
    options = {}
    for name, node in [*zip(known, positional, strict=False), *((keyword.arg, keyword.value) for keyword in keywords)]:
        if name is None or not (_is_plain(node) or name in WITHOUT_EFFECT):
            raise InputError(f"{call}: {ast.unparse(node)} is no plain value: write numbers, as in lr=0.01")
        if name in options:
            raise InputError(f"{call}: {name} is given twice")
        if name not in known and name not in WITHOUT_EFFECT:
            raise UnknownNameError(f"option of {call}", name, known)
        if name in known:
            options[name] = _value(node)
    return call, options


def full_name(call: str) -> str:
    """The call with the module that it is usually imported from: ``optim.Adam`` and ``tf.keras.optimizers.Adam`` are known too.

    >>> full_name("optim.Adam"), full_name("tf.keras.optimizers.Adam")
    ('torch.optim.Adam', 'keras.optimizers.Adam')
    """
    call = call.removeprefix("tf.")
    if call not in SIGNATURES:
        ends = [known for known in SIGNATURES if "." in call and known.endswith(f".{call}")]
        if len(ends) == 1:
            return ends[0]
    return call


def _is_plain(node: ast.AST) -> bool:
    allowed = (ast.Constant, ast.Tuple, ast.List, ast.UnaryOp, ast.USub, ast.UAdd, ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Load)
    return all(isinstance(part, allowed) for part in ast.walk(node))


def _value(node: ast.AST) -> Any:
    """A number, word, truth value, or a tuple of them; sums and products of numbers are computed, nothing else is."""
    if isinstance(node, (ast.Tuple, ast.List)):
        return tuple(_value(item) for item in node.elts)
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left), _value(node.right)
        if not all(isinstance(side, (int, float)) for side in (left, right)):
            raise InputError(f"{ast.unparse(node)} is no number")
        try:
            return {
                ast.Add: lambda: left + right, ast.Sub: lambda: left - right, ast.Mult: lambda: left * right, ast.Div: lambda: left / right,
            }[type(node.op)]()  # fmt: skip
        except (ZeroDivisionError, OverflowError):
            raise InputError(f"{ast.unparse(node)} is no number") from None
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise InputError(f"{ast.unparse(node)} is no plain value") from None
