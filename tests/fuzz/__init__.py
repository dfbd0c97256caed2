"""Whatever is read from outside: the result, or an OptlabError of one line; ``python -m tests.fuzz --minutes 10`` looks longer."""
