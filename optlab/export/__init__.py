"""Rules and schedules as code of other libraries, printed from their expressions: ``rule.to_torch()``, ``rule.to_optax()``.

What is printed stands alone: it imports its own library and nothing of optlab, so that it can be copied into a project.
"""
