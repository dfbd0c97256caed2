"""The methods by which rules and schedules become objects of other libraries; :mod:`optlab.export` prints the code."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class ExportedRule:
    """What a rule can be turned into."""

    def to_torch(self, **options: Any) -> Any:
        """This rule as a subclass of ``torch.optim.Optimizer``, printed from its equations: ``cls(params, lr=0.001, **hyper)``.

        Parameters
        ----------
        options
            Hyper-parameters (the class's defaults; a group or a call may have others) and variants, as for ``with_``.

        The class has parameter groups, ``state_dict``, closures and schedulers as torch's own optimizers have. Parameters without a
        gradient rest, and have step numbers of their own. ``cls.__source__`` is the source: it imports torch and nothing of optlab.
        Where the gradient is taken at another point than theta (Nesterov), the parameters hold theta, and the class has
        ``looking_ahead()``: compute the gradient inside ``with optimizer.looking_ahead():`` or in a closure given to ``step``.

        Raises InputError for an option that the rule does not have, MissingDependencyError where torch is not installed.

        >>> from optlab import rules
        >>> optimizer = rules.get("adam").to_torch(eps_placement="outside")  # doctest: +SKIP
        >>> optimizer(model.parameters(), lr=0.01, beta2=0.99)  # doctest: +SKIP
        """
        return import_module("optlab.export.torch").torch_class(self, **options)

    def to_optax(self, **options: Any) -> Any:
        """This rule as a function like optax's own, printed from its equations: ``make(learning_rate, **hyper)``.

        Parameters
        ----------
        options
            Hyper-parameters (the function's defaults) and variants, as for ``with_``.

        The function takes a number or an optax schedule and returns a ``GradientTransformation`` that can be jitted and chained;
        ``update`` needs ``params`` where theta stands in the equations beside its own increment. ``make.__source__`` is the source. Where
        the gradient is taken at another point than theta (Nesterov), the transformation has ``point(params, state)``: take it there.

        Raises InputError for an option that the rule does not have, MissingDependencyError where optax is not installed.

        >>> from optlab import rules
        >>> rules.get("adam").to_optax(beta2=0.99)(0.01)  # doctest: +SKIP
        """
        return import_module("optlab.export.optax").optax_function(self, **options)


class ExportedSchedule:
    """What a schedule can be turned into."""

    def to_torch(self, optimizer: Any, **options: Any) -> Any:
        """This schedule as a ``torch.optim.lr_scheduler.LambdaLR`` of the optimizer: call its ``step()`` after each step of the optimizer.

        The schedule gives the learning rate itself, whatever ``lr`` the optimizer was made with; a parameter group that was given an
        ``lr`` of its own keeps its proportion to that one. ``options`` are bound as by ``with_``.

        Raises InputError where a parameter has no value or the optimizer's own ``lr`` is 0, MissingDependencyError without torch.

        >>> from optlab import schedules
        >>> schedules.get("inverse_sqrt", a=0.1).to_torch(optimizer)  # doctest: +SKIP
        """
        return import_module("optlab.export.schedules").torch_scheduler(self, optimizer, **options)

    def to_optax(self, **options: Any) -> Any:
        """This schedule as optax has them: a function of the step number, from 0, that can be traced by jax.

        ``options`` are bound as by ``with_``. Raises InputError where a parameter has no value, MissingDependencyError without jax.

        >>> from optlab import schedules
        >>> schedules.get("inverse_sqrt", a=0.1).to_optax()(3)  # doctest: +SKIP
        """
        return import_module("optlab.export.schedules").optax_schedule(self, **options)
