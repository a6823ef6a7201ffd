"""Answers for Optuna's TPE sampler, as it is by default, what jobs/search asks.

Each line on standard input is a study, {"space", "seed", "trials"}, with the space
as a search states it. For each of its trials the script writes the values by path
and reads the score, the lower the better. Made for optuna 5.0.0.
"""

import json
import sys

import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)


def suggest(trial, path, values):
    (kind, of), = values.items()
    if kind == "choice":
        return trial.suggest_categorical(path, of)
    if kind == "int":
        return trial.suggest_int(path, int(of[0]), int(of[1]))
    return trial.suggest_float(path, of[0], of[1], log=kind == "log")


for line in sys.stdin:
    asked = json.loads(line)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=asked["seed"]))
    for _ in range(asked["trials"]):
        trial = study.ask()
        values = {path: suggest(trial, path, values) for path, values in sorted(asked["space"].items())}
        print(json.dumps(values), flush=True)
        study.tell(trial, float(sys.stdin.readline()))
